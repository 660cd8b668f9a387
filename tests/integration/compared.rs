//! Reports beside each other: `diff` and `merge`.

use serde_json::Value;

use crate::support::{Project, Report, project::LIB};

/// [`LIB`] with a test for each of its threads.
fn two_tests() -> String {
    LIB.replace(
        "    fn both() {\n        super::watch();\n        super::poll();\n    }\n",
        "    fn one() {\n        super::poll();\n    }\n\n    #[test]\n    fn other() {\n        \
         super::watch();\n        super::poll();\n    }\n",
    )
}

fn write_report(project: &Project, name: &str, arguments: &[&str]) {
    let report = format!("json={name}");
    let finished = project.tool().args(&["--report", &report]).args(arguments).run();
    assert!(matches!(finished.code, 0 | 1), "{finished}");
}

#[test]
fn a_comparison_tells_what_is_new_and_what_is_fixed() {
    let project = Project::of_threads();
    write_report(&project, "old.json", &[]);
    project.write(
        "src/lib.rs",
        LIB.replace("pub fn poll()", "pub fn ask()").replace("super::poll()", "super::ask()"),
    );
    write_report(&project, "new.json", &[]);
    let human = project.tool().args(&["diff", "old.json", "new.json"]).run();
    human.assert_code(0);
    insta::assert_snapshot!("diff", human.stdout);
    let markdown =
        project.tool().args(&["diff", "old.json", "new.json", "--format", "markdown"]).run();
    insta::assert_snapshot!("diff_markdown", markdown.stdout);
    let json = project.tool().args(&["diff", "old.json", "new.json", "--format", "json"]).run();
    let json: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(json["new"][0]["rule"], "leaked-thread");
    assert_eq!(json["fixed"][0]["rule"], "leaked-thread");
    let failed = project.tool().args(&["diff", "old.json", "new.json", "--fail-on", "new"]).run();
    failed.assert_code(1);
    let same = project.tool().args(&["diff", "new.json", "new.json", "--fail-on", "new"]).run();
    same.assert_code(0);
    let refused = project.tool().args(&["diff", "old.json", "gone.json"]).run();
    refused.assert_code(2);
    refused.assert_says(&["failed to read the report gone.json"]);
}

#[test]
fn what_could_not_be_seen_again_is_not_fixed() {
    let project = Project::with_lib(&two_tests());
    write_report(&project, "old.json", &[]);
    project.write(
        "src/lib.rs",
        two_tests().replace("fn one()", "fn first()").replace("        super::watch();\n", ""),
    );
    write_report(&project, "new.json", &["first"]);
    let finished = project.tool().args(&["diff", "old.json", "new.json"]).run();
    finished.assert_code(0);
    assert!(finished.stdout.contains("0 fixed"), "{finished}");
}

#[test]
fn shards_joined_are_the_whole_run() {
    let project = Project::with_lib(&two_tests());
    write_report(&project, "whole.json", &[]);
    write_report(&project, "one.json", &["--partition", "count:1/2"]);
    write_report(&project, "other.json", &["--partition", "count:2/2"]);
    let merged =
        project.tool().args(&["merge", "one.json", "other.json", "--format", "json"]).run();
    merged.assert_code(1);
    let (merged, whole) =
        (Report::parse(&merged.stdout), Report::parse(&project.read("whole.json")));
    let told = |report: &Report| {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|it| {
                let suppressed = it.suppressed.len();
                (
                    it.rule.clone(),
                    it.fingerprint.clone(),
                    it.tests.clone(),
                    it.occurrences,
                    suppressed,
                )
            })
            .collect();
        findings
    };
    assert_eq!(told(&merged), told(&whole));
    assert_eq!(merged.summary, whole.summary);
}

#[test]
fn reports_of_two_projects_are_not_joined() {
    let project = Project::of_threads();
    write_report(&project, "one.json", &[]);
    let other = Project::of_threads();
    write_report(&other, "other.json", &[]);
    project.write("other.json", other.read("other.json"));
    let finished = project.tool().args(&["merge", "one.json", "other.json"]).run();
    finished.assert_code(2);
    finished.assert_says(&["failed to merge the reports", "one is of the project"]);
}
