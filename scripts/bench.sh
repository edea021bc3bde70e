#!/usr/bin/env bash
# Measures the figures that Sluice promises, on release builds. Arguments go to sluice-bench.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
scripts/ensure-postgres.sh
cargo build --release --workspace
exec target/release/sluice-bench "$@"
