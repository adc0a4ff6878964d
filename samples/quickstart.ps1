<#
.SYNOPSIS
    Backs up one database, verifies the backup fully, and shows what restoring it would do. Changes nothing in the database.
.DESCRIPTION
    For pwsh 7.6 and for molt alike. Exits with 0 when there is a backup that passed, else with 1.
.EXAMPLE
    pwsh -File samples/quickstart.ps1 -DatabaseUrl postgresql://user@host/moltbeat -Path /srv/backups
.EXAMPLE
    output/molt/molt -File samples/quickstart.ps1     # with DATABASE_URL and BACKUP_DIR set
#>
[CmdletBinding()]
param(
    # The database: a postgresql:// URI or libpq keywords. The password is better kept in ~/.pgpass or PGPASSWORD.
    [string] $DatabaseUrl = $env:DATABASE_URL,

    # The folder that keeps backups.
    [string] $Path = $(if ($env:BACKUP_DIR) { $env:BACKUP_DIR } else { '/var/backups/moltbeat' })
)

$ErrorActionPreference = 'Stop'
Import-Module MoltBeat.DR

$backup = New-MoltBackup -DatabaseUrl $DatabaseUrl -Path $Path
$backup | Out-Host

$test = $backup | Test-MoltBackup -Level Full
$test | Out-Host
if (-not $test.Passed) { exit 1 }

$backup | Restore-MoltBackup -DatabaseUrl $DatabaseUrl -WhatIf
