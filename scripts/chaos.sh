#!/usr/bin/env bash
# The long run of limits under fire. SLUICE_CHAOS_SEED and SLUICE_CHAOS_FAULTS say which
# faults and how many; the seed of a run that failed is in its output.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
scripts/ensure-postgres.sh
export SLUICE_CHAOS_SEED="${SLUICE_CHAOS_SEED:-$RANDOM$RANDOM}"
export SLUICE_CHAOS_FAULTS="${SLUICE_CHAOS_FAULTS:-60}"
export SLUICE_CHAOS_QUIET_SECONDS="${SLUICE_CHAOS_QUIET_SECONDS:-30}"
echo "seed $SLUICE_CHAOS_SEED, $SLUICE_CHAOS_FAULTS faults"
cargo build --workspace
exec cargo test --workspace --test chaos -- --nocapture
