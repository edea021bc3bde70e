#!/usr/bin/env bash
# Installs Debian or Ubuntu packages: as root, or by sudo where that asks nothing.
# Where neither works it says what to install, and fails.
set -euo pipefail

if ! command -v apt-get >/dev/null; then
  echo "sluice: please install: $* (or what your system calls them)" >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  as_root=()
elif sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "sluice: please run: sudo apt-get install $*" >&2
  exit 1
fi
echo "sluice: installing $*" >&2
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
