#!/usr/bin/env bash
# Says how to get Rust where it is missing, and whether a C compiler is there for the crates that need one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if ! command -v cargo >/dev/null; then
  if [ -x "${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo" ]; then
    echo "sluice: Rust is installed, but not in PATH. Please run: . \"${CARGO_HOME:-\$HOME/.cargo}/env\"" >&2
  else
    echo "sluice: Rust is missing. See https://rustup.rs, then try again" >&2
  fi
  exit 1
fi
need=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$here/../Cargo.toml")
have=$(rustc --version | cut -d' ' -f2)
if ! printf '%s\n' "$need" "$have" | sort -V -C; then
  echo "sluice: Rust $need or newer is needed, and this is $have. With rustup: rustup update stable; else see https://rustup.rs" >&2
  exit 1
fi
command -v cc >/dev/null || "$here/apt-install.sh" build-essential
