#!/usr/bin/env bash
# Tries the published crates of crater.txt both ways, those first that have not been
# tried, and writes docs/crater.md. Can be ended at any moment and started again.
#
#   tests/graph/crater.sh [CRATE...]     all that are left, or these (again)
#
# CRATER_UNDER is a command to run each of them under: `nice -n 10`, say.
set -euo pipefail
cd "$(dirname "$0")/../.."

try() {
    # shellcheck disable=SC2086 # a command and its arguments
    ${CRATER_UNDER:-} "$tests" --ignored --exact --nocapture "crater::$1"
}

cargo test --locked --test integration --no-run
tests=$(cargo test --locked --test integration --no-run --message-format json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*integration-[^"]*\)".*/\1/p')
outcomes=target/tmp/fixtures/crater/outcomes
sed 's/#.*//' tests/graph/crater.txt | while read -r name version _; do
    [[ -n $name ]] || continue
    if [[ $# -gt 0 ]]; then
        [[ " $* " == *" $name "* ]] || continue
    elif [[ -f $outcomes/$name-$version.json ]]; then
        continue
    fi
    CRATER=$name try one_crate_is_tried </dev/null || echo "$name: not tried"
    try the_table_is_written </dev/null >/dev/null
done
try the_table_is_written
