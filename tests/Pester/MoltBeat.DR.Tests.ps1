#Requires -Version 7.6
#Requires -Modules @{ ModuleName = 'Pester'; ModuleVersion = '5.0.0' }
<#
    What can only be seen in real PowerShell. The module has been built (./build.sh build); MOLT_TEST_DATABASE_URL names a
    server on which the tests may make and drop databases of their own, as a URI whose role may do so:

        MOLT_TEST_DATABASE_URL=postgresql://postgres:…@localhost/postgres pwsh -Command Invoke-Pester tests/Pester

    Without it the tests that want a server are skipped. psql has to be in PATH.
#>

BeforeDiscovery {
    $script:noServer = -not $env:MOLT_TEST_DATABASE_URL
    $script:commands = 'Copy-MoltBackup', 'Export-MoltRecoveryKit', 'Get-MoltAudit', 'Get-MoltBackup', 'Get-MoltKey', 'Get-MoltPlan', 'Invoke-MoltRecovery', 'New-MoltBackup', 'New-MoltPlan', 'Remove-MoltBackup', 'Remove-MoltPreviousDatabase', 'Restore-MoltBackup', 'Send-MoltAlert', 'Set-MoltBackup', 'Test-MoltAlert', 'Test-MoltAudit', 'Test-MoltBackup', 'Test-MoltKey', 'Test-MoltPlan', 'Test-MoltRestore', 'Test-MoltStore', 'Undo-MoltRestore'
    $script:conflicts = @(
        @{ Name = 'AWS.Tools.Common' }
        @{ Name = 'AWS.Tools.S3' }
        @{ Name = 'Az.Accounts' }
        @{ Name = 'SqlServer' }
    ).Where{ Get-Module -ListAvailable -Name $_.Name }
}

BeforeAll {
    $script:module = (Resolve-Path -LiteralPath (Join-Path $PSScriptRoot '../../output/MoltBeat.DR/MoltBeat.DR.psd1')).Path
    Import-Module $module -ErrorAction Stop
    # The module's DLL stays loaded as long as the process lives; what wants a fresh one starts its own.
    $script:pwsh = (Get-Process -Id $PID).Path
}

Describe 'The module' {
    It 'has a valid manifest' {
        (Test-ModuleManifest -Path $module -ErrorAction Stop).CompatiblePSEditions | Should -Be 'Core'
    }

    It 'exports exactly its commands' {
        (Get-Command -Module MoltBeat.DR).Name | Sort-Object | Should -Be @('Copy-MoltBackup', 'Export-MoltRecoveryKit', 'Get-MoltAudit', 'Get-MoltBackup', 'Get-MoltKey', 'Get-MoltPlan', 'Invoke-MoltRecovery', 'New-MoltBackup', 'New-MoltPlan', 'Remove-MoltBackup', 'Remove-MoltPreviousDatabase', 'Restore-MoltBackup', 'Send-MoltAlert', 'Set-MoltBackup', 'Test-MoltAlert', 'Test-MoltAudit', 'Test-MoltBackup', 'Test-MoltKey', 'Test-MoltPlan', 'Test-MoltRestore', 'Test-MoltStore', 'Undo-MoltRestore')
    }

    It 'uses approved verbs' {
        (Get-Command -Module MoltBeat.DR).Verb | ForEach-Object { $_ | Should -BeIn (Get-Verb).Verb }
    }

    It 'can be imported again, with -Force and after a removal' {
        { Import-Module $module -Force -ErrorAction Stop; Remove-Module MoltBeat.DR; Import-Module $module -ErrorAction Stop } | Should -Not -Throw
        Get-Command Get-MoltBackup -Module MoltBeat.DR | Should -Not -BeNullOrEmpty
    }

    It 'works in the runspaces of ForEach-Object -Parallel' {
        1..4 | ForEach-Object -Parallel { Import-Module $using:module; (Get-Command Get-MoltBackup).Name } | Should -Be @('Get-MoltBackup') * 4
    }
}

Describe 'Help of <_>' -ForEach $commands {
    BeforeAll { $script:help = Get-Help $_ -Full }

    It 'has a synopsis, a description and examples' {
        $help.Synopsis | Should -Not -BeNullOrEmpty
        $help.Synopsis | Should -Not -Match '^\s*' + [regex]::Escape($help.Name) + ' \['
        $help.Description.Text | Should -Not -BeNullOrEmpty
        @($help.Examples.Example).Count | Should -BeGreaterThan 0
    }

    It 'describes every parameter' {
        $common = [System.Management.Automation.Cmdlet]::CommonParameters
        foreach ($name in (Get-Command $_).Parameters.Keys.Where{ $_ -notin $common }) {
            ($help.Parameters.Parameter | Where-Object Name -eq $name).Description.Text | Should -Not -BeNullOrEmpty -Because "-$name"
        }
    }
}

