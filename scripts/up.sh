#!/usr/bin/env bash
# Builds Sluice and runs the whole of it on this machine. Arguments go to `sluice up`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
scripts/ensure-postgres.sh
cargo build --release --workspace
exec target/release/sluice up "$@"
