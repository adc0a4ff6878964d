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
    'Compare-MoltBackup'
    'Copy-MoltBackup'
    'Export-MoltBackup'
    'Export-MoltRecoveryKit'
    'Find-MoltRow'
    'Get-MoltAudit'
    'Get-MoltBackup'
    'Get-MoltKey'
    'Get-MoltPlan'
    'Get-MoltSchedule'
    'Invoke-MoltJob'
    'Invoke-MoltRecovery'
    'New-MoltBackup'
    'New-MoltPlan'
    'Protect-MoltBackup'
    'Register-MoltSchedule'
    'Remove-MoltBackup'
    'Remove-MoltPreviousDatabase'
    'Restore-MoltBackup'
    'Restore-MoltRow'
    'Send-MoltAlert'
    'Set-MoltBackup'
    'Test-MoltAlert'
    'Test-MoltAudit'
    'Test-MoltBackup'
    'Test-MoltKey'
    'Test-MoltPlan'
    'Test-MoltRestore'
    'Test-MoltStore'
    'Undo-MoltRestore'
    'Unregister-MoltSchedule'
  )
  PrivateData          = @{
    PSData = @{
      Tags = @('PostgreSQL', 'Backup', 'Restore', 'DisasterRecovery')
    }
  }
}
