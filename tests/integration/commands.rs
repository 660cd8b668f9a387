//! What users of cargo and nextest type, and what becomes of what was built.

use std::{os::unix::fs::MetadataExt, path::Path, process::Command, time::Duration};

use crate::support::{Finished, Report, Tool, copy, fixture, wait_until};

const TEST: &str = "commands::all twice_two_is_four\n";
const FLAKY: &str = "the_first_attempt_takes_two_locks_in_both_orders_and_fails";

fn commands() -> Tool {
    Tool::new("commands")
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

fn said(finished: &Finished, what: &str) -> usize {
    finished.stderr.lines().filter(|line| line.contains(what)).count()
}

#[test]
fn a_mistyped_subcommand_is_told_before_anything_is_built() {
    let target = temporary();
    let run = |arguments: &[&str]| {
        let tool = Tool::bare(&fixture("commands")).args(arguments);
        tool.arg("--target-dir").arg(target.path()).run()
    };
    let finished = Tool::bare(&fixture("commands")).args(&["init"]).run();
    finished.assert_code(2);
    finished.assert_says(&[
        "no subcommand `init`",
        "report, diff, merge, rules, explain",
        "concaudit test init",
    ]);
    let finished = Tool::bare(&fixture("commands")).args(&["explian", "lingering-task"]).run();
    finished.assert_code(2);
    finished.assert_says(&["did you mean `cargo concaudit explain`?"]);
    assert!(!fixture("commands").join("target").exists(), "it built something");

    // `twice` is no slip, and `list` is in no test's name, but asked for plainly.
    run(&["test", "--list", "init"]).assert_code(0);
    let finished = run(&["--list", "twice"]);
    finished.assert_code(0);
    assert_eq!(finished.stdout, TEST, "{finished}");
}

#[test]
fn a_word_that_only_other_sources_have_is_told_after_the_build() {
    let folder = temporary();
    copy(&fixture("no-tokio"), folder.path());
    let source = folder.path().join("src/lib.rs");
    let text = fs_err::read_to_string(&source).expect("it was copied");
    fs_err::write(&source, format!("{text}\n// A word that a test might have: explian.\n"))
        .expect("it is a copy");
    let finished = Tool::bare(folder.path()).arg("explian").run();
    finished.assert_code(4);
    finished
        .assert_says(&["no test that is built has it", "did you mean `cargo concaudit explain`"]);
}

#[test]
fn tests_are_built_or_listed_and_not_run() {
    let finished = commands().arg("--no-run").run();
    finished.assert_code(0);
    finished.assert_says(&["Executable commands::all ("]);
    assert_eq!((finished.stdout.as_str(), said(&finished, "Auditing")), ("", 0), "{finished}");

    let finished = commands().args(&["--list"]).run();
    finished.assert_code(0);
    finished.assert_says(&["Listed 2 tests (2 skipped)"]);
    assert!(finished.stdout.ends_with(TEST), "{finished}");
    let finished = commands().args(&["--", "--list"]).run();
    finished.assert_code(2);
    finished.assert_says(&["use `cargo concaudit --list`"]);
}

#[test]
fn cargo_tells_of_the_build_in_its_other_formats() {
    let broken =
        |format: &str| Tool::new("does-not-compile").args(&["--message-format", format]).run();
    let short = broken("short");
    short.assert_code(101);
    short.assert_says(&["src/lib.rs:4:"]);
    assert_eq!(said(&short, " --> "), 0, "{short}");

    let json = commands().args(&["--no-run", "--message-format", "json"]).run();
    json.assert_code(0);
    let messages: Vec<serde_json::Value> = json
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is JSON"))
        .collect();
    assert!(messages.iter().any(|it| it["reason"] == "compiler-artifact"), "{json}");
    assert!(messages.iter().any(|it| it["reason"] == "build-finished"), "{json}");
}

#[test]
fn a_flaky_test_passes_and_what_its_failed_attempt_showed_is_reported() {
    let folder = temporary();
    let run = |retries: &str, name: &str| {
        let finished = commands()
            .args(&["--format", "json", "--fail-on", "note", "--retries", retries, FLAKY])
            .env("COMMANDS_ATTEMPTS", folder.path().join(name))
            .run();
        let report = Report::parse(&finished.stdout);
        (finished, report)
    };
    let (finished, report) = run("1", "one");
    finished.assert_code(1);
    finished.assert_says(&[
        "TRY 1 FAIL",
        "this was the first attempt",
        "flaky: passed at attempt 2",
    ]);
    assert_eq!((report.tests[0].outcome.as_str(), report.tests[0].attempts), ("passed", 2));
    assert_eq!(report.findings.len(), 1, "{finished}");
    assert_eq!(report.findings[0].rule, "lock-order-cycle");
    assert!(report.findings[0].tests[0].ends_with("(attempt 1)"), "{finished}");

    let (finished, report) = run("0", "none");
    finished.assert_code(100);
    finished.assert_says(&["1 of 1 test failed"]);
    assert_eq!(report.tests[0].attempts, 1);
}

#[test]
fn a_failure_ends_the_run_if_it_is_to() {
    let run = |flags: &[&str]| {
        let finished = commands()
            .args(&["--ignored", "--test-threads", "1", "--format", "json"])
            .args(flags)
            .run();
        finished.assert_code(100);
        Report::parse(&finished.stdout).tests.len()
    };
    assert_eq!(run(&["--fail-fast"]), 1);
    assert_eq!(run(&[]), 2);
    assert_eq!(run(&["--fail-fast", "--no-fail-fast"]), 2);
    assert_eq!(run(&["--fail-fast", "--keep-going"]), 2);
}

#[test]
fn a_slow_test_is_told_at_growing_distances() {
    let finished = commands().args(&["--ignored", "--slow-after", "5ms", "half"]).run();
    finished.assert_code(0);
    let count = said(&finished, "SLOW");
    // A hundred times, if at each multiple; at 5, 10, 20, ... ms even if it takes minutes.
    assert!((3..=16).contains(&count), "{count}\n{finished}");
}

#[test]
fn doctests_are_run_if_asked_for_and_else_told_to_whom_it_matters() {
    let told = "doctests of commands: `--doc` runs them, not audited";
    let finished = commands().args(&["--report", "json=/dev/stderr"]).run();
    finished.assert_code(0);
    finished.assert_says(&[told]);
    assert!(!finished.stdout.contains("doctests"), "{finished}");
    let verbose = commands().arg("-v").run();
    assert!(verbose.stdout.contains(told), "{verbose}");
    let whole = commands().arg("--require-coverage").run();
    whole.assert_code(0);

    let finished = commands().arg("--doc").run();
    finished.assert_code(0);
    finished.assert_says(&["by `cargo test --doc`, and not audited", "src/lib.rs - double"]);
    assert!(!finished.stdout.contains("src/lib.rs - double"), "{finished}");
    let finished = commands().arg("--doc").env("COMMANDS_DOCTEST_FAILS", "1").run();
    finished.assert_code(100);
    finished.assert_says(&["error: doctests failed"]);
    commands().args(&["--doc", "--lib"]).run().assert_code(2);
}

#[test]
fn a_target_without_a_probe_is_refused_with_those_that_have_one() {
    for command in
        [&["--target", "wasm32-unknown-unknown"][..], &["setup", "--target", "wasm32-wasip1"]]
    {
        let finished = Tool::bare(&fixture("commands")).args(command).run();
        finished.assert_code(2);
        finished.assert_says(&["target `wasm32-", "Linux on x86-64"]);
    }
    let finished = commands().arg("-j0").run();
    finished.assert_code(2);
    finished.assert_says(&["must not be 0"]);
}

#[test]
fn rules_are_explained_however_they_are_written() {
    let finished = commands_anywhere(&["explain", "Lingering_Task"]);
    finished.assert_code(0);
    assert!(finished.stdout.starts_with("# lingering-task"), "{finished}");
    let finished = commands_anywhere(&["explain", "lock"]);
    finished.assert_code(2);
    finished.assert_says(&["deadlock", "lock-across-await", "lock-order-cycle", "long-held-lock"]);
    assert!(!finished.stderr.contains("there are blocking"), "{finished}");
}

fn commands_anywhere(arguments: &[&str]) -> Finished {
    Tool::bare(Path::new("/")).args(arguments).run()
}

#[test]
fn the_completion_script_serves_cargo_concaudit() {
    let script = commands_anywhere(&["completions", "bash"]);
    script.assert_code(0);
    let complete = |before: &str, words: &str| {
        let bash = format!(
            "{before}\n{}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             complete=$(complete -p cargo); complete=${{complete##*-F }}\n\
             \"${{complete%% *}}\" cargo \"${{COMP_WORDS[COMP_CWORD]}}\" \
             \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[*]}}\"",
            script.stdout
        );
        let output = Command::new("bash").args(["--norc", "-c", &bash]).output().expect("bash");
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    assert_eq!(complete("", "cargo concaudit expl"), "explain\n");
    assert_eq!(complete("", "cargo +nightly concaudit clean --pr"), "--probe\n");
    assert_eq!(complete("", "cargo concaudit --fail-o"), "--fail-on\n");
    let cargos = "_cargo() { COMPREPLY=(\"cargos own\"); }; complete -F _cargo cargo";
    assert_eq!(complete(cargos, "cargo bu"), "cargos own\n");
    assert_eq!(complete(cargos, "cargo concaudit sche"), "schema\n");
    for (shell, part) in
        [("zsh", "compdef _cargo_concaudit_in_cargo cargo"), ("fish", "complete -c cargo ")]
    {
        let script = commands_anywhere(&["completions", shell]);
        assert!(script.stdout.contains(part), "{script}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_printed_and_one_that_can_replaces_the_file() {
    let finished = commands().args(&["--format", "json", "--output", "/dev/full"]).run();
    finished.assert_code(101);
    finished.assert_says(&["failed to write the report to /dev/full"]);
    assert_eq!(Report::parse(&finished.stdout).tests.len(), 2);

    let folder = temporary();
    let (file, link) = (folder.path().join("report.txt"), folder.path().join("old.txt"));
    fs_err::write(&file, "old").expect("a temporary file can be written");
    fs_err::hard_link(&file, &link).expect("and linked");
    let finished = commands().arg("--output").arg(&file).run();
    finished.assert_code(0);
    assert_eq!(fs_err::read_to_string(&link).expect("it is there"), "old");
    assert!(fs_err::read_to_string(&file).expect("it is there").contains("no findings"));
    let mode = |path: &Path| fs_err::metadata(path).expect("it is there").mode();
    assert_eq!(mode(&file), mode(&link), "whoever could read it still can");
    assert_eq!(fs_err::read_dir(folder.path()).expect("ours").count(), 2, "nothing is left");

    let finished = commands().args(&["--format", "json", "--output", "-"]).run();
    finished.assert_code(0);
    assert_eq!(Report::parse(&finished.stdout).tests.len(), 2);
    let finished = commands().args(&["--report", "json=-"]).run();
    finished.assert_code(2);
    finished.assert_says(&["two reports to standard output"]);
}

#[test]
fn a_build_of_nothing_counts_no_crates() {
    let finished = commands().run();
    finished.assert_code(0);
    assert_eq!(said(&finished, "Compiled"), 0, "{finished}");
    let one = commands().arg("twice").run();
    assert!(one.stdout.contains("in 1 test ("), "{one}");
}

#[test]
fn clean_removes_what_it_says_and_old_builds_go_by_themselves() {
    let (project, cache) = (temporary(), temporary());
    copy(&fixture("commands"), project.path());
    let builds = project.path().join("target/concaudit");
    let old = |number: usize| format!("{number:016x}");
    for number in 0..6 {
        fs_err::create_dir_all(builds.join(old(number)).join("debug")).expect("ours");
        // Each is used later than the one before.
        std::thread::sleep(Duration::from_millis(20));
    }
    let locked = |number| {
        let path = builds.join(format!("{}.lock", old(number)));
        let file = fs_err::File::create(path).expect("ours");
        file.lock_shared().expect("nobody has it");
        file.file().set_modified(std::time::UNIX_EPOCH).expect("ours");
        file
    };
    let in_use = locked(1);
    let tool = |arguments: &[&str]| Tool::bare(project.path()).args(arguments);
    let finished = tool(&["--no-run"]).run();
    finished.assert_code(0);
    let left: Vec<usize> = (0..6).filter(|it| builds.join(old(*it)).exists()).collect();
    assert_eq!(left, [1, 3, 4, 5], "three, and one in use\n{finished}");
    assert_eq!(said(&finished, "an instrumented build long unused"), 2, "{finished}");

    let probe = cache.path().join("probe/0123456789abcdef");
    fs_err::create_dir_all(&probe).expect("ours");
    fs_err::write(probe.join("probe.json"), "{}").expect("ours");
    let clean = |arguments: &[&str]| {
        tool(&["clean"]).args(arguments).env("CARGO_CONCAUDIT_CACHE_DIR", cache.path()).run()
    };
    let finished = clean(&[]);
    finished.assert_code(101);
    finished.assert_says(&["another run is using them"]);
    drop(in_use);
    let finished = wait_until("the lock to be free", Duration::from_secs(10), || {
        Some(clean(&[])).filter(|finished| finished.code == 0)
    });
    finished.assert_says(&["target/concaudit (5 instrumented builds)"]);
    assert_eq!(said(&finished, "Removed"), 1, "{finished}");
    assert!(!builds.exists() && project.path().join("target").is_dir() && probe.exists());
    clean(&[]).assert_says(&["already: the project has no instrumented build"]);

    let nowhere =
        || Tool::bare(Path::new("/")).env("CARGO_CONCAUDIT_CACHE_DIR", cache.path()).arg("clean");
    nowhere().run().assert_code(2);
    assert!(probe.exists(), "it was not asked for");
    let finished = nowhere().arg("--probe").run();
    finished.assert_code(0);
    finished.assert_says(&["/probe (1 probe for all projects)"]);
    assert!(!probe.exists());
    clean(&["--all"]).assert_says(&["neither an instrumented build nor a cached probe"]);
}
