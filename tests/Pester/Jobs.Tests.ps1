#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0.0' }
<#
    What a scheduler calls. Needs MOLT_TEST_DATABASE_URL as MoltBeat.DR.Tests.ps1 does; without it the tests are skipped.
#>

BeforeDiscovery {
    $script:noServer = -not $env:MOLT_TEST_DATABASE_URL
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot '../../output/MoltBeat.DR/MoltBeat.DR.psd1') -ErrorAction Stop
    $script:near = Join-Path $TestDrive 'near'
    $script:plan = Join-Path $TestDrive 'plan.json'
    $env:MOLTBEAT_STATE = Join-Path $TestDrive 'state'
    @{
        version   = 1
        databases = @(@{ name = 'test'; url = 'env:MOLT_TEST_DATABASE_URL' })
        stores    = @(@{ name = 'near'; location = $near })
    } | ConvertTo-Json -Depth 5 | Set-Content -LiteralPath $plan
    if (-not $IsWindows) { chmod 0600 $plan }
}

AfterAll {
    Remove-Item Env:MOLTBEAT_STATE
}

Describe 'A job' -Skip:$noServer {
    It 'is only shown with -WhatIf' {
        Invoke-MoltJob Daily -PlanPath $plan -WhatIf | Should -BeNullOrEmpty
        $near | Should -Not -Exist
    }

    It 'backs up and verifies without a question' {
        $job = Invoke-MoltJob Daily -PlanPath $plan -ErrorAction Stop
        $job.Status | Should -Be 'Succeeded'
        (Get-MoltBackup $near).Verified | Should -Be 'Quick'
    }
}
