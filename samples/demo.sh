#!/usr/bin/env bash
# A disaster and its recovery, from nothing: a throwaway PostgreSQL cluster that only this script can reach, a database like
# MoltBeat's own, and samples/demo.ps1 on it. Everything is removed at the end, after a failure and on Ctrl+C too.
# Usage: samples/demo.sh <folder of initdb and pg_ctl>   (called by: ./build.sh demo)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
programs=$1

# Not under TMPDIR, which may be too long for the path of a socket.
work=$(mktemp -d /tmp/molt-demo.XXXXXX)

# PostgreSQL refuses to be run by root; Debian's package has made its user.
as_server=()
if [ "$(id -u)" -eq 0 ]; then
  as_server=(setpriv --reuid postgres --regid postgres --init-groups --)
  chown postgres: "$work"
fi

# cd: the server's user may not be able to enter the folder that we stand in.
server() { (cd "$work" && exec "${as_server[@]}" "$@"); }

clean_up() {
  trap '' INT TERM HUP
  if [ -e "$work/data/postmaster.pid" ]; then
    server "$programs/pg_ctl" stop -D "$work/data" -m immediate -s || true
  fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

echo "== Making a throwaway PostgreSQL cluster in $work"
server "$programs/initdb" -D "$work/data" -U moltbeat --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
# A socket in a folder of our own in place of a port: nothing to clash with, nobody else can connect.
server mkdir -m 700 "$work/socket"
server "$programs/pg_ctl" start -D "$work/data" -s -w -l "$work/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$work/socket' -c fsync=off"

export PGHOST=$work/socket PGUSER=moltbeat
psql -qd postgres -c 'CREATE DATABASE moltbeat'
echo "== Filling the database moltbeat"
psql -qd moltbeat -v ON_ERROR_STOP=1 -f samples/demo.sql
unset PGHOST PGUSER

# Its audit log goes with it.
export MOLTBEAT_AUDIT=$work/audit
output/molt/molt -NonInteractive -File samples/demo.ps1 \
  -DatabaseUrl "postgresql://moltbeat@/moltbeat?host=$work/socket" -Path "$work/backups"
