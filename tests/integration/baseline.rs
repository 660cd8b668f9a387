//! `--baseline`: what was known does not fail the run.

use crate::support::{
    Project,
    project::{LIB, POLL},
};

const FILE: &str = "known.toml";

/// Audits it beside its baseline.
const BASELINE: &[&str] = &["--baseline", FILE];
const UPDATE: &[&str] = &["--baseline", FILE, "--update-baseline"];

#[test]
fn what_is_known_does_not_fail_and_what_is_new_does() {
    let project = Project::of_threads();
    let (finished, report) = project.run(UPDATE);
    finished.assert_code(0);
    finished.assert_says(&["known.toml has 1 known finding: 1 added, 0 found again, 0 mended"]);
    let known = report.at("leaked-thread", "src/lib.rs", POLL);
    assert_eq!(known.baseline.as_deref(), Some("known"));

    let text = project.tool().args(BASELINE).run();
    text.assert_code(0);
    assert!(text.stdout.contains("1 finding known from the baseline; -v shows it"), "{text}");
    assert!(!text.stdout.contains("leaked-thread"), "{text}");

    project.write(
        "src/lib.rs",
        LIB.replace("fn rest()", "pub fn new() {\n    std::thread::spawn(rest);\n}\n\nfn rest()")
            .replace("super::poll();", "super::poll();\n        super::new();"),
    );
    let (finished, report) = project.run(BASELINE);
    finished.assert_code(1);
    let new = report.at("leaked-thread", "src/lib.rs", POLL + 4);
    assert_eq!(new.baseline.as_deref(), Some("new"));
    assert_eq!(report.findings.len(), 3);
}

#[test]
fn an_update_keeps_reasons_and_removes_what_is_mended() {
    let project = Project::of_threads();
    project.run(UPDATE).0.assert_code(0);
    insta::assert_snapshot!("baseline", project.read(FILE));
    let reason = "reason = \"it is replaced next month\"";
    project.write(FILE, project.read(FILE).replace("reason = \"\"", reason));
    // Only one rule is asked: nothing is known of the others.
    project.run(&[UPDATE, &["--rule", "deadlock"]].concat()).0.assert_code(0);
    project.run(UPDATE).0.assert_code(0);
    assert!(project.read(FILE).contains(reason), "{}", project.read(FILE));

    project.write("src/lib.rs", LIB.replace("        super::poll();\n", ""));
    let finished = project.tool().args(BASELINE).run();
    finished.assert_code(0);
    finished.assert_says(&["1 known finding not found any more; `--update-baseline` removes it"]);
    let finished = project.tool().args(UPDATE).run();
    finished.assert_code(0);
    finished.assert_says(&[
        "known.toml has 0 known findings: 0 added, 0 found again, 1 mended",
        "leaked-thread at src/lib.rs threads::poll",
    ]);
    assert!(!project.read(FILE).contains("[[finding]]"), "{}", project.read(FILE));
}

#[test]
fn what_is_allowed_need_not_be_known() {
    let project = Project::of_threads();
    project.run(UPDATE).0.assert_code(0);
    project.write(
        "concaudit.toml",
        "[[allow]]\nrule = \"leaked-thread\"\nsite = \"threads::poll\"\nreason = \"it stays\"\n",
    );
    let finished = project.tool().args(UPDATE).run();
    finished.assert_code(0);
    finished.assert_says(&["1 removed that the settings or a comment allow, 0 mended"]);
}

#[test]
fn a_finding_that_has_become_worse_is_new() {
    let project = Project::of_threads();
    project.run(UPDATE).0.assert_code(0);
    let (finished, report) = project.run(&[BASELINE, &["--deny", "leaked-thread"]].concat());
    finished.assert_code(1);
    let worse = report.at("leaked-thread", "src/lib.rs", POLL);
    assert_eq!((worse.severity.as_str(), worse.baseline.as_deref()), ("error", Some("new")));
}

#[test]
fn a_fingerprint_survives_what_does_not_change_the_bug() {
    let project = Project::of_threads();
    let fingerprint = |project: &Project| {
        let (_, report) = project.run(&["--no-suppress"]);
        let of_poll = |place: &str| place.ends_with("::poll");
        let found =
            report.findings.iter().find(|it| it.primary().is_some_and(|it| of_poll(&it.function)));
        found.unwrap_or_else(|| panic!("{:#?}", report.findings)).fingerprint.clone()
    };
    let before = fingerprint(&project);
    for (what, text) in [
        ("lines that moved", LIB.replacen("//! Threads.\n", "//! Threads.\n\n\n\n", 1)),
        (
            "reformatting",
            LIB.replacen(
                "pub fn poll() {\n    std::thread::spawn(rest);\n",
                "pub fn poll() {\n    std::thread::spawn(\n        rest,\n    );\n",
                1,
            ),
        ),
        (
            "a local with another name",
            LIB.replacen(
                "pub fn poll() {\n    std::thread::spawn(rest);\n",
                "pub fn poll() {\n    let body = rest;\n    std::thread::spawn(body);\n",
                1,
            ),
        ),
        (
            "tests in another order",
            LIB.replacen(
                "        super::watch();\n        super::poll();\n",
                "        super::poll();\n    }\n\n    #[test]\n    fn another() {\n        super::watch();\n",
                1,
            ),
        ),
    ] {
        assert_ne!(text, LIB, "{what}");
        project.write("src/lib.rs", text);
        assert_eq!(fingerprint(&project), before, "{what}");
    }
    // Another folder, as on another machine.
    assert_eq!(fingerprint(&Project::of_threads()), before);
}

#[test]
fn a_baseline_that_cannot_be_read_is_told_before_the_build() {
    let project = Project::of_threads();
    let refused = |said: &[&str]| {
        let finished = project.tool().args(BASELINE).run();
        finished.assert_code(2);
        finished.assert_says(said);
        assert!(!finished.stderr.contains("Compiling"), "{finished}");
    };
    refused(&["failed to read the baseline known.toml", "write it with `--update-baseline`"]);
    for (text, said) in [
        ("version = 7\n", "this tool knows version 1"),
        ("version = 1\n\n[[finding]]\nrule = \"leaked-thr", "known.toml:4"),
        ("version = 1\n\n[[finding]]\nrule = \"deadlock\"\n", "missing field"),
    ] {
        project.write(FILE, text);
        refused(&[said]);
    }
    project.write(FILE, [b'#', 0xff]);
    refused(&["failed to read the baseline known.toml", "utf-8"]);
    fs_err::remove_file(project.path().join(FILE)).expect("it is ours");
    fs_err::create_dir(project.path().join(FILE)).expect("it is ours");
    refused(&["it is a folder"]);
    let finished = project.tool().args(&["--baseline", "a", "--baseline", "b"]).run();
    finished.assert_code(2);
    let finished = project.tool().args(&["--update-baseline"]).run();
    finished.assert_code(2);
    finished.assert_says(&["--baseline <FILE>"]);
}
