//! `concaudit.toml`, and findings that a team has decided to live with.

use crate::support::{
    Project, Report, Suppression,
    project::{LIB, POLL, WATCH},
};

/// `[[allow]]` for the one that the comment is not for.
const ALLOW: &str = "\
[[allow]]
rule = \"leaked-thread\"
site = \"threads::poll\"
reason = \"is about to be replaced\"
owner = \"the pool team\"
until = \"2999-12-31\"
";

#[test]
fn a_comment_suppresses_the_finding_of_its_line_alone() {
    let project = Project::of_threads();
    let (finished, report) = project.run(&[]);
    finished.assert_code(1);
    let watch = report.at("leaked-thread", "src/lib.rs", WATCH);
    let comment = Suppression {
        reason: "it watches for as long as the process lives".to_owned(),
        owner: None,
        until: None,
        file: "src/lib.rs".to_owned(),
        line: WATCH - 1,
    };
    assert_eq!(watch.suppressed, [comment]);
    assert_eq!(report.at("leaked-thread", "src/lib.rs", POLL).suppressed, []);
    let text = project.tool().run();
    text.assert_code(1);
    assert!(text.stdout.contains("1 finding suppressed; -v shows it"), "{text}");
    let (finished, report) = project.run(&["--no-suppress"]);
    finished.assert_code(1);
    assert!(report.findings.iter().all(|finding| finding.suppressed.is_empty()), "{finished}");
}

#[test]
fn an_allow_of_the_settings_suppresses_what_is_at_its_site() {
    let project = Project::of_threads();
    project.write("concaudit.toml", ALLOW);
    let (finished, report) = project.run(&[]);
    finished.assert_code(0);
    let allow = Suppression {
        reason: "is about to be replaced".to_owned(),
        owner: Some("the pool team".to_owned()),
        until: Some("2999-12-31".to_owned()),
        file: "concaudit.toml".to_owned(),
        line: 2,
    };
    assert_eq!(report.at("leaked-thread", "src/lib.rs", POLL).suppressed, [allow]);
    // The same in the manifest.
    let manifest = "[package]\nname = \"threads\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
    let allow = ALLOW.replace("[[allow]]", "[[package.metadata.concaudit.allow]]");
    fs_err::remove_file(project.path().join("concaudit.toml")).expect("it is ours");
    project.write("Cargo.toml", format!("{manifest}{allow}"));
    let (finished, report) = project.run(&[]);
    finished.assert_code(0);
    let suppressed = &report.at("leaked-thread", "src/lib.rs", POLL).suppressed;
    let [allow] = suppressed.as_slice() else { panic!("{suppressed:?}") };
    assert_eq!((&*allow.file, allow.line), ("Cargo.toml", 6));
}

