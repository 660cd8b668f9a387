//! What keeps the report from being the whole truth.

use std::fmt::Write as _;

use super::{HumanOptions, finding::seen_in, hung};
use crate::{
    describe::{counted, duration, group_digits},
    report::{
        paint::{Paint, sanitize},
        summary::{Coverage, Report, TestOutcome},
    },
};

/// What is not seen of the project's own code: before anything is said of it.
pub fn render_losses(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let mut text = String::new();
    for loss in &report.coverage.first_party_losses {
        let _ = writeln!(text, "{}: not audited: {}", paint.yellow("warning"), sanitize(loss));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// What the tests were about that the user interrupted.
pub fn render_cut_off(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let mut text = String::new();
    for test in report.tests.iter().filter(|test| test.outcome == TestOutcome::Interrupted) {
        let name = sanitize(&test.full_name());
        let _ = write!(
            text,
            "{}: `{name}` was cut off after {}",
            paint.yellow("interrupted"),
            duration(test.duration_ms * 1_000_000)
        );
        for cut_off in &test.cut_off {
            text.push_str(&hung::render(&cut_off.sentence, &cut_off.process, options));
        }
        text.push_str("\n\n");
    }
    text
}

/// What keeps the report from being the whole truth, a line each.
pub fn render_caveats(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let Coverage {
        instrumented: _,
        not_instrumented,
        not_run,
        first_party_losses,
        unaudited_tests,
        truncated_tests,
        truncated_processes,
        dropped_order_edges,
        dropped_stacks,
        dropped_tasks,
        alike_tasks,
        dropped_holds,
        dropped_events,
    } = &report.coverage;
    let mut text = String::new();
    let mut warn = |line: &str| {
        let _ = writeln!(text, "{}: {line}", paint.yellow("warning"));
    };
    if *truncated_processes > 0 {
        let count = counted(*truncated_processes, "process", "processes");
        let of = match truncated_tests.as_slice() {
            [] => String::new(),
            tests => format!(" of {}", seen_in(tests, options.verbose)),
        };
        warn(&format!(
            "{count}{of} ended without a last word (aborted, killed, over its time limit, or `_exit`): what ran or was \
             held at the end is not known"
        ));
    }
    let dropped: Vec<String> = [
        (dropped_stacks, "stack", "stacks"),
        (dropped_tasks, "task", "tasks"),
        (dropped_holds, "lock hold", "lock holds"),
        (dropped_events, "blocking call or guard", "blocking calls or guards"),
    ]
    .into_iter()
    .filter(|(count, ..)| **count > 0)
    .map(|(count, one, many)| counted(*count, one, many))
    .collect();
    if !dropped.is_empty() {
        warn(&format!(
            "{} were left out to bound memory: findings may be missing",
            dropped.join(", ")
        ));
    }
    if *dropped_order_edges > 0 {
        let pairs = counted(*dropped_order_edges, "nesting", "nestings");
        warn(&format!(
            "{pairs} of two locks came after so many others that they were left out to bound \
             memory: a `lock-order-cycle` through one of them is not found"
        ));
    }
    let unheard = unaudited_tests.len() as u64;
    if unheard > 0 && unheard < report.summary.tests_run {
        let verb = if unheard == 1 { "was" } else { "were" };
        warn(&format!(
            "{} of {} {verb} not audited, no process of theirs was heard of: {}",
            group_digits(unheard),
            counted(report.summary.tests_run, "test", "tests"),
            seen_in(unaudited_tests, options.verbose),
        ));
    }
    for what in not_instrumented.iter().filter(|what| !first_party_losses.contains(what)) {
        let _ = writeln!(text, "{}: not audited: {}", paint.bold("note"), sanitize(what));
    }
    if not_instrumented.iter().chain(first_party_losses).any(|what| what.contains("facade")) {
        let _ = writeln!(
            text,
            "{}: a facade is what a crate gets in the place of std or of a crate with locks, so \
             that its locks and threads can be seen",
            paint.bold("note")
        );
    }
    if *alike_tasks > 0 {
        let verb = if *alike_tasks == 1 { "was" } else { "were" };
        let _ = writeln!(
            text,
            "{}: {} that {verb} dropped unfinished {verb} only counted: 1,000 each are told of that \
             were spawned, waited and were dropped in the same places",
            paint.bold("note"),
            counted(*alike_tasks, "task", "tasks"),
        );
    }
    for what in not_run.iter().filter(|_| options.verbose) {
        let _ = writeln!(text, "{}: {}", paint.bold("note"), sanitize(what));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
