#!/usr/bin/env bash
# Whether every deadlock and futurelock is found, each time: all tests of the two
# fixtures, over and over, and then a minute of load that must stay silent.
#
#   benches/deadlocks.sh [RUNS]      1000 unless told otherwise
#
# Prints per test how often it was found (or, for one that passes, silent), how
# often it passed though it was to hang (the machine came late, and it did not come to
# it), how often it hung until the time limit, and how often something false was told; and
# the time from the wait that closes a deadlock to its discovery. `cargo test` does
# the same three times.
set -euo pipefail
cd "$(dirname "$0")/.."
unset RUSTFLAGS CARGO_TARGET_DIR
export CONCAUDIT_RUNS=${1:-1000} DEADLOCK_LOAD_SECONDS=${LOAD_SECONDS:-60}
exec cargo test --release --locked --test integration -- --nocapture --exact \
    often::every_deadlock_is_found_each_time_and_nothing_else
