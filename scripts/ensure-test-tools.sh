#!/usr/bin/env bash
# What the tests start besides Sluice and PostgreSQL: haproxy, Python, Node.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

missing=()
[ -x /usr/sbin/haproxy ] || command -v haproxy >/dev/null || missing+=(haproxy)
python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3 python3-venv)
command -v npm >/dev/null || missing+=(npm)
[ ${#missing[@]} = 0 ] || "$here/apt-install.sh" "${missing[@]}"
