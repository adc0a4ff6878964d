#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0.0' }
<#
    Alerts in real PowerShell, without any service: what is sent waits in a spool. The module has been built (./build.sh build).
#>

BeforeAll {
    Import-Module (Resolve-Path -LiteralPath (Join-Path $PSScriptRoot '../../output/MoltBeat.DR/MoltBeat.DR.psd1')).Path -ErrorAction Stop
    $script:plan = Join-Path $TestDrive 'plan.json'
    $env:MOLTBEAT_ALERTS = Join-Path $TestDrive 'spool'
    $env:MOLTBEAT_AUDIT = Join-Path $TestDrive 'audit'
    $env:MOLT_TEST_HOOK = 'http://127.0.0.1:9/nobody'
    Set-Content -LiteralPath $plan -Value '{ "version": 1, "alerts": { "routes": [{ "name": "hook", "kind": "webhook", "url": "env:MOLT_TEST_HOOK" }] } }'
    if (-not $IsWindows) { chmod 0600 $plan }
}

AfterAll {
    Remove-Item Env:MOLTBEAT_ALERTS, Env:MOLTBEAT_AUDIT, Env:MOLT_TEST_HOOK
}

Describe 'An alert' {
    It 'is neither sent nor kept with -WhatIf' {
        Send-MoltAlert 'Something' -PlanPath $plan -WhatIf | Should -BeNullOrEmpty
        $env:MOLTBEAT_ALERTS | Should -Not -Exist
    }

    It 'waits when nobody answers' {
        $delivery = Send-MoltAlert 'Something' -PlanPath $plan -Confirm:$false -WarningAction Ignore
        $delivery.Status | Should -Be 'Waiting'
        $delivery.Waiting | Should -Be 1
    }

    It 'is told as an error when it is a test' {
        { Test-MoltAlert -PlanPath $plan -ErrorAction Stop } | Should -Throw -ErrorId 'AlertNotDelivered,*'
    }

    It 'needs a route that there is' {
        { Send-MoltAlert 'Something' -PlanPath $plan -Route nobody } | Should -Throw -ErrorId 'AlertRouteUnknown,*'
    }
}
