//! Functions that do one wrong thing in more than one way: each has its place and its
//! count.

use std::collections::BTreeSet;

use crate::support::{Finding, Report, Tool, Workspace, error, expectations, silent, warning};

const LIB: &str = "variants/src/lib.rs";

/// The variants, each by a word of its message or of one of its labels, with how often
/// it was seen.
fn told(finding: &Finding, expected: &[(&str, u64)]) -> Result<(), String> {
    let variants = &finding.variants;
    let is_there = |&(word, count): &(&str, u64)| {
        variants.iter().any(|variant| {
            let labels = variant.locations.iter().map(|at| at.label.as_str());
            variant.occurrences == count
                && labels.chain([variant.message.as_str()]).any(|text| text.contains(word))
        })
    };
    let lines: BTreeSet<u32> =
        variants.iter().filter_map(|variant| Some(variant.locations.first()?.line)).collect();
    let total: u64 = variants.iter().map(|variant| variant.occurrences).sum();
    if variants.len() == expected.len()
        && lines.len() == expected.len()
        && expected.iter().all(is_there)
        && total == finding.occurrences
    {
        Ok(())
    } else {
        Err(format!("{expected:?} expected of {variants:#?}"))
    }
}

expectations! { Workspace::Rules, "variants::ways ";
    two_locks_held_across_awaits_of_one_function_are_both_told
        => warning("lock-across-await", LIB, "orders")
            .or(&["prices"])
            .with(|finding| told(finding, &[("lib.rs:23:24", 1), ("lib.rs:23:47", 1)]));
    two_locks_taken_after_the_awaits_are_fine => silent();
    two_panics_of_one_function_are_both_told
        => error("silent-panic", LIB, "stock")
            .or(&["price"])
            .with(|finding| told(finding, &[("out of stock", 2), ("without a price", 1)]));
    what_does_not_panic_is_fine => silent();
    two_channels_waited_for_by_tasks_of_one_function_are_both_told
        => error("lingering-task", LIB, "from-orders")
            .or(&["stopped"])
            .with(|finding| told(finding, &[("an mpsc channel", 1), ("a oneshot channel", 1)]));
    channels_that_are_closed_leave_nothing => silent();
}

/// What is said of each cause, with its file and fingerprint: which of several lines is the
/// worst depends on time.
type Said = BTreeSet<(String, String, String, String, String)>;

fn said(arguments: &[&str]) -> Said {
    const PACKAGES: [&str; 6] = [
        "lock-across-await",
        "lock-order",
        "lost-waker",
        "recursive-lock",
        "silent-panic",
        "variants",
    ];
    const RULES: [&str; 6] = [
        "lingering-task",
        "lock-across-await",
        "lock-order-cycle",
        "lost-waker",
        "recursive-lock",
        "silent-panic",
    ];
    let options = PACKAGES.iter().flat_map(|name| ["-p", name]);
    let options: Vec<&str> =
        options.chain(RULES.iter().flat_map(|rule| ["--rule", rule])).collect();
    let finished = Tool::new("").args(&["--format", "json"]).args(&options).args(arguments).run();
    finished.assert_code(1);
    let report = Report::parse(&finished.stdout);
    // Those of test code are notes, and may be optimised away. The compiler folds functions
    // that are the same but for their names, as those that a macro makes are.
    let is_of_macro = |finding: &Finding| {
        finding.primary().is_some_and(|primary| primary.file.ends_with("ordered.rs"))
    };
    // Where the branches of a `join!` are inlined, two orders of one function may be of one
    // branch: what is an error in a debug build is a note.
    let is_of_branches = |finding: &Finding| finding.fingerprint == "82d21caa6e5e2c12";
    let counts = |finding: &&Finding| {
        finding.severity != "note" && !is_of_macro(finding) && !is_of_branches(finding)
    };
    let say = |finding: &Finding| {
        let file = finding.primary().expect("each has one").file.clone();
        (
            finding.rule.clone(),
            finding.severity.clone(),
            finding.confidence.clone(),
            file,
            finding.fingerprint.clone(),
        )
    };
    report.findings.iter().filter(counts).map(say).collect()
}

/// An optimised build has no frame of a function that ends with a call, short names of
/// functions that were inlined, and addresses that do not tell branches of a future apart.
#[test]
fn the_same_is_said_of_debug_and_release_builds() {
    let debug = said(&[]);
    assert!(debug.len() > 20, "{debug:#?}");
    assert_eq!(debug, said(&["--release"]));
}

#[test]
fn a_person_sees_each_with_its_line_and_its_count() {
    let test = "two_panics_of_one_function_are_both_told";
    let finished = Tool::new("").args(&["-p", "variants", "--exact", test]).run();
    finished.assert_code(1);
    for line in [
        "3 times in all:",
        "2 at variants/src/lib.rs:48, as told above",
        "1 at variants/src/lib.rs:49: task spawned by `variants::check` panicked (without a price)",
    ] {
        assert!(finished.stdout.contains(line), "{line}\n{finished}");
    }
}
