# Shared by the scripts beside it, which name the package that they measure:
#
#   . "$(dirname "$0")/lib.sh" PACKAGE [ROUNDS]
#
# Ratios are what counts; the nanoseconds are this machine's. Needs nothing but
# cargo, bash, awk and GNU date. CARGO_CONCAUDIT names a tool that is built
# already.
# shellcheck shell=bash
set -euo pipefail

rounds=${2:-5}
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=${OVERHEAD_WORK:-$root/target}/$1
tool=${CARGO_CONCAUDIT:-$root/target/release/cargo-concaudit}
cores=$(nproc)

unset RUSTFLAGS CARGO_TARGET_DIR OVERHEAD_OUTPUT OVERHEAD_TASKS
rm -rf "$work"
mkdir -p "$work/results"
cd "$here/$1"

say() { printf '%s\n' "$*" >&2; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }
# note BUILD MEASURE VALUE
note() { echo "$3" >>"$work/results/$1.$2"; }
# median BUILD MEASURE
median() {
    sort -g "$work/results/$1.$2" 2>/dev/null | awk '
        { value[NR] = $1 }
        END { if (NR) print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2 }'
}
field() { grep -o "\"$1\": *[0-9]*" "$2" | head -n 1 | grep -o '[0-9]*$'; }

if [[ -z ${CARGO_CONCAUDIT:-} ]]; then
    say "building the tool"
    cargo build --quiet --release --manifest-path "$root/Cargo.toml"
fi
"$tool" concaudit setup >&2

audit() { "$tool" concaudit --quiet --target-dir "$work/audited" --time-limit 600s "$@" >/dev/null; }
# build NAME [ARGUMENT...]: the tests, by cargo alone.
build() {
    say "building $1"
    cargo test --quiet --locked --no-run --target-dir "$work/$1" "${@:2}" 2>&1 | grep -v Executable >&2 || true
}
# The newest test binary of a name, in a build and (debug, unless told
# otherwise) profile.
binary() { ls -t "$work/$1/${3:-debug}"/deps/"$2"-* | grep -v '\.d$' | head -n 1; }

# measured_by NAME COMMAND...: notes what the test `measure` writes.
measured_by() {
    local output=$work/output
    rm -f "$output"
    # A finding makes it fail; nothing written is what is wrong.
    OVERHEAD_OUTPUT=$output "${@:2}" || [[ -s $output ]]
    while read -r name value; do note "$1" "$name" "$value"; done <"$output"
}
