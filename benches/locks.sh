#!/usr/bin/env bash
# What an audit adds to the locks of std and parking_lot, against the plain
# build, tracing-mutex and parking_lot's `deadlock_detection`, side by side in
# one run: the same program in four debug builds and two release builds, in
# turns. `benches/run.sh` does the same for tokio.
#
#   benches/locks.sh [ROUNDS]    5 unless told otherwise
. "$(dirname "$0")/lib.sh" locks "$@"

builds=(plain audited tracing-mutex deadlock-detection)
build plain
build plain --release
build tracing-mutex --features tracing-mutex
build tracing-mutex --features tracing-mutex --release
build deadlock-detection --features deadlock-detection

# measure BUILD [PROFILE]
measure() {
    case $1 in
        audited) measured_by "audited${2:+-$2}" audit --test measure ${2:+--"$2"} ;;
        *) measured_by "$1${2:+-$2}" "$(binary "$1" measure "${2:-debug}")" ;;
    esac
}

say "building audited"
measure audited
measure audited release
rm "$work"/results/audited*

for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds"
    for name in "${builds[@]}"; do measure "$name"; done
    for name in plain audited tracing-mutex; do measure "$name" release; done
done

row() { # LABEL MEASURE [PROFILE]
    awk -v label="$1" -v plain="$(median "plain${3:+-$3}" "$2")" \
        -v audited="$(median "audited${3:+-$3}" "$2")" -v tracing="$(median "tracing-mutex${3:+-$3}" "$2")" \
        -v detection="$(median "deadlock-detection${3:+-$3}" "$2")" -v measure="$2" '
        function other(value) {
            if (value == "") printf "  %9s %8s", "-", "-"
            else printf "  %9.0f %+8.0f", value, value - plain
        }
        BEGIN {
            printf "%-34s %9.0f %9.0f %8.2fx %+8.0f", label, plain, audited, audited / plain, audited - plain
            other(measure ~ /^thread/ ? "" : tracing)
            other(measure ~ /^parking/ ? detection : "")
            print ""
        }'
}
echo
echo "medians of $rounds alternating rounds, debug builds but for the last, $cores cores, ns"
printf '%-34s %9s %9s %9s %8s  %9s %8s  %9s %8s\n' \
    '' plain audited ratio added tracing-m added detection added
row 'std Mutex lock+unlock' std_mutex
row 'std RwLock read+unlock' std_read
row 'std RwLock write+unlock' std_write
row 'std Mutex, another held' std_nested
row 'std Mutex, 4 threads at it' std_contended
row 'parking_lot Mutex lock+unlock' parking_mutex
row 'parking_lot RwLock read+unlock' parking_read
row 'parking_lot RwLock write+unlock' parking_write
row 'parking_lot Mutex, another held' parking_nested
row 'thread spawn+join' thread_spawn
row 'std Mutex lock+unlock, release' std_mutex release
