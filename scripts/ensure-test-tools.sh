#!/usr/bin/env bash
# What the tests start besides Sluice and PostgreSQL: haproxy, Python, Node; and cargo's own checks.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing=()
[ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || missing+=(haproxy)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
command -v npm >/dev/null || missing+=(npm)
[ ${#missing[@]} = 0 ] || "$here/apt-install.sh" "${missing[@]}"

# The pinned SDKs ask for it.
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "sluice: Python 3.11 or newer is needed for the SDKs, and python3 is $(python3 --version)" >&2
  exit 1
}

# A minimal toolchain has neither.
for part in rustfmt:fmt clippy:clippy; do
  cargo "${part#*:}" --version >/dev/null 2>&1 && continue
  if command -v rustup >/dev/null; then
    rustup component add "${part%:*}" >&2
  else
    echo "sluice: cargo ${part#*:} is missing: please install ${part%:*} for your Rust toolchain" >&2
    exit 1
  fi
done
