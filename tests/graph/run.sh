#!/usr/bin/env bash
# Builds `whole`, a graph of more than 250 published crates, under the facades,
# runs its tests, and fails if one of the facades had to be left out anywhere.
#
#   tests/graph/run.sh
#
# `cargo test` does the same with `part`, which is of a size that it has time for.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo test --locked --test integration -- \
    --ignored --exact --nocapture graph::the_whole_graph_builds_under_the_facades
