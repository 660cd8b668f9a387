//! Reports in every format, of a run and of a report in JSON.

use serde_json::Value;

use crate::support::{
    Finished, Project,
    project::{LIB, POLL},
};

const FORMATS: [(&str, &str); 8] = [
    ("html", "<span class=\"where\">src/lib.rs:11</span>"),
    ("sarif", "\"version\": \"2.1.0\""),
    ("junit", "<failure message=\"warning: thread spawned by `threads::poll`"),
    ("github", "::warning file=src/lib.rs,line=11,col=5,title=leaked-thread::"),
    ("gitlab", "\"check_name\": \"leaked-thread\""),
    ("markdown", "| warning | `leaked-thread` | `src/lib.rs:11` |"),
    ("compiler-message", "\"reason\":\"compiler-message\""),
    ("openmetrics", "rule=\"leaked-thread\",severity=\"warning\",state=\"open\"} 1"),
];

/// A project with a report of it in JSON.
fn audited() -> Project {
    let project = Project::of_threads();
    project.tool().args(&["--report", "json=report.json"]).run().assert_code(1);
    project
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_format_is_written_beside_the_report() {
    let project = Project::of_threads();
    let arguments: Vec<String> = FORMATS
        .iter()
        .flat_map(|(format, _)| ["--report".to_owned(), format!("{format}=report.{format}")])
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let finished = project.tool().args(&arguments).run();
    finished.assert_code(1);
    assert!(finished.stdout.contains("warning[leaked-thread]"), "{finished}");
    for (format, said) in FORMATS {
        let text = project.read(&format!("report.{format}"));
        assert!(text.contains(said), "{format}: {text}");
    }
}

#[test]
fn a_report_in_json_is_rendered_like_the_run_itself() {
    let project = Project::of_threads();
    let run = project.tool().args(&["--report", "json=report.json"]).run();
    run.assert_code(1);
    let again = project.tool().args(&["report", "report.json"]).run();
    again.assert_code(1);
    assert_eq!(again.stdout, run.stdout);
    for (format, said) in FORMATS {
        let finished = project.tool().args(&["report", "report.json", "--format", format]).run();
        finished.assert_code(1);
        assert!(finished.stdout.contains(said), "{format}: {finished}");
    }
    let finished = project.tool().args(&["report", "report.json", "--format", "json"]).run();
    assert_eq!(json(&finished.stdout), json(&project.read("report.json")));
    let finished = project.tool().args(&["report", "report.json", "--fail-on", "error"]).run();
    finished.assert_code(0);
}

#[test]
fn a_job_of_github_actions_is_annotated_and_summarised() {
    let project = Project::of_threads();
    project.write("summary.md", "before\n");
    let summary = project.path().join("summary.md");
    let finished = project
        .tool()
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", summary.to_str().expect("it is UTF-8"))
        .run();
    finished.assert_code(1);
    let annotation = "::warning file=src/lib.rs,line=11,col=5,title=leaked-thread::";
    assert!(finished.stderr.lines().any(|line| line.starts_with(annotation)), "{finished}");
    assert!(!finished.stdout.contains("::warning"), "{finished}");
    let text = project.read("summary.md");
    assert!(text.starts_with("before\n### cargo concaudit: 1 warning"), "{text}");
    // Where it cannot be written the report is what it was.
    let finished = project
        .tool()
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", project.path().to_str().expect("it is UTF-8"))
        .run();
    finished.assert_code(1);
    finished.assert_says(&["failed to add to the summary of the job"]);
}

#[test]
fn an_editor_reads_findings_among_the_messages_of_cargo() {
    let project = Project::of_threads();
    let finished = project.tool().args(&["--message-format", "json"]).run();
    finished.assert_code(1);
    let messages: Vec<Value> = finished.stdout.lines().map(json).collect();
    let is_ours = |message: &&Value| message["message"]["code"]["code"] == "leaked-thread";
    let ours = messages.iter().find(is_ours).unwrap_or_else(|| panic!("{finished}"));
    let span = &ours["message"]["spans"][0];
    assert_eq!((&span["file_name"], &span["line_start"]), (&"src/lib.rs".into(), &POLL.into()));
    let (start, end) = (span["byte_start"].as_u64(), span["byte_end"].as_u64());
    let meant = &LIB[start.expect("a number") as usize..end.expect("a number") as usize];
    assert_eq!(meant, "std::thread::spawn(rest)");
}

#[test]
fn what_is_no_report_is_refused() {
    let project = audited();
    let refused = |file: &str, said: &[&str]| -> Finished {
        let finished = project.tool().args(&["report", file]).run();
        finished.assert_code(2);
        finished.assert_says(&[&format!("failed to read the report {file}")]);
        finished.assert_says(said);
        finished
    };
    let whole = project.read("report.json");
    project.write("cut.json", &whole[..whole.len() / 2]);
    refused("cut.json", &["it is no JSON report of cargo-concaudit", "EOF while parsing"]);
    project.write("other.json", "{\"schema_version\": 7}");
    refused("other.json", &["it is of version 7 of the format and this tool knows 1"]);
    project.write("package.json", "{\"name\": \"x\"}");
    refused("package.json", &["it is no JSON report of cargo-concaudit"]);
    project.write("binary.json", [0xff, 0xfe]);
    refused("binary.json", &["utf-8"]);
    refused("missing.json", &["No such file"]);
    refused(".", &["it is a folder"]);
    project.write("deep.json", "[".repeat(1 << 20));
    refused("deep.json", &["it is no JSON report of cargo-concaudit"]);
}
