#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0.0' }
<#
    Recoveries in real PowerShell, without any server. The module has been built (./build.sh build).
#>

BeforeAll {
    Import-Module (Resolve-Path -LiteralPath (Join-Path $PSScriptRoot '../../output/MoltBeat.DR/MoltBeat.DR.psd1')).Path -ErrorAction Stop
    $env:MOLTBEAT_AUDIT = Join-Path $TestDrive 'audit'
    $script:plan = Join-Path $TestDrive 'plan.json'
    New-MoltPlan -Path $plan -DatabaseUrl postgresql://u@127.0.0.1:1/d -Destination (Join-Path $TestDrive 'store') -Confirm:$false
}

AfterAll {
    Remove-Item Env:MOLTBEAT_AUDIT
}

Describe 'A recovery' {
    It 'is only printed with -WhatIf' {
        $steps = Invoke-MoltRecovery DatabaseCorruption -PlanPath $plan -IncidentPath (Join-Path $TestDrive 'incidents') -WhatIf -ErrorAction Ignore
        $steps.Status | Sort-Object -Unique | Should -Be 'Planned'
        Join-Path $TestDrive 'incidents' | Should -Not -Exist
    }

    It 'has a kit' {
        $kit = Export-MoltRecoveryKit (Join-Path $TestDrive 'kit') -PlanPath $plan -WarningAction Ignore
        $kit.Files | Should -Exist
    }
}