#[test]
fn an_allow_that_is_over_or_has_no_use_is_a_finding_itself() {
    let project = Project::of_threads();
    let over = ALLOW.replace("2999-12-31", "2020-01-31");
    let unused = "[[allow]]\nrule = \"deadlock\"\nsite = \"src/*\"\nreason = \"none\"\n";
    project.write("concaudit.toml", format!("{over}{unused}"));
    let (finished, report) = project.run(&[]);
    finished.assert_code(1);
    assert_eq!(report.at("leaked-thread", "src/lib.rs", POLL).suppressed, []);
    assert_eq!(report.at("expired-allow", "concaudit.toml", 2).severity, "warning");
    assert_eq!(report.at("unused-allow", "concaudit.toml", 8).severity, "note");
    let text = project.tool().run();
    assert!(text.stdout.contains("--> concaudit.toml:2:1"), "{text}");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_settings() {
    let project = Project::of_threads();
    project.write(
        "concaudit.toml",
        "[thresholds]\nwait = \"20ms\"\nlong-hold = \"2s\"\nspawn-storm = 50\n\n[rules]\n\
         leaked-thread = \"deny\"\nlost-waker = \"allow\"\n",
    );
    let told = project
        .tool()
        .args(&["config", "--long-hold", "3s", "--allow", "deadlock"])
        .env("CONCAUDIT_WAIT", "30ms")
        .env("CONCAUDIT_LONG_HOLD", "4s")
        .run();
    told.assert_code(0);
    let lines: Vec<Vec<&str>> =
        told.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [
        ["wait", "30ms", "CONCAUDIT_WAIT"],
        ["long-hold", "3s", "--long-hold"],
        ["spawn-storm", "50", "concaudit.toml:4"],
        ["orphaned", "100ms", "default"],
        ["leaked-thread", "deny", "concaudit.toml:7"],
        ["lost-waker", "allow", "concaudit.toml:8"],
        ["deadlock", "allow", "--allow"],
    ] {
        assert!(lines.iter().any(|told| *told == line), "{line:?}\n{told}");
    }
    let (finished, report) = project.run(&[]);
    finished.assert_code(1);
    assert_eq!(report.at("leaked-thread", "src/lib.rs", POLL).severity, "error");
    let (finished, report) = project.run(&["--warn", "leaked-thread", "--fail-on", "error"]);
    finished.assert_code(0);
    assert_eq!(report.at("leaked-thread", "src/lib.rs", POLL).severity, "warning");
}

#[test]
fn settings_may_be_for_some_tests_only() {
    let project = Project::of_threads();
    let of = |package: &str, test: &str, level: &str| {
        format!(
            "[[override]]\npackage = \"{package}\"\ntest = \"{test}\"\n\
             rules = {{ leaked-thread = \"{level}\" }}\n"
        )
    };
    let severity = |report: &Report| {
        let found = report.findings.iter().find(|it| {
            it.primary().is_some_and(|place| (&*place.file, place.line) == ("src/lib.rs", POLL))
        });
        found.map(|found| found.severity.clone())
    };
    for (text, expected) in [
        (of("thr*", "tests::*", "deny"), Some("error")),
        (of("thr*", "tests::other", "deny"), Some("warning")),
        (of("other", "*", "deny"), Some("warning")),
        (of("*", "*", "allow"), None),
        (of("*", "*", "allow") + &of("*", "tests::both", "deny"), Some("error")),
    ] {
        project.write("concaudit.toml", &text);
        let (_, report) = project.run(&[]);
        assert_eq!(severity(&report).as_deref(), expected, "{text}");
    }
    // The command line has the last word.
    project.write("concaudit.toml", of("*", "*", "allow"));
    let (finished, report) = project.run(&["--deny", "leaked-thread"]);
    finished.assert_code(1);
    assert_eq!(severity(&report).as_deref(), Some("error"));
    let told = project.tool().args(&["config"]).run();
    let line = "package `*`, test `*`: leaked-thread allow (concaudit.toml:2)";
    assert!(told.stdout.contains(line), "{told}");
}

#[test]
fn a_threshold_may_be_for_some_tests_only() {
    let slow = "\
//! A lock that is held for long.

#[cfg(test)]
mod tests {
    fn hold() {
        let lock = std::sync::Mutex::new(());
        let guard = lock.lock().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(guard);
    }

    #[test]
    fn short() {
        hold();
    }

    #[test]
    fn long() {
        hold();
    }
}
";
    let project = Project::with_lib(slow);
    project.write(
        "concaudit.toml",
        "[thresholds]\nlong-hold = \"50ms\"\n\n[[override]]\ntest = \"tests::long\"\n\
         thresholds = { long-hold = \"20s\" }\n",
    );
    let (_, report) = project.run(&["--fail-on", "never"]);
    let tests: Vec<&String> = report.findings.iter().flat_map(|found| &found.tests).collect();
    assert_eq!(tests, ["threads tests::short"], "{:#?}", report.findings);
}

#[test]
fn the_schema_of_the_settings_takes_what_the_tool_takes() {
    let project = Project::of_threads();
    let schema = project.tool().args(&["schema", "settings"]).run();
    schema.assert_code(0);
    let root = env!("CARGO_MANIFEST_DIR");
    let committed = fs_err::read_to_string(format!("{root}/schema/settings.v1.json"));
    assert_eq!(
        committed.expect("it is committed"),
        schema.stdout,
        "stale: `cargo run -- schema settings > schema/settings.v1.json`"
    );
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).expect("it is JSON");
    let schema = jsonschema::validator_for(&schema).expect("it is a schema");
    let is_valid = |text: &str| {
        let value: toml::Value = toml::from_str(text).expect("it is TOML");
        schema.is_valid(&serde_json::to_value(value).expect("it has a form"))
    };
    // The example of the README.
    let readme = fs_err::read_to_string(format!("{root}/README.md")).expect("it is there");
    let example = readme
        .split("```toml\n")
        .find_map(|rest| rest.split("```").next().filter(|text| text.contains("[thresholds]")));
    assert!(is_valid(example.expect("it has one")));
    assert!(is_valid(ALLOW));
    for text in [
        "[threshold]\n",
        "[thresholds]\nwiat = \"1s\"\n",
        "[thresholds]\nwait = 5\n",
        "[rules]\ndeadlock = \"wran\"\n",
        "[[allow]]\nrule = \"deadlock\"\n",
        "[[override]]\nrules = { deadlock = \"warn\" }\n",
    ] {
        assert!(!is_valid(text), "{text}");
    }
}

