#!/usr/bin/env bash
# Feeds spoilt samples to what reads other people's bytes, for 60 seconds each.
# Usage: scripts/fuzz.sh [SECONDS [TARGET...]]
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/ensure-rust.sh
seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=(request sse_split stream whole)
[ $# -eq 0 ] || targets=("$@")

# Coverage counters without a nightly compiler.
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing -Cdebug-assertions"
machine=$(rustc -vV | sed -n 's/^host: //p')
built=${CARGO_TARGET_DIR:-$PWD/fuzz/target}/fuzz
RUSTFLAGS=$flags cargo build --release --locked --manifest-path fuzz/Cargo.toml \
  --target "$machine" --target-dir "$built"

# What each target begins with: the samples that the tests of `dialect` have, each behind
# four signs that say provider, caller, how it is told, and what was asked for.
# See fuzz/src/lib.rs; dialects are numbered as in domain's `Dialect::ALL`.
golden=dialect/tests/golden
corpus=.cache/fuzz
dialects=(openai_chat openai_responses anthropic gemini bedrock)
for target in "${targets[@]}"; do mkdir -p "$corpus/$target" ".cache/fuzz/found/$target"; done

seed() { # TARGET FROM TO TOLD SAMPLE
  local name
  name=$(basename "$(dirname "$(dirname "$5")")")-$(basename "$5")
  { printf '%s%s%s0' "$2" "$3" "$4"; cat "$5"; } >"$corpus/$1/seed-$2$3$4-$name"
}

shopt -s nullglob
for a in 0 1 2 3 4; do
  for sample in "$golden/${dialects[a]}"/{stream/*,response/*,error/*,request/*}; do
    case $sample in
      */stream/*) for to in 0 1 2 3; do
          seed stream "$a" "$to" 0 "$sample"
          seed sse_split "$a" "$to" 0 "$sample"
        done ;;
      */response/* | */error/*) for to in 0 1 2 3; do seed whole "$a" "$to" 0 "$sample"; done ;;
      */request/*) for from in 0 4; do seed request "$from" "$a" 0 "$sample"; done ;;
    esac
  done
done
for sample in "$golden"/openai_completions/request/*; do seed request 0 0 0 "$sample"; done

failed=()
for target in "${targets[@]}"; do
  echo "fuzz: $target for $seconds s"
  "$built/$machine/release/$target" "$corpus/$target" -artifact_prefix=".cache/fuzz/found/$target/" \
    -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -verbosity=1 2>".cache/fuzz/found/$target/log" || failed+=("$target")
  grep -E '^(stat::|#[0-9]+.*DONE)' ".cache/fuzz/found/$target/log" || true
done
if [ ${#failed[@]} -gt 0 ]; then
  for target in "${failed[@]}"; do tail -n 30 ".cache/fuzz/found/$target/log" >&2; done
  echo "fuzz: failed: ${failed[*]}; see .cache/fuzz/found. Mend it, with a test in dialect" >&2
  exit 1
fi
