#!/usr/bin/env pwsh
<#
.SYNOPSIS
    The tasks of build.sh for people with pwsh. The steps stand in build.sh alone; this only finds a bash to run them.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory, Position = 0)]
    [ValidateSet('build', 'test', 'demo', 'bench', 'pack', 'docs', 'clean')]
    [string] $Task,

    [Parameter(ValueFromRemainingArguments)]
    [string[]] $ArgumentList = @()
)

$bash = (Get-Command bash -CommandType Application -ErrorAction Ignore | Select-Object -First 1).Source
if ($IsWindows) {
    # The bash in System32 starts a Linux of its own, without this machine's SDK: take the one that comes with Git.
    $git = (Get-Command git -CommandType Application -ErrorAction Ignore | Select-Object -First 1).Source
    $bash = if ($git) { Join-Path (Split-Path (Split-Path $git)) 'bin\bash.exe' }
}
if (-not $bash -or -not (Test-Path -LiteralPath $bash)) {
    throw 'No bash was found. On Windows it comes with Git (https://git-scm.com); elsewhere with the system.'
}

& $bash (Join-Path $PSScriptRoot 'build.sh') $Task @ArgumentList
exit $LASTEXITCODE