#[test]
fn settings_that_say_nothing_sensible_are_underlined() {
    let cases: &[(&str, &[&str])] = &[
        ("[threshold]\n", &["concaudit.toml:1:2", "did you mean `thresholds`?"]),
        ("[thresholds]\nwiat = \"1s\"\n", &["concaudit.toml:2:1", "did you mean `wait`?"]),
        (
            "[thresholds]\nwait = 5\n",
            &["concaudit.toml:2:8", "write for example `wait = \"250ms\"`"],
        ),
        ("[rules]\ndeadlok = \"warn\"\n", &["concaudit.toml:2:1", "did you mean `deadlock`?"]),
        ("[rules]\ndeadlock = \"wran\"\n", &["concaudit.toml:2:12", "did you mean `warn`?"]),
        ("[[allow]]\nrule = \"deadlock\"\n", &["concaudit.toml:1:1", "`site` is missing here"]),
        (
            "[[allow]]\nrule = \"deadlock\"\nsite = \"src/*\"\nreason = \"x\"\nuntil = \"soon\"\n",
            &["concaudit.toml:5:9", "write it as 2027-01-31"],
        ),
        (
            "[[override]]\nrules = { deadlock = \"warn\" }\n",
            &["concaudit.toml:1:1", "what is for all tests is in `[thresholds]`"],
        ),
        ("[[override]]\ntest = \"a[\"\n", &["concaudit.toml:2:8", "`a[` is no glob"]),
        ("[rules\n", &["concaudit.toml:1:", "failed to read the settings as TOML"]),
    ];
    let project = Project::of_threads();
    for (text, said) in cases {
        project.write("concaudit.toml", text);
        let finished = project.tool().run();
        finished.assert_code(2);
        finished.assert_says(said);
    }
    project.write("concaudit.toml", [b'#', b'\n', 0xff]);
    let finished = project.tool().run();
    finished.assert_code(2);
    finished.assert_says(&["concaudit.toml", "line 2 is not UTF-8"]);
    fs_err::remove_file(project.path().join("concaudit.toml")).expect("it is ours");
    fs_err::create_dir(project.path().join("concaudit.toml")).expect("it is ours");
    let finished = project.tool().run();
    finished.assert_code(2);
    finished.assert_says(&["concaudit.toml", "it is a folder"]);
}

#[test]
fn a_comment_that_is_not_understood_is_told_before_any_test_runs() {
    let project = Project::of_threads();
    for (comment, said) in [
        ("allow(leaked-thread)", "the reason is missing"),
        ("allow(leaked-thraed) x", "did you mean `leaked-thread`?"),
        ("forgive(leaked-thread) x", "expected `allow(..)`"),
    ] {
        project.write("src/lib.rs", format!("{LIB}\n// concaudit: {comment}\n"));
        let finished = project.tool().run();
        finished.assert_code(2);
        finished.assert_says(&["src/lib.rs:29:", said]);
        assert!(!finished.stderr.contains("PASS"), "{finished}");
    }
}
