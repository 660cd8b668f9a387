#!/usr/bin/env bash
# What an audit costs, against the plain build and against console-subscriber,
# side by side in one run: the same program in three debug builds, in turns. Before that,
# what a build from nothing costs: of a crate with tokio alone, and of a large graph.
#
#   benches/run.sh [ROUNDS]      5 unless told otherwise
#
# `benches/locks.sh` does the same for std and parking_lot.
. "$(dirname "$0")/lib.sh" overhead "$@"

tasks=1000000
# console-subscriber keeps some 25 KB per finished task: a million would not fit.
console_tasks=50000

# clean BUILD WHAT FOLDER: the tests of a package, built from nothing, in ms: how long it
# takes, and what all processes compute, which depends less on what else the machine does.
clean() {
    local TIMEFORMAT='%R %U %S' command
    say "building $2 from nothing, $1 ($(cut -d' ' -f1 /proc/loadavg) processes are running)"
    rm -rf "$work/clean"
    case $1 in
        audited) command=("$tool" concaudit --quiet --locked) ;;
        *) command=(cargo test --quiet --locked) ;;
    esac
    { time "${command[@]}" --no-run --manifest-path "$3/Cargo.toml" \
        --target-dir "$work/clean" &>"$work/said"; } 2>"$work/time" ||
        { cat "$work/said" >&2 && return 1; }
    note "$1" "$2" "$(awk '{ print $1 * 1000 }' "$work/time")"
    note "$1" "$2-cpu" "$(awk '{ print ($2 + $3) * 1000 }' "$work/time")"
    rm -rf "$work/clean"
}
cargo fetch --quiet --locked
cargo fetch --quiet --locked --manifest-path "$root/tests/graph/whole/Cargo.toml"
for ((round = 1; round <= 3; round++)); do
    for build in plain audited; do clean "$build" tokio "$here/overhead"; done
done
for build in plain audited; do clean "$build" graph "$root/tests/graph/whole"; done

build plain
say "building audited"
audit --exact e00
RUSTFLAGS='--cfg tokio_unstable' build console --features console

# measure BUILD TASKS|-
measure() {
    local variables=()
    [[ $2 == - ]] || variables=(OVERHEAD_TASKS="$2")
    case $1 in
        audited) measured_by audited env "${variables[@]}" bash -c '"$@" >/dev/null' - \
            "$tool" concaudit --quiet --target-dir "$work/audited" --time-limit 600s --test measure ;;
        *) measured_by "$1" env "${variables[@]}" "$(binary "$1" measure)" ;;
    esac
}

# suite BUILD TARGET JOBS: wall time of a process per test, in ms.
suite() {
    if [[ $1 == audited ]]; then
        audit --test "$2" --test-threads "$3" --format json --output "$work/suite.json"
        note audited "$2" "$(field test_ms "$work/suite.json")"
    else
        local exe tests start
        exe=$(binary "$1" "$2")
        tests=$("$exe" --list 2>/dev/null | sed -n 's/: test$//p')
        start=$(now_ms)
        # shellcheck disable=SC2086
        printf '%s\n' $tests | xargs -P "$3" -I{} "$exe" --exact {} >/dev/null
        note "$1" "$2" $(($(now_ms) - start))
    fi
}

for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds"
    for build in plain audited console; do
        measure "$build" -
        if [[ $build != console ]]; then
            suite "$build" empty 1
            suite "$build" suite "$cores"
        fi
    done
done
say "memory"
measure plain "$tasks"
measure audited "$tasks"
measure console "$console_tasks"

row() { # LABEL MEASURE UNIT
    awk -v label="$1" -v unit="$3" -v plain="$(median plain "$2")" \
        -v audited="$(median audited "$2")" -v console="$(median console "$2")" 'BEGIN {
        printf "%-34s %9.0f %9.0f %8.2fx %+9.0f %s", label, plain, audited, audited / plain, audited - plain, unit
        if (console != "") {
            printf "  %9.0f %+9.0f", console, console - plain
            added = audited - plain
            if (added > 0) printf " %7.1fx", (console - plain) / added
        }
        print ""
    }'
}
echo
echo "medians of $rounds alternating rounds, debug builds, $cores cores"
printf '%-34s %9s %9s %9s %9s %2s  %9s %9s %8s\n' \
    '' plain audited ratio added '' console added 'ratio of added'
row 'tokio Mutex lock+unlock' mutex ns
row 'tokio Mutex, 16 tasks at it' contended ns
row '2 of 1000 locks, 10,000 tasks' crowd ns
row 'spawn+join' spawn ns
row 'mpsc message' message ns
row '50 empty test processes, in turn' empty ms
row '40 tests, wall time' suite ms
row 'clean build, tokio alone' tokio ms
row 'the same, CPU time' tokio-cpu ms
row 'clean build, a graph of 330 crates' graph ms
row 'the same, CPU time' graph-cpu ms
echo
awk -v share="$(median audited auditor)" 'BEGIN {
    printf "the auditor'"'"'s thread, while 10,000 tasks wait for 1000 locks: %.1f %% of a core\n", share
}'
awk -v plain="$(median plain memory)" -v audited="$(median audited memory)" \
    -v console="$(median console memory)" -v tasks=$tasks -v few=$console_tasks 'BEGIN {
    printf "peak memory after %d tasks: plain %.0f MiB, audited %.0f MiB (%+.0f MiB)\n", tasks, plain, audited, audited - plain
    printf "console-subscriber after %d tasks: %.0f MiB\n", few, console
}'
awk -v plain="$(median plain empty)" -v audited="$(median audited empty)" \
    'BEGIN { printf "start and flush of one process: %+.2f ms\n", (audited - plain) / 50 }'
