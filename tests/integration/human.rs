//! The report as a person reads it.

use std::path::Path;

use crate::support::{Finished, Report, Tool, scratch};

/// Lines that a terminal shows without scrolling, with two findings in it.
const LINES: usize = 60;

/// The audit of the README's example.
fn example() -> Tool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/feed");
    Tool::bare(&folder).arg("--target-dir").arg(scratch().join("targets").join("feed"))
}

fn example_report() -> Finished {
    let finished = example().run();
    finished.assert_code(1);
    finished
}

#[test]
fn the_report_of_the_example_has_at_most_sixty_lines() {
    let finished = example_report();
    let lines = finished.stdout.lines().count();
    assert!((20..=LINES).contains(&lines), "{lines} lines\n{finished}");
}

#[test]
fn the_readme_shows_the_headlines_that_are_printed() {
    let readme = include_str!("../../README.md");
    let finished = example_report();
    let headlines: Vec<&str> =
        finished.stdout.lines().filter(|line| line.starts_with("error[")).collect();
    assert_eq!(headlines.len(), 2, "{finished}");
    for headline in headlines {
        assert!(readme.lines().any(|line| line == headline), "the README lacks: {headline}");
    }
}

#[test]
fn what_is_seldom_needed_is_shown_by_v_and_kept_in_json() {
    let brief = example_report();
    let verbose = example().arg("-v").run();
    let json = example().args(&["--format", "json"]).run();
    let report = Report::parse(&json.stdout);
    for minor in ["can still wake it", "idle for ", "it waits for data on an mpsc channel"] {
        assert!(!brief.stdout.contains(minor), "{minor}\n{brief}");
        assert!(verbose.stdout.contains(minor), "{minor}\n{verbose}");
        let has = |notes: &[String]| notes.iter().any(|note| note.contains(minor));
        assert!(report.findings.iter().any(|found| has(&found.minor_notes)), "{minor}\n{json}");
        assert!(!report.findings.iter().any(|found| has(&found.notes)), "{minor}\n{json}");
    }
    // Each wait once: what a label says is in no stack and no note.
    let wait = "waits for data on a TCP stream";
    assert_eq!(brief.stdout.matches(wait).count(), 1, "{brief}");
    // And in full for those who ask.
    let frame = "tokio::sync::mpsc::unbounded::UnboundedReceiver<T>::recv";
    assert!(!brief.stdout.contains(frame) && verbose.stdout.contains(frame), "{verbose}");
}
