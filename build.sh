#!/usr/bin/env bash
# All tasks of the project, for a machine with bash and the .NET SDK. Each task's steps stand here and nowhere else;
# build.ps1 and .ci/run call this file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

configuration=Release
solution=MoltBeat.DR.sln
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

say() { printf '\n== %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

usage() {
  cat <<'TEXT'
Usage: ./build.sh <task>
  build   the module in output/MoltBeat.DR/ and the host output/molt/molt
  test    build, check the formatting, run all tests
  demo    back up, lose and restore a database of a throwaway PostgreSQL cluster
  bench   measure against pg_dump and pg_restore, and what copies in S3 cost
  pack    the module as output/MoltBeat.DR-<version>.zip
  docs    the help files in en-US/ from docs/cmdlets/
  clean   remove everything that a build makes
TEXT
}

# install_missing <what for> <Debian package>...: installs packages when this is Debian, we are root and nobody forbade it
# (MOLT_NO_INSTALL=1, as continuous integration does), else says what to do.
install_missing() {
  local purpose=$1
  shift
  if [ -z "${MOLT_NO_INSTALL:-}" ] && [ "$(id -u)" -eq 0 ] && have apt-get; then
    say "Installing $* ($purpose)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
  else
    fail "$purpose needs: $*. Install them, for example with: sudo apt-get install $*"
  fi
}

# Debian keeps the server's programs out of PATH, one folder for each major version.
server_folder() {
  local initdb
  initdb=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -t/ -k5,5n | tail -n 1)
  [ -n "$initdb" ] || initdb=$(command -v initdb) || return 1
  dirname "$initdb"
}

need_dotnet() {
  have dotnet || fail "The .NET SDK 10 is missing: https://dotnet.microsoft.com/download/dotnet/10.0"
  local said
  said=$(dotnet --version 2>&1) && return
  case $said in
    # The library's own package has its version in its name; icu-devtools depends on the one that this release has, as
    # ca-certificates does on OpenSSL's.
    *libicu* | *libssl*) install_missing "The .NET SDK" icu-devtools ca-certificates ;;
    *) fail "$said" ;;
  esac
}

need_postgres() {
  local missing=()
  server_folder >/dev/null || missing+=(postgresql postgresql-contrib)
  have pg_dump || missing+=(postgresql-client)
  have zstd || missing+=(zstd)
  [ "${#missing[@]}" -eq 0 ] || install_missing "A PostgreSQL server" "${missing[@]}"
}

need_test_servers() {
  need_postgres
  local missing=()
  have pgbouncer || missing+=(pgbouncer)
  have gpg || missing+=(gnupg)
  # The package would start a service of its own; the tests start their servers themselves.
  have redis-server || missing+=(redis-server)
  have cron || missing+=(cron)
  # Only to verify units and times.
  have systemd-analyze || missing+=(systemd)
  # A Ceph gateway is the S3 of the tests.
  local program
  for program in ceph-mon ceph-osd radosgw; do
    have "$program" || missing+=("$program")
  done
  # The PostgreSQL 18 server of the tests comes as an npm package.
  have npm || missing+=(nodejs npm)
  [ "${#missing[@]}" -eq 0 ] || install_missing "The tests" "${missing[@]}"
}

task_build() {
  need_dotnet
  say "Building ($configuration, warnings are errors)"
  dotnet build "$solution" -c "$configuration" "$@"
}

task_test() {
  need_test_servers
  task_build
  say "Checking the formatting: dotnet format --verify-no-changes"
  dotnet format "$solution" --verify-no-changes --no-restore
  say "Running all tests"
  local summary code=0
  summary=$(mktemp)
  dotnet test --solution "$solution" -c "$configuration" --no-build "$@" | tee "$summary" || code=$?
  # The counts once more on one line, in the form that every kind of continuous integration can read.
  awk '$1 == "succeeded:" { p = $2 } $1 == "failed:" { f = $2 } $1 == "skipped:" { s = $2 }
       END { if (p != "") printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$summary"
  rm -f "$summary"
  return "$code"
}

task_demo() {
  need_postgres
  task_build -v quiet
  bash samples/demo.sh "$(server_folder)"
}

task_bench() {
  need_postgres
  task_build -v quiet
  dotnet run --project bench/MoltBeat.DR.Bench -c "$configuration" --no-build -- "$@"
}

task_pack() {
  task_build -v quiet
  local version
  version=$(sed -n "s/^ *ModuleVersion *= *'\(.*\)'/\1/p" MoltBeat.DR.psd1)
  say "Packing MoltBeat.DR $version"
  dotnet build src/MoltBeat.DR -c "$configuration" --no-restore -v quiet \
    -t:PackModule -p:PackFile="$PWD/output/MoltBeat.DR-$version.zip"
}

task_docs() {
  need_dotnet
  say "Building the module and the maker of its help"
  dotnet build src/MoltBeat.DR -c "$configuration" -v quiet
  dotnet build src/MoltBeat.DR.Help -c "$configuration" -v quiet
  say "Making the help from docs/cmdlets and the cmdlets themselves"
  dotnet "src/MoltBeat.DR.Help/bin/$configuration/net10.0/MoltBeat.DR.Help.dll" output/MoltBeat.DR/MoltBeat.DR.psd1 docs/cmdlets en-US
  # Into the module that stands there, too.
  mkdir -p output/MoltBeat.DR/en-US
  cp en-US/* output/MoltBeat.DR/en-US/
}

task_clean() {
  say "Cleaning"
  rm -rf output src/*/bin src/*/obj tests/*/bin tests/*/obj bench/*/bin bench/*/obj
}

task=${1:-}
[ $# -eq 0 ] || shift
case $task in
  build | test | demo | bench | pack | docs | clean) "task_$task" "$@" ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 64 ;;
esac
