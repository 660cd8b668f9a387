#!/usr/bin/env bash
# Whether every deadlock and futurelock is found, each time: all tests of the two
# fixtures, over and over, and then a minute of load that must stay silent.
#
#   benches/deadlocks.sh [RUNS]      1000 unless told otherwise
#
# Prints per test how often it was found (or, for one that passes, silent), how
# often it hung until the time limit, and how often something false was told.
set -euo pipefail

runs=${1:-1000}
root=$(cd "$(dirname "$0")/.." && pwd)
work=${DEADLOCKS_WORK:-$root/target/deadlocks}
unset RUSTFLAGS CARGO_TARGET_DIR
mkdir -p "$work"
: >"$work/results"

cargo build --quiet --release --manifest-path "$root/Cargo.toml"
tool=${CARGO_CONCAUDIT:-$root/target/release/cargo-concaudit}

# audit FIXTURE ARGS...: writes the report; a failed test is no failure here.
audit() {
    local fixture=$1
    shift
    rm -f "$work/report.json"
    (cd "$root/fixtures/$fixture" &&
        "$tool" concaudit --quiet --target-dir "$work/$fixture" --format json \
            --output "$work/report.json" "$@") >/dev/null 2>"$work/errors" || true
    [ -s "$work/report.json" ] || { cat "$work/errors" >&2; exit 1; }
}

# One line per test: what became of it, and its name.
judge() {
    jq -r --arg rule "$1" '
        [.findings[] | select(.rule == "deadlock" or .rule == "futurelock")
            | .rule as $of | .tests[] | {test: ., rule: $of}] as $told
        | .tests[] | "\(.binary) \(.name)" as $name
        | [$told[] | select(.test == $name) | .rule] as $rules
        | (if ($name | test("hangs?$")) then
               if $rules == [$rule] then "found"
               elif ($rules | length) > 0 then "false" else "hung" end
           elif ($rules | length) > 0 then "false"
           elif .outcome == "passed" then "silent" else "hung" end) + "\t" + $name
    ' "$work/report.json"
}

for run in $(seq "$runs"); do
    for fixture in deadlock futurelock; do
        audit "$fixture" --time-limit 10s
        judge "$fixture" >>"$work/results"
    done
    ((run % 10)) || printf '%s of %s\n' "$run" "$runs" >&2
done

DEADLOCK_LOAD_SECONDS=${LOAD_SECONDS:-60} audit deadlock --time-limit 300s a_shop_under_load
judge deadlock | sed 's/$/ (a minute)/' >>"$work/results"

awk -F '\t' '
    { count[$2 FS $1]++; all[$1]++; names[$2] }
    END {
        for (name in names)
            printf "%6d found %6d silent %6d hung %6d false  %s\n", count[name FS "found"], \
                count[name FS "silent"], count[name FS "hung"], count[name FS "false"], name | "sort -k 9"
        close("sort -k 9")
        printf "%6d found %6d silent %6d hung %6d false  in all\n", all["found"], all["silent"], all["hung"], all["false"]
        exit all["hung"] + all["false"] > 0
    }' "$work/results"