Describe 'Errors' {
    It 'names a missing folder and the way on' {
        $path = Join-Path $TestDrive 'nowhere'
        Get-MoltBackup -Path $path -ErrorAction SilentlyContinue -ErrorVariable failure
        $failure[0].FullyQualifiedErrorId | Should -Be 'StoreNotFound,MoltBeat.DR.GetMoltBackupCommand'
        $failure[0].CategoryInfo.Category | Should -Be 'ObjectNotFound'
        $failure[0].ErrorDetails.RecommendedAction | Should -Match 'BACKUP_DIR'
    }

    It 'goes on with the next file after one that is no backup' {
        $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'foreign')).FullName
        Set-Content -LiteralPath (Join-Path $folder 'a.tar') -Value 'no backup'
        Set-Content -LiteralPath (Join-Path $folder 'b.tar') -Value 'no backup either'
        Get-MoltBackup -Path $folder -ErrorAction SilentlyContinue -ErrorVariable failures
        $failures.Count | Should -Be 2
        { Get-MoltBackup -Path $folder -ErrorAction Stop } | Should -Throw -ErrorId 'NotAnArchive,*'
    }

    It 'refuses a time without an offset' {
        { Get-MoltBackup -Path $TestDrive -Before 2026-01-31T12:00 } | Should -Throw -ErrorId 'ParameterArgumentTransformationError,*'
    }

    It 'fails where nobody can answer, and does not wait' {
        # Not even a backup is needed: a file that is none fails first, but never with a prompt.
        $text = & $pwsh -NoProfile -NonInteractive -Command "Import-Module '$module'; New-MoltBackup -DatabaseUrl postgresql://127.0.0.1:1/x -Path '$TestDrive/asks' -Confirm" 2>&1
        $LASTEXITCODE | Should -Be 1
        $text -join "`n" | Should -Match 'confirmation'
        Join-Path $TestDrive 'asks' | Should -Not -Exist
    }
}

Describe 'Isolation' {
    It 'lives beside an older <Name> that was loaded first' -ForEach @(
        @{ Name = 'Npgsql'; Variable = 'MOLT_TEST_FOREIGN_NPGSQL' }
        @{ Name = 'AWSSDK.Core'; Variable = 'MOLT_TEST_FOREIGN_AWSSDK_CORE' }
    ) {
        # The variable holds the path of a DLL of another version than ours.
        $dll = [Environment]::GetEnvironmentVariable($Variable)
        if (-not $dll) { Set-ItResult -Skipped -Because "$Variable is not set"; return }
        & $pwsh -NoProfile -Command "[void][Reflection.Assembly]::LoadFrom('$dll'); Import-Module '$module' -ErrorAction Stop; (Get-Command -Module MoltBeat.DR).Count" | Should -Be '7'
    }

    It 'lives beside <Name>, whichever is imported first' -ForEach $conflicts {
        foreach ($order in "'$module', '$Name'", "'$Name', '$module'") {
            & $pwsh -NoProfile -Command "`$ErrorActionPreference = 'Stop'; $order | Import-Module; (Get-Command -Module MoltBeat.DR).Count" | Should -Be '7'
        }
    }

    It 'keeps its own dependencies out of the default context' {
        & $pwsh -NoProfile -Command "Import-Module '$module'; [Runtime.Loader.AssemblyLoadContext]::Default.Assemblies.GetName().Name -contains 'Npgsql'" | Should -Be 'False'
    }
}

