#!/usr/bin/env bash
# Says how to get Rust where it is missing, and whether a C compiler is there for the crates that need one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v cargo >/dev/null; then
  echo "sluice: Rust is missing. See https://rustup.rs, then try again" >&2
  exit 1
fi
command -v cc >/dev/null || "$here/apt-install.sh" build-essential
