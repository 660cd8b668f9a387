//! The verdict.

use std::fmt::Write as _;

use super::{HumanOptions, render::is_shown};
use crate::{
    describe::{counted, duration},
    finding::{Details, Finding, Origin, Severity},
    report::{
        paint::{Paint, sanitize},
        summary::Report,
    },
};

/// Notes of the library's own code that are named where notes are not shown.
const MAX_HIDDEN_NOTES: usize = 5;

/// The verdict in a line, and what was left unsaid in further ones.
pub fn render_summary(report: &Report, options: HumanOptions) -> String {
    let paint = Paint { enabled: options.color };
    let summary = &report.summary;
    let worst = [
        (summary.errors, "error", "errors", Paint::red as fn(Paint, &str) -> String),
        (summary.warnings, "warning", "warnings", Paint::yellow),
    ];
    let found: Vec<String> = worst
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many, color)| color(paint, &counted(count, one, many)))
        .chain((summary.notes > 0).then(|| counted(summary.notes, "note", "notes")))
        .collect();
    let audited = report.tests.iter().any(|test| test.processes > 0);
    let mut text = match &summary.verdict {
        Some(verdict) => paint.red(&sanitize(verdict)),
        None if summary.tests_run == 0 => paint.red("nothing audited: no tests were run"),
        None if !audited => paint.red("nothing audited: no test process was instrumented"),
        None => String::new(),
    };
    if audited {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(&match (found.as_slice(), &summary.verdict) {
            ([], None) => paint.green("no findings"),
            ([], Some(_)) => "no findings".to_owned(),
            _ => found.join(", "),
        });
    }
    if summary.program {
        text.push_str(" in the program");
    } else if summary.tests_run > 0 {
        let _ = write!(text, " in {}", counted(summary.tests_run, "test", "tests"));
    }
    if audited {
        let _ = write!(
            text,
            " ({}, {}{}, {})",
            counted(summary.tasks, "task", "tasks"),
            if summary.threads == 0 {
                String::new()
            } else {
                format!("{}, ", counted(summary.threads, "thread", "threads"))
            },
            counted(summary.locks, "lock", "locks"),
            counted(summary.acquisitions, "acquisition", "acquisitions"),
        );
    }
    if summary.tests_run > 0 {
        let _ = write!(
            text,
            ", {} to build and {} to run",
            duration(summary.build_ms * 1_000_000),
            duration(summary.test_ms * 1_000_000)
        );
    }
    text.push('\n');
    let mut further = |line: String| {
        let _ = writeln!(text, "  {line}");
    };
    if summary.program && summary.tests_failed > 0 {
        further("an audit of a program that fails sees only what it reached".to_owned());
    } else if summary.tests_failed > 0 {
        further("an audit of failing tests sees only what they reached".to_owned());
    }
    if !options.verbose && summary.notes > 0 {
        let notes = counted(summary.notes, "note", "notes");
        further(format!("{notes} not shown; -v shows {}", them(summary.notes)));
        // What is noted of the library's own code is worth a glance.
        let is_worth_it = |finding: &&Finding| {
            finding.severity == Severity::Note
                && (finding.origin == Origin::Library || sleeps_in_async_test(finding))
                && finding.counts()
        };
        for finding in report.findings.iter().filter(is_worth_it).take(MAX_HIDDEN_NOTES) {
            if let Some(place) = finding.locations.first() {
                further(format!("  {} at {}:{}", finding.rule, place.file, place.line));
            }
        }
    }
    if options.verbose && summary.drains > 0 {
        further(format!(
            "held back {} of `block_on` for {} in all, so that tasks could finish",
            counted(summary.drains, "return", "returns"),
            duration(summary.drain_ms * 1_000_000)
        ));
    }
    for (count, what) in
        [(summary.suppressed, "suppressed"), (summary.known, "known from the baseline")]
    {
        if count > 0 {
            let shown =
                if options.verbose { String::new() } else { format!("; -v shows {}", them(count)) };
            further(format!("{} {what}{shown}", counted(count, "finding", "findings")));
        }
    }
    if let Some(rule) = report
        .findings
        .iter()
        .find(|finding| {
            // What is wrong with the settings has no page.
            is_shown(finding, options) && !matches!(finding.details, Details::Allowance { .. })
        })
        .map(|finding| sanitize(&finding.rule))
    {
        let stacks = if options.verbose { "" } else { "; -v shows whole stacks" };
        further(format!("for more about a rule, try `cargo concaudit explain {rule}`{stacks}"));
    }
    text
}

/// Whether it is a `thread::sleep` in the async body of a test whose runtime has other
/// threads: hardly what was meant, and harmless as long as it has them.
fn sleeps_in_async_test(finding: &Finding) -> bool {
    matches!(
        &finding.details,
        Details::BlockingCall { operation, runtime: Some(runtime), .. }
            if operation == "thread::sleep" && runtime == "multi-thread"
    )
}

fn them(count: u64) -> &'static str {
    if count == 1 { "it" } else { "them" }
}