Describe 'A database, backed up and restored' -Skip:$noServer {
    BeforeAll {
        $script:server = [uri] $env:MOLT_TEST_DATABASE_URL
        $script:database = 'molt_pester_' + [guid]::NewGuid().ToString('N').Substring(0, 8)
        $script:folder = Join-Path $TestDrive 'backups'

        function Get-Url([string] $Name) { [UriBuilder]::new($server).Uri.AbsoluteUri -replace '(?<=//[^/]*/)[^?]*', $Name }

        function Invoke-Sql([string] $Name, [string] $Sql) {
            $lines = psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname (Get-Url $Name) --command $Sql
            if ($LASTEXITCODE -ne 0) { throw "psql failed: $Sql" }
            $lines
        }

        $script:maintenance = if ($server.AbsolutePath.Length -gt 1) { $server.AbsolutePath.Substring(1) } else { 'postgres' }
        Invoke-Sql $maintenance "CREATE DATABASE $database"
        Invoke-Sql $database 'CREATE TABLE users (id int PRIMARY KEY, email text); INSERT INTO users SELECT i, md5(i::text) FROM generate_series(1, 5000) i'
        $script:url = Get-Url $database
    }

    AfterAll {
        foreach ($name in $database, "${database}_copy") { Invoke-Sql $maintenance "DROP DATABASE IF EXISTS $name" }
    }

    It 'does nothing with -WhatIf' {
        New-MoltBackup -DatabaseUrl $url -Path $folder -WhatIf
        $folder | Should -Not -Exist
    }

    It 'is backed up into one private file' {
        $backup = New-MoltBackup -DatabaseUrl $url -Path $folder -Kind Daily -Confirm:$false
        $backup.Rows | Should -Be 5000
        $backup.Path | Should -Exist
        if (-not $IsWindows) { (Get-Item -LiteralPath $backup.Path).UnixMode | Should -Be '-rw-------' }
    }

    It 'is listed, verified, and then known to be good' {
        (Get-MoltBackup -Path $folder -Latest | Test-MoltBackup -Level Full).Passed | Should -BeTrue
        (Get-MoltBackup -Path $folder -Kind Daily).Verified | Should -Be 'Full'
        Get-ChildItem -LiteralPath $folder -Filter *.tar | Test-MoltBackup | ForEach-Object Passed | Should -BeTrue
    }

    It 'is shown the same in every culture' {
        $before = [cultureinfo]::CurrentCulture
        try {
            [cultureinfo]::CurrentCulture = 'de-DE'
            Get-MoltBackup -Path $folder | Out-String -Width 120 | Should -Match '\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ .* 5,000 Full'
        }
        finally { [cultureinfo]::CurrentCulture = $before }
    }

    It 'is not restored with -WhatIf' {
        Get-MoltBackup -Path $folder | Restore-MoltBackup -DatabaseUrl $url -TargetDatabase "${database}_copy" -WhatIf
        Invoke-Sql $maintenance "SELECT count(*) FROM pg_database WHERE datname = '${database}_copy'" | Should -Be '0'
    }

    It 'is restored and proven' {
        $restore = Get-MoltBackup -Path $folder -Latest | Restore-MoltBackup -DatabaseUrl $url -TargetDatabase "${database}_copy" -Confirm:$false
        $restore.Proof | Should -Be 'Proven'
        $restore.Tables.Rows | Should -Be 5000
        Invoke-Sql "${database}_copy" 'SELECT sum(id) FROM users' | Should -Be '12502500'
    }

    It 'is never restored over what is there' {
        { Get-MoltBackup -Path $folder | Restore-MoltBackup -DatabaseUrl $url -TargetDatabase $database -Confirm:$false -ErrorAction Stop } |
            Should -Throw -ErrorId 'TargetNotEmpty,*'
    }

    It 'can be put in the place of a live database, and taken back' {
        $readiness = Get-MoltBackup -Path $folder -Latest | Test-MoltRestore -DatabaseUrl $url -Replace
        $readiness.Go | Should -BeTrue -Because ($readiness.Failed.Message -join ' ')
        $restore = Get-MoltBackup -Path $folder -Latest | Restore-MoltBackup -DatabaseUrl $url -Replace -Force -Confirm:$false
        $restore.Replaced.KeptAs | Should -BeLike "${database}_before_*"
        (Undo-MoltRestore -DatabaseUrl $url -Confirm:$false).BroughtBack | Should -Be $restore.Replaced.KeptAs
        (Remove-MoltPreviousDatabase -DatabaseUrl $url -Confirm:$false).Of | Should -Be $database
    }

    It 'runs as a job' {
        $job = Start-ThreadJob -ScriptBlock { Import-Module $using:module; Get-MoltBackup -Path $using:folder | Test-MoltBackup }
        ($job | Receive-Job -Wait -AutoRemoveJob).Passed | Should -BeTrue
    }

    It 'is brought by quickstart.ps1 from nothing to a verified backup' {
        $env:PSModulePath = (Split-Path (Split-Path $module)) + [IO.Path]::PathSeparator + $env:PSModulePath
        & $pwsh -NoProfile -File (Join-Path $PSScriptRoot '../../samples/quickstart.ps1') -DatabaseUrl $url -Path (Join-Path $TestDrive 'quick') | Out-Null
        $LASTEXITCODE | Should -Be 0
    }
}
