#!/usr/bin/env bash
# How soon it is known that a test stands still: tests that hang as they begin, over and
# over.
#
#   benches/standstill.sh [RUNS]      100 unless told otherwise
#
# Prints the time from the start of a test to the verdict: the median, what 99 of 100 stay
# below, and the longest.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_TARGET_DIR
export CONCAUDIT_RUNS=${1:-100}
exec cargo test --release --locked --test integration -- --nocapture --exact --ignored \
    often::how_soon_a_standstill_is_found
