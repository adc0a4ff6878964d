# Backs up a database, verifies the backup, loses a table, gets it back, and compares. Runs in pwsh as well as in molt, so it
# uses only what both have: the language, the engine's own commands and the module.
param(
    [Parameter(Mandatory)] [string] $DatabaseUrl,
    [Parameter(Mandatory)] [string] $Path
)

$ErrorActionPreference = 'Stop'
Import-Module MoltBeat.DR

function Invoke-Sql([string] $Url, [string] $Sql) {
    psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname $Url --command $Sql
    if ($LASTEXITCODE -ne 0) { throw "psql failed: $Sql" }
}

# A fingerprint that psql takes and MoltBeat.DR knows nothing of.
function Get-Fingerprint([string] $Url) {
    Invoke-Sql $Url "SELECT count(*) || ' posts, md5 ' || md5(string_agg(p::text, E'\n' ORDER BY id)) FROM posts p"
}

# Each object is shown by itself: PowerShell shows objects of several kinds as one long list.
function Show-Step([string] $Title, [string] $Command) { "`n== $Title`n`nPS> $Command" | Out-Host }

$before = Get-Fingerprint $DatabaseUrl
"`n== The database moltbeat before: $before" | Out-Host

Show-Step 'Back up: one consistent snapshot in one file' 'New-MoltBackup -Kind Daily'
New-MoltBackup -DatabaseUrl $DatabaseUrl -Path $Path -Kind Daily | Out-Host

Show-Step 'Verify: every row is decompressed, counted and digested again' 'Get-MoltBackup -Latest | Test-MoltBackup -Level Full'
$test = Get-MoltBackup -Path $Path -Latest | Test-MoltBackup -Level Full
$test | Out-Host
if (-not $test.Passed) { throw 'The backup did not pass.' }

Show-Step 'What each check proves' '(Get-MoltBackup -Latest | Test-MoltBackup -Level Full).Checks'
$test.Checks | Out-Host

Show-Step 'List: the backup is there, and is known to be good' 'Get-MoltBackup'
Get-MoltBackup -Path $Path | Out-Host

"`n== The disaster: DROP TABLE posts" | Out-Host
Invoke-Sql $DatabaseUrl 'DROP TABLE posts'
if (Invoke-Sql $DatabaseUrl "SELECT to_regclass('posts')") { throw 'The table is still there.' }

Show-Step 'What a restore would do' 'Get-MoltBackup -Latest | Restore-MoltBackup -TargetDatabase moltbeat_restored -WhatIf'
Get-MoltBackup -Path $Path -Latest |
    Restore-MoltBackup -DatabaseUrl $DatabaseUrl -TargetDatabase moltbeat_restored -WhatIf

Show-Step 'Restore into a new database, proven table by table' 'Get-MoltBackup -Latest | Restore-MoltBackup -TargetDatabase moltbeat_restored'
$restore = Get-MoltBackup -Path $Path -Latest |
    Restore-MoltBackup -DatabaseUrl $DatabaseUrl -TargetDatabase moltbeat_restored -Confirm:$false
$restore | Out-Host
$restore.Tables | Out-Host
if ($restore.Proof -ne 'Proven') { throw 'The restore was not proven.' }

$after = Get-Fingerprint $DatabaseUrl.Replace('/moltbeat?', '/moltbeat_restored?')
@"

== The same, by psql alone
   before, in moltbeat:           $before
   after,  in moltbeat_restored:  $after
"@ | Out-Host
if ($after -ne $before) { throw 'The restored posts are not those that were lost.' }
'== They are equal: the lost posts are back.' | Out-Host
