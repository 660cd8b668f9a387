#!/usr/bin/env bash
# The test suites of published crates, plain and audited: every test must end alike.
#
#   benches/real.sh                      the default set
#   benches/real.sh NAME[@VERSION][:FEATURES] ...
#
# FEATURES is a comma-separated list, or `*` for all. Each crate is resolved by
# a scratch project that depends on it; its package is copied from where cargo
# keeps it, so that what is tested is what was published. Prints a line per
# crate: tests, those that ended differently, wall time and build time of both,
# and findings by rule. The whole reports stay in $REAL_WORK/reports. Ends with
# 1 where a test ended differently.
#
# Needs cargo, bash, jq and GNU date. A test that a plain run fails as well is
# no difference; ignored ones are left out. REAL_JOBS limits cargo's
# jobs, REAL_FLAGS is given to the audit (`--locks tokio`, say), REAL_REBUILD=1
# forgets earlier builds.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=${REAL_WORK:-$root/target/real}
read -ra flags <<<"${REAL_FLAGS:-}"
jobs=()
[[ -z ${REAL_JOBS:-} ]] || jobs=(-j "$REAL_JOBS")

crates=("$@")
((${#crates[@]})) || crates=(
    dashmap moka:sync,future crossbeam-channel crossbeam-utils parking_lot
    lock_api tokio-util:full tokio-stream:full deadpool:managed,unmanaged,rt_tokio_1
    r2d2 rayon-core scheduled-thread-pool flume once_cell arc-swap threadpool
)

unset RUSTFLAGS CARGO_TARGET_DIR
mkdir -p "$work"/{reports,packages,resolve/src}
touch "$work/resolve/src/lib.rs"

say() { printf '%s\n' "$*" >&2; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

if [[ -n ${CARGO_CONCAUDIT:-} ]]; then
    tool=$CARGO_CONCAUDIT
else
    say "building the tool"
    cargo build --quiet --release --manifest-path "$root/Cargo.toml" "${jobs[@]}"
    tool=$root/target/release/cargo-concaudit
fi
"$tool" concaudit setup >&2

# package NAME VERSION: a writable copy of the published package, its own workspace.
package() {
    local to=$work/packages/$1 manifest
    [[ ! -f $to/Cargo.toml ]] || return 0
    printf '[package]\nname = "resolve"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n%s = "%s"\n[workspace]\n' \
        "$1" "$2" >"$work/resolve/Cargo.toml"
    rm -f "$work/resolve/Cargo.lock"
    manifest=$(cargo metadata --quiet --format-version 1 --manifest-path "$work/resolve/Cargo.toml" |
        jq -r --arg name "$1" '.resolve as $resolve
            | ($resolve.nodes[] | select(.id == $resolve.root) | .dependencies[0]) as $id
            | .packages[] | select(.id == $id) | .manifest_path')
    rm -rf "$to.part"
    cp -r "$(dirname "$manifest")" "$to.part"
    chmod -R u+w "$to.part"
    # How its author builds is not what is compared.
    rm -rf "$to.part"/{rust-toolchain,rust-toolchain.toml,.cargo}
    # In a published manifest a [workspace] table is rare, and never of use here.
    grep -q '^\[workspace\]' "$to.part/Cargo.toml" || printf '\n[workspace]\n' >>"$to.part/Cargo.toml"
    mv "$to.part" "$to"
}

# From what libtest prints, a sorted list of "BINARY NAME OUTCOME". Tests that
# are expected to panic have a suffix that is not a part of their name. A
# test's own output may tear a line: the outcome then starts a later line.
outcomes() {
    awk '
        /^ +Running / {
            target = $0; sub(/.*\(/, "", target); sub(/-[0-9a-f]+\)$/, "", target); sub(/.*\//, "", target)
            torn = ""
        }
        /^test [^ ]+( - should panic)? \.\.\. / {
            name = $2
            rest = $0; sub(/^test [^ ]+( - should panic)? \.\.\. /, "", rest)
            if (rest ~ /^ignored/) next
            if (rest ~ /^(ok|FAILED)/) { split(rest, word, /[, ]/); print target, name, word[1] }
            else torn = name
            next
        }
        torn != "" && /(ok|FAILED)$/ { print target, torn, ($0 ~ /ok$/ ? "ok" : "FAILED"); torn = "" }
    ' "$1" | sort
}

differing=0
printf '%-24s %6s %6s %6s  %-17s  %-17s  %s\n' \
    crate tests failed differ "tests (s)" "build (s)" findings
for crate in "${crates[@]}"; do
    features=()
    [[ $crate != *:* ]] || case ${crate#*:} in
        '*') features=(--all-features) ;;
        *) features=(--features "${crate#*:}") ;;
    esac
    name=${crate%%:*}
    version='*'
    [[ $name != *@* ]] || { version="=${name#*@}" && name=${name%%@*}; }
    say "$crate"
    cd "$work"
    package "$name" "$version" || { printf '%-24s does not resolve\n' "$name"; continue; }
    [[ -z ${REAL_REBUILD:-} ]] || rm -rf "$work/packages/$name/target"
    out=$work/reports/$name
    cd "$work/packages/$name"

    start=$(now_ms)
    if ! cargo test --quiet --lib --tests --no-run "${jobs[@]}" "${features[@]}" >"$out.plain-build" 2>&1; then
        printf '%-24s does not build plain (%s)\n' "$name" "$out.plain-build"
        continue
    fi
    plain_build=$(($(now_ms) - start))
    start=$(now_ms)
    cargo test --lib --tests --no-fail-fast "${jobs[@]}" "${features[@]}" >"$out.plain" 2>&1 || true
    plain=$(($(now_ms) - start))
    outcomes "$out.plain" >"$out.plain-outcomes"

    status=0
    # A slow test is slow plain, too.
    "$tool" concaudit --lib --tests --time-limit 600s "${jobs[@]}" "${features[@]}" "${flags[@]}" -v --color never \
        --report json="$out.json" >"$out.txt" 2>"$out.err" || status=$?
    if [[ ! -s $out.json ]] || ((status == 101 || status == 2)); then
        printf '%-24s audit ended with %s (%s)\n' "$name" "$status" "$out.err"
        differing=1
        continue
    fi
    jq -r '.tests[] | [.binary, .name,
            (if .outcome == "passed" then "ok" else "FAILED" end)] | join(" ")' \
        "$out.json" | sort >"$out.audited-outcomes"
    # A binary is called by package and target there, by target here: names alone are compared.
    diff <(cut -d' ' -f2- "$out.plain-outcomes" | sort) \
        <(cut -d' ' -f2- "$out.audited-outcomes" | sort) >"$out.diff" || differing=1
    printf '%-24s %6s %6s %6s  %7s / %7s  %7s / %7s  %s\n' "$name" \
        "$(wc -l <"$out.audited-outcomes")" \
        "$(grep -c 'FAILED$' "$out.audited-outcomes" || true)" \
        "$(grep -c '^>' "$out.diff" || true)" \
        "$(awk "BEGIN { printf \"%.2f\", $plain / 1000 }")" \
        "$(jq -r '.summary.test_ms / 1000 * 100 | round / 100' "$out.json")" \
        "$(awk "BEGIN { printf \"%.1f\", $plain_build / 1000 }")" \
        "$(jq -r '.summary.build_ms / 1000 * 10 | round / 10' "$out.json")" \
        "$(jq -r '[.findings[] | .severity + " " + .rule] | group_by(.) | map("\(length) \(.[0])") | join(", ")' "$out.json")"
done
exit "$differing"
