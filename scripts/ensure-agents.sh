#!/usr/bin/env bash
# Puts the pinned coding agents and frameworks into the cache folder, unless they are there.
# They are large (about one gigabyte), so only `make test-clients` asks for them.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SLUICE_CACHE:-$root/.cache}
from="$root/e2e/clients/agents"
mkdir -p "$cache"

stamp="$(uname -sm) $(cat "$from/package.json" "$from/package-lock.json" | cksum)"
if [ -f "$cache/agents/stamp" ] && [ "$(cat "$cache/agents/stamp")" = "$stamp" ]; then
  exit 0
fi
echo "sluice: installing the coding agents into $cache/agents" >&2
rm -rf "$cache/agents"
mkdir "$cache/agents"
cp "$from"/{package.json,package-lock.json,.npmrc} "$cache/agents/"
# No scripts: the programs stand in packages of their own for each platform.
(cd "$cache/agents" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
echo "$stamp" >"$cache/agents/stamp"
