//! Graphs of published crates build and run under the facades.

use std::{collections::BTreeSet, path::Path, process::Command};

use crate::support::{Report, Tool, scratch};

/// What a graph's lockfile says that a program for this machine is made of:
/// "tokio 1.54.1", procedural macros and build scripts aside.
fn crates(folder: &Path) -> BTreeSet<String> {
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--no-dedupe"])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(folder)
        .output()
        .expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, version)| format!("{name} {}", version.split(' ').next().unwrap_or(version)))
        .collect()
}

/// Audits a graph of at least so many crates: it passes, and each facade was in
/// place everywhere.
fn check(graph: &str, least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graph").join(graph);
    let crates = crates(&folder);
    assert!(crates.len() >= least, "{} crates only: {crates:#?}", crates.len());
    let finished = Tool::bare(&folder)
        .arg("--target-dir")
        .arg(scratch().join("targets").join(format!("graph-{graph}")))
        .args(&["--locked", "--fail-on", "never", "--format", "json"])
        .run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!((report.summary.tests_run, report.summary.tests_failed), (2, 0), "{finished}");

    let coverage = &report.coverage;
    assert_eq!(coverage.losses(), [""; 0], "{finished}");
    let instrumented = |name: &str| coverage.instrumented.iter().any(|it| it == name);
    assert!(instrumented("std"), "{coverage:#?}");
    for name in crates.iter().filter(|it| {
        ["tokio ", "parking_lot ", "dashmap "].iter().any(|prefix| it.starts_with(prefix))
    }) {
        assert!(instrumented(name), "{name} is not instrumented: {coverage:#?}");
    }
}

#[test]
fn a_graph_of_crates_that_lock_builds_under_the_facades() {
    check("part", 60);
}

#[test]
#[ignore = "takes many minutes: tests/graph/run.sh"]
fn the_whole_graph_builds_under_the_facades() {
    check("whole", 250);
}
