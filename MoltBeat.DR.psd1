@{
  # The DLL is in dependencies/, where PowerShell does not look: the nested loader answers for it (see ModuleLoader.cs).
  RootModule           = 'MoltBeat.DR.dll'
  NestedModules        = @('MoltBeat.DR.Loader.dll')
  ModuleVersion        = '0.1.0'
  GUID                 = 'b0b7a2b6-5f0f-4f3d-9a44-8c6a0b7f5d21'
  Author               = 'MoltBeat'
  CompanyName          = 'MoltBeat'
  Copyright            = '(c) MoltBeat'
  Description          = 'Disaster recovery for an application that lives in PostgreSQL: back up, verify, restore.'
  PowerShellVersion    = '7.6'
  CompatiblePSEditions = @('Core')
  FormatsToProcess     = @('MoltBeat.DR.Format.ps1xml')
  FunctionsToExport    = @()
  AliasesToExport      = @()
  VariablesToExport    = @()
  CmdletsToExport      = @(
    'Copy-MoltBackup'
    'Export-MoltBackup'
    'Get-MoltAudit'
    'Get-MoltBackup'
    'Get-MoltKey'
    'Get-MoltPlan'
    'New-MoltBackup'
    'New-MoltPlan'
    'Remove-MoltBackup'
    'Remove-MoltPreviousDatabase'
    'Restore-MoltBackup'
    'Set-MoltBackup'
    'Test-MoltAudit'
    'Test-MoltBackup'
    'Test-MoltKey'
    'Test-MoltPlan'
    'Test-MoltRestore'
    'Test-MoltStore'
    'Undo-MoltRestore'
  )
  PrivateData          = @{
    PSData = @{
      Tags = @('PostgreSQL', 'Backup', 'Restore', 'DisasterRecovery')
    }
  }
}
