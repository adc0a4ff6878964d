#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0.0' }
<#
    The plan in real PowerShell: with a real SecretManagement where that is installed. Wants no server. The module has been
    built (./build.sh build).
#>

BeforeDiscovery {
    $script:noVault = -not (Get-Command Get-SecretVault -ErrorAction Ignore) -or -not (Get-SecretVault)
}

BeforeAll {
    Import-Module (Resolve-Path -LiteralPath (Join-Path $PSScriptRoot '../../output/MoltBeat.DR/MoltBeat.DR.psd1')).Path -ErrorAction Stop
    $script:path = Join-Path $TestDrive 'settings/plan.json'
}

Describe 'A plan' {
    It 'is not written with -WhatIf' {
        New-MoltPlan -Path $path -WhatIf
        $path | Should -Not -Exist
    }

    It 'is written, private, and passes its test' {
        (New-MoltPlan -Path $path -DatabaseUrl postgresql://u@h/d -Destination $TestDrive, s3://bucket/p -Confirm:$false | Test-MoltPlan).Passed | Should -BeTrue
        if (-not $IsWindows) { (Get-Item -LiteralPath $path).UnixMode | Should -Be '-rw-------' }
    }

    It 'is what MOLTBEAT_PLAN names' {
        try {
            $env:MOLTBEAT_PLAN = $path
            (Get-MoltPlan).Stores.Name | Should -Be @('local', 's3')
        }
        finally { Remove-Item Env:MOLTBEAT_PLAN }
    }

    It 'is not replaced without -Force' {
        { New-MoltPlan -Path $path -ErrorAction Stop } | Should -Throw -ErrorId 'PlanExists,*'
    }

    It 'takes no password' {
        { New-MoltPlan -Path (Join-Path $TestDrive 'other.json') -DatabaseUrl postgresql://u:p@h/d -ErrorAction Stop } | Should -Throw -ErrorId 'SecretInPlan,*'
    }

    It 'of the samples can be read' -ForEach (Get-ChildItem -LiteralPath (Join-Path $PSScriptRoot '../../samples/plans') -Filter *.json) {
        $copy = Join-Path $TestDrive $_.Name
        Copy-Item -LiteralPath $_.FullName -Destination $copy
        if (-not $IsWindows) { chmod 0600 $copy }
        (Get-MoltPlan -PlanPath $copy).Databases.Name | Should -Be 'moltbeat'
    }

    It 'gets its secrets out of a vault' -Skip:$noVault {
        $name = 'molt_pester_' + [guid]::NewGuid().ToString('N')
        Set-Secret -Name $name -Secret 'postgresql://u:p@h/d'
        try {
            New-MoltPlan -Path $path -DatabaseUrl "secret:$name" -Destination $TestDrive -Force -Confirm:$false | Out-Null
            (Test-MoltPlan -PlanPath $path -Online).Checks.Where{ $_.Name -eq 'References' }.Status | Should -Be 'Passed'
        }
        finally { Remove-Secret -Name $name -Vault (Get-SecretInfo -Name $name).VaultName }
    }
}
