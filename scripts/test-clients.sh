#!/usr/bin/env bash
# The larger clients: the coding agents Claude Code and Codex, LangChain and the Vercel AI
# SDK, with models of every dialect. Installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
scripts/ensure-postgres.sh
scripts/ensure-clients.sh
scripts/ensure-agents.sh
cargo build --workspace
cargo test --workspace --test sdk --test sdk_translate
exec cargo test --workspace --test agents -- --ignored
