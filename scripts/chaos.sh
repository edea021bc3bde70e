#!/usr/bin/env bash
# The long run of limits under fire. Each kind of fault comes once, and then as many as
# SLUICE_CHAOS_FAULTS says, which SLUICE_CHAOS_SEED chooses; the seed is in the output.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
scripts/ensure-postgres.sh
scripts/ensure-test-tools.sh
export SLUICE_CHAOS_SEED="${SLUICE_CHAOS_SEED:-$RANDOM$RANDOM}"
export SLUICE_CHAOS_FAULTS="${SLUICE_CHAOS_FAULTS:-50}"
export SLUICE_CHAOS_QUIET_SECONDS="${SLUICE_CHAOS_QUIET_SECONDS:-30}"
echo "seed $SLUICE_CHAOS_SEED, $SLUICE_CHAOS_FAULTS faults by chance"
cargo build --workspace
exec cargo test --workspace --test chaos -- --nocapture
