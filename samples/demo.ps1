# Backs up a database, checks the backup, loses a table, and gets it back. Runs in pwsh as well as in molt, so it uses only
# what both have: the language, the engine's own commands and the module.
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

'== New-MoltBackup: one consistent snapshot in one file'
New-MoltBackup -DatabaseUrl $DatabaseUrl -Path $Path

'== Get-MoltBackup: what there is'
Get-MoltBackup -Path $Path

'== Test-MoltBackup -Level Full: every row read again and compared with the digests'
$test = Get-MoltBackup -Path $Path -Latest | Test-MoltBackup -Level Full
$test
if (-not $test.Passed) { throw 'The backup did not pass.' }

'== The disaster: DROP TABLE posts'
Invoke-Sql $DatabaseUrl 'DROP TABLE posts'

'== Restore-MoltBackup: into a new database, proved row by row'
Get-MoltBackup -Path $Path -Latest |
    Restore-MoltBackup -DatabaseUrl $DatabaseUrl -TargetDatabase moltbeat_restored -Confirm:$false

'== The lost posts, counted in the restored database'
$restored = $DatabaseUrl.Replace('/moltbeat?', '/moltbeat_restored?')
$posts = Invoke-Sql $restored 'SELECT count(*) FROM posts'
"$posts posts"
if ($posts -ne '120000') { throw 'Posts are missing.' }
