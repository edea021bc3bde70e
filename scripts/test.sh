#!/usr/bin/env bash
# Everything that CI runs. Installs what the tests need and is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
scripts/ensure-postgres.sh
scripts/ensure-test-tools.sh
scripts/ensure-clients.sh
scripts/lint.sh
# The programs first: the end-to-end tests start them.
cargo build --workspace
cargo test --workspace
# Each rule of the leases left out once: what proves them has to notice.
cargo test --package domain --features mutants --test mutants
