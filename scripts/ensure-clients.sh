#!/usr/bin/env bash
# Puts the pinned SDKs for Python and Node into the cache folder, unless they are there.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${SLUICE_CACHE:-$root/.cache}
mkdir -p "$cache"

# A stamp says what a folder was made from.
fresh() { [ -f "$1/stamp" ] && [ "$(cat "$1/stamp")" = "$2" ]; }

python_stamp="$(python3 --version) $(cksum <"$root/e2e/clients/python/requirements.txt")"
if ! fresh "$cache/python" "$python_stamp"; then
  echo "sluice: installing the Python SDKs into $cache/python" >&2
  rm -rf "$cache/python"
  python3 -m venv "$cache/python"
  "$cache/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    -r "$root/e2e/clients/python/requirements.txt"
  echo "$python_stamp" >"$cache/python/stamp"
fi

node_stamp="$(uname -sm) $(cat "$root/e2e/clients/node/package.json" "$root/e2e/clients/node/package-lock.json" | cksum)"
if ! fresh "$cache/node" "$node_stamp"; then
  echo "sluice: installing the Node SDKs into $cache/node" >&2
  rm -rf "$cache/node"
  mkdir "$cache/node"
  cp "$root"/e2e/clients/node/{package.json,package-lock.json,.npmrc} "$cache/node/"
  (cd "$cache/node" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
  echo "$node_stamp" >"$cache/node/stamp"
fi
