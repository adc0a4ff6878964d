#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0.0' }
<#
    What goes along with a database, in real PowerShell: folders there and back, and environment files refused without a recipient.
    Needs MOLT_TEST_DATABASE_URL as MoltBeat.DR.Tests.ps1 does; without it the tests are skipped.
#>

BeforeDiscovery {
    $script:noServer = -not $env:MOLT_TEST_DATABASE_URL
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot '../../output/MoltBeat.DR/MoltBeat.DR.psd1') -ErrorAction Stop
    $script:app = Join-Path $TestDrive 'uploads'
    $script:store = Join-Path $TestDrive 'store'
    New-Item -ItemType Directory (Join-Path $app 'deep') | Out-Null
    Set-Content (Join-Path $app 'deep/a.txt') 'first'
    Set-Content (Join-Path $app 'app.log') 'noise'
}

Describe 'Folders and environment files' -Skip:$noServer {
    It 'takes a folder along and brings it back' {
        $backup = New-MoltBackup -DatabaseUrl $env:MOLT_TEST_DATABASE_URL -Destination $store -Folder $app -ErrorAction Stop
        "$($backup.Extras)" | Should -Be 'Folder uploads (3)'
        ($backup | Test-MoltBackup -Level Full).Passed | Should -BeTrue
        $result = $backup | Restore-MoltBackup -Include Folders -FolderPath (Join-Path $TestDrive 'new') -Confirm:$false -ErrorAction Stop
        $result.Files | Should -Be 1
        Get-Content (Join-Path $result.Target 'deep/a.txt') | Should -Be 'first'
    }

    It 'writes nothing under -WhatIf' {
        Get-MoltBackup $store -Latest | Restore-MoltBackup -Include Folders -FolderPath (Join-Path $TestDrive 'never') -WhatIf
        Join-Path $TestDrive 'never' | Should -Not -Exist
    }

    It 'refuses environment files without a recipient' {
        Set-Content (Join-Path $TestDrive '.env') 'KEY=value'
        { New-MoltBackup -DatabaseUrl $env:MOLT_TEST_DATABASE_URL -Destination $store -Recipient @() -EnvironmentFile (Join-Path $TestDrive '.env') -ErrorAction Stop } |
            Should -Throw -ErrorId 'EnvironmentNeedsRecipient*'
    }
}
