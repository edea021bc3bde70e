#!/usr/bin/env bash
# Finds PostgreSQL's server programs as Sluice does, and installs them where they are missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# What Sluice itself looks through, in its order.
folders() {
  [ -z "${SLUICE_PG_BIN:-}" ] || echo "$SLUICE_PG_BIN"
  ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rV || true
  IFS=: read -ra path <<<"$PATH"
  printf '%s\n' "${path[@]}"
  ls -d /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin 2>/dev/null | sort -rV || true
}

found() {
  while read -r folder; do
    if [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ]; then
      return 0
    fi
  done < <(folders)
  return 1
}

found && exit 0
if [ "$(uname -s)" = Darwin ]; then
  echo "sluice: PostgreSQL's server programs are missing. Please run: brew install postgresql@17" >&2
  exit 1
fi
"$here/apt-install.sh" postgresql
found || { echo "sluice: PostgreSQL is installed, but initdb and postgres are in none of the usual places: set SLUICE_PG_BIN to their folder" >&2; exit 1; }
