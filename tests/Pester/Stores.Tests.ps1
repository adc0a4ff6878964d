#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0.0' }
<#
    Copies in several places, as a prompt sees them: what binds to what through the pipeline. Needs MOLT_TEST_DATABASE_URL as
    MoltBeat.DR.Tests.ps1 does; without it the tests are skipped. Folders stand for all stores.
#>

BeforeDiscovery {
    $script:noServer = -not $env:MOLT_TEST_DATABASE_URL
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot '../../output/MoltBeat.DR/MoltBeat.DR.psd1') -ErrorAction Stop
    $script:near = Join-Path $TestDrive 'near'
    $script:far = Join-Path $TestDrive 'far'
}

Describe 'Several stores' -Skip:$noServer {
    BeforeAll {
        $script:made = New-MoltBackup -DatabaseUrl $env:MOLT_TEST_DATABASE_URL -Destination $near, $far -Kind Daily -ErrorAction Stop
    }

    It 'makes all copies in one pass' {
        $made.Locations.Count | Should -Be 2
        $made.Failures | Should -BeNullOrEmpty
        (Get-FileHash $made.Locations[0].Path).Hash | Should -Be (Get-FileHash $made.Locations[1].Path).Hash
    }

    It 'lists one line for both' {
        @(Get-MoltBackup $near, $far).Count | Should -Be 1
    }

    It 'verifies each copy through the pipeline' {
        (Get-MoltBackup $near, $far | Test-MoltBackup -AllCopies).Passed | Should -Be $true, $true
    }

    It 'finds nothing to copy twice' {
        ($made | Copy-MoltBackup -Destination $far).Status | Should -Be 'AlreadyThere'
    }

    It 'keeps what is pinned, and says who pinned it' {
        $made | Set-MoltBackup -Pin -Reason 'a test' | Out-Null
        { $made | Remove-MoltBackup -Force -Confirm:$false -ErrorAction Stop } | Should -Throw '*a test*'
        $made | Set-MoltBackup -Unpin -Reason 'it is over' | Out-Null
    }

    It 'shows with -WhatIf what would be removed, and removes nothing' {
        $made | Remove-MoltBackup -Force -WhatIf
        Test-Path $made.Path | Should -BeTrue
    }

    It 'names the store that fails and keeps the other copy' {
        $failed = $null
        $partly = New-MoltBackup -DatabaseUrl $env:MOLT_TEST_DATABASE_URL -Destination $near, '/dev/null/nowhere' -ErrorAction SilentlyContinue -ErrorVariable failed
        $partly.Locations.Count | Should -Be 1
        $failed[0].FullyQualifiedErrorId | Should -BeLike 'StoreNotWritable,*'
    }
}

Describe 'Encrypting what is there' -Skip:($noServer -or -not $env:MOLT_TEST_PUBLIC_KEY) {
    BeforeAll {
        $script:plain = New-MoltBackup -DatabaseUrl $env:MOLT_TEST_DATABASE_URL -Destination (Join-Path $TestDrive 'plain') -ErrorAction Stop
    }

    It 'shows with -WhatIf to whom, and changes nothing' {
        $plain | Protect-MoltBackup -Recipient $env:MOLT_TEST_PUBLIC_KEY -WhatIf | Should -BeNullOrEmpty
        Test-Path $plain.Path | Should -BeTrue
    }

    It 'makes an encrypted one beside it' {
        $made = $plain | Protect-MoltBackup -Recipient $env:MOLT_TEST_PUBLIC_KEY -KeepOld -Confirm:$false
        $made.Status | Should -Be 'Protected'
        $made.Old | Should -Be 'Kept'
        (Get-MoltBackup (Split-Path $plain.Path)).Encrypted | Should -Be $true, $false
    }
}
