#!/usr/bin/env bash
# Measures the figures that Sluice promises, on release builds. Arguments go to sluice-bench.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
scripts/ensure-postgres.sh
cargo build --release --workspace
failed=0
target/release/sluice-bench "$@" || failed=$?
case " $* " in
  "  " | *" limits "*)
    # What a check costs, and what a limit takes that nobody uses.
    cargo bench --workspace --bench meter || failed=$?
    cargo test --release --workspace --test limit_memory -- --nocapture || failed=$?
    ;;
esac
exit "$failed"
