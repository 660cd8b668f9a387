//! Options, exit codes and bad input.

use std::{os::unix::fs::PermissionsExt, path::Path, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{
    Report, Tool, Tree, Workspace, copy, fixture, process_is_alive, scratch, wait_until,
};

const TWIN: &str = "a_client_whose_drop_closes_the_channel_leaves_nothing";
const BUG: &str = "a_client_whose_task_holds_its_own_sender_leaves_that_task";
const REAPER: &str = "a_reaper_on_a_timer_of_thirty_seconds_is_a_warning";
const HANGING: &str = "a_hanging_test_runs_into_its_time_limit";
const INTERRUPTED: &str = "targets/interrupted";
const FORGOTTEN: &str = "tests::a_unit_test_that_forgets_its_own_task_is_only_noted";

/// Selects whole names in `fixtures/`. A binary without harness has none, and
/// runs whatever is asked for, as under cargo test: its package is left out.
fn exactly(names: &[&str]) -> Tool {
    Tool::new("").args(&["--workspace", "--exclude", "surroundings", "--exact"]).args(names)
}

/// The names of the tests that were run.
fn names(report: &Report) -> Vec<&str> {
    report.tests.iter().map(|test| test.name.as_str()).collect()
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

#[test]
fn clean_tests_are_exit_code_0() {
    let finished = exactly(&[TWIN]).args(&["--format", "json"]).run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert!(report.findings.is_empty() && report.summary.tests_run > 0, "{finished}");
}

#[test]
fn fail_on_is_the_least_severity_that_counts() {
    for (test, fail_on, code) in [
        (FORGOTTEN, "warning", 0),
        (FORGOTTEN, "note", 1),
        (REAPER, "warning", 1),
        (REAPER, "error", 0),
        (BUG, "error", 1),
        (BUG, "never", 0),
    ] {
        exactly(&[test]).args(&["--fail-on", fail_on]).run().assert_code(code);
    }
}

#[test]
fn usage_errors_are_exit_code_2() {
    for arguments in [
        &["--no-such-option"][..],
        &["--fail-on", "catastrophe"],
        &["--format", "smoke-signals"],
        &["--time-limit", "soon"],
        &["--output", "/no/such/folder/report.json"],
    ] {
        let finished = Tool::new("").args(arguments).run();
        finished.assert_code(2);
        finished.assert_says(&["error:", arguments.last().expect("there is one")]);
    }
}

#[test]
fn nothing_to_audit_is_exit_code_4() {
    // The report's last line says so, and nothing beside it.
    let says_so = "nothing was audited: ";
    let finished = exactly(&["no_test_has_this_name"]).run();
    finished.assert_code(4);
    assert!(finished.stdout.contains(says_so), "{finished}");
    assert!(!finished.stderr.contains(says_so), "{finished}");

    let finished = Tool::new("").args(&["-p", "no-such-package"]).run();
    finished.assert_code(4);
    finished.assert_says(&["no-such-package"]);

    let finished = Tool::new("no-tests").run();
    finished.assert_code(4);
    assert!(finished.stdout.contains(says_so), "{finished}");
}

#[test]
fn a_project_without_tokio_is_audited_unless_only_tokio_is_asked_for() {
    let finished = Tool::new("no-tokio").args(&["--format", "json"]).run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.tests[0].processes, 1, "{finished}");
    assert_eq!(report.coverage.instrumented, ["std"]);

    let finished = Tool::new("no-tokio").args(&["--locks", "tokio", "--format", "json"]).run();
    finished.assert_code(4);
    finished.assert_says(&["nothing was audited"]);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.summary.tests_run, 1, "its test was run all the same");
    let missing = report.coverage.not_instrumented;
    assert!(missing.iter().any(|what| what.contains("std: left out by `--locks`")), "{missing:?}");
}

#[test]
fn a_project_that_does_not_compile_is_cargos_diagnostics_and_exit_code_101() {
    let finished = Tool::new("does-not-compile").run();
    finished.assert_code(101);
    finished.assert_says(&["E0277", "src/lib.rs:4"]);
    // Of the library and of its tests: not once more without the facades.
    let count = finished.stderr.matches("error[E0277]").count();
    assert!((1..=2).contains(&count), "{finished}");
    assert!(!finished.stderr.contains("facade"), "{finished}");
}

#[test]
fn a_folder_without_a_project_is_exit_code_2() {
    let folder = temporary();
    let finished = Tool::bare(folder.path()).run();
    finished.assert_code(2);
    finished.assert_says(&["Cargo.toml", "--manifest-path"]);

    let finished = Tool::bare(folder.path()).args(&["--manifest-path", "no/Cargo.toml"]).run();
    finished.assert_code(2);
    finished.assert_says(&["no/Cargo.toml"]);
}

#[test]
fn json_is_all_that_standard_output_gets() {
    let finished = exactly(&[BUG]).args(&["--format", "json"]).run();
    finished.assert_code(1);
    let report = Report::parse(&finished.stdout);
    assert_eq!(names(&report), [BUG]);
    assert_eq!(report.findings.len(), 1);
}

#[test]
fn reports_go_where_they_are_asked_to() {
    let folder = temporary();
    let (text, json) = (folder.path().join("report.txt"), folder.path().join("report.json"));
    let finished = exactly(&[BUG])
        .arg("--output")
        .arg(&text)
        .arg("--report")
        .arg(format!("json={}", json.display()))
        .run();
    finished.assert_code(1);
    assert_eq!(finished.stdout, "");
    let text = fs_err::read_to_string(text).expect("it was written");
    assert!(text.contains("lingering-task") && !text.contains('\u{1b}'), "{text}");
    let report = Report::parse(&fs_err::read_to_string(json).expect("it was written"));
    assert_eq!(report.findings.len(), 1);
}

#[test]
fn the_text_report_is_what_a_person_wants() {
    let finished = exactly(&[
        TWIN,
        BUG,
        REAPER,
        "two_locks_taken_in_both_orders_are_a_cycle",
        "a_lock_held_across_a_fetch_starves_its_reader",
    ])
    .args(&["--exclude", "blocking-call", "--exclude", "leaked", "--exclude", "lock-across-await"])
    .args(&["--exclude", "recursive-lock", "--exclude", "thread-locks"])
    .args(&["--exclude", "blocking-poll", "--exclude", "lost-waker", "--exclude", "orphaned-task"])
    .args(&["--exclude", "silent-panic", "--exclude", "spawn-storm"])
    .run();
    finished.assert_code(1);
    let filters = [
        // Other crates take locks of their own, and not always as many.
        (r"\d+ locks, \d+ acquisitions", "[number] locks, [number] acquisitions"),
        // Durations, the ids of tasks and threads, hashes, addresses.
        (r"\b(\d+ min )?\d+(\.\d+)? ?(ns|µs|us|ms|s|min)\b", "[duration]"),
        // A crowded machine.
        (r"\n *= note: \[duration\] in which the process got no CPU are not counted", ""),
        (r"\b(task|thread) \d+", "$1 [id]"),
        (r"\b[0-9a-f]{16,}\b", "[hash]"),
        (r"(tokio-\d+\.\d+\.\d+/[^\s:]*):\d+(:\d+)?", "$1:[line]"),
    ];
    insta::with_settings!({ filters => filters, omit_expression => true }, {
        insta::assert_snapshot!(finished.stdout);
    });
}

#[test]
fn tests_are_selected_as_cargo_test_does() {
    let run = |arguments: &[&str]| {
        let finished = Tool::new("behaviour").args(&["--format", "json"]).args(arguments).run();
        Report::parse(&finished.stdout)
    };
    let report = run(&["well_behaved"]);
    assert_eq!(names(&report), ["a_well_behaved_test_passes"]);
    assert_eq!(report.summary.tests_skipped, 17);

    let report = run(&["a_test_that_leaves", "well_behaved", "--skip", "leaves"]);
    assert_eq!(names(&report), ["a_well_behaved_test_passes"]);

    let report = run(&["--exact", "well_behaved"]);
    assert_eq!(names(&report), [""; 0]);

    let report = run(&["--ignored"]);
    assert_eq!(names(&report), ["an_ignored_test_runs_when_it_is_asked_for"]);

    let report = run(&["--include-ignored", "asked_for", "well_behaved"]);
    assert_eq!(
        names(&report),
        ["a_well_behaved_test_passes", "an_ignored_test_runs_when_it_is_asked_for"]
    );

    let report = run(&["--", "--exact", "a_well_behaved_test_passes"]);
    assert_eq!(names(&report), ["a_well_behaved_test_passes"]);

    let report = run(&["--test-threads", "1", "well_behaved", "--", "--skip", "leaves"]);
    assert_eq!(names(&report), ["a_well_behaved_test_passes"]);
}

#[test]
fn a_package_is_selected_by_option_folder_or_manifest() {
    let bug = "a_bug_of_the_other_member_is_blamed_on_it";
    let target = scratch().join("targets/all");
    let by_option = Tool::new("").args(&["-p", "app"]);
    let by_folder = Tool::bare(&fixture("members/app/src")).arg("--target-dir").arg(&target);
    let by_manifest = Tool::bare(Path::new("/"))
        .arg("--target-dir")
        .arg(&target)
        .arg("--manifest-path")
        .arg(fixture("members/app/Cargo.toml"));
    for tool in [by_option, by_folder, by_manifest] {
        let finished = tool.args(&["--format", "json"]).run();
        finished.assert_code(1);
        let report = Report::parse(&finished.stdout);
        assert_eq!(names(&report), [bug]);
        let at = report.findings[0].primary().expect("somebody is to blame");
        assert_eq!(at.file, "members/engine/src/lib.rs", "relative to the workspace");
    }
}

#[test]
fn an_interrupted_run_reports_what_ran() {
    let folder = temporary();
    let file = folder.path().join("report.json");
    // By a path of its own, so that its process is told from another test's.
    let target = scratch().join(INTERRUPTED);
    let running = Tool::bare(&fixture("behaviour"))
        .args(&["--exact", "--test-threads", "1", "--format", "json", "--output"])
        .arg(&file)
        .args(&["a_well_behaved_test_passes", "a_hanging_test_runs_into_its_time_limit"])
        .args(&["--target-dir"])
        .arg(target)
        .start();
    wait_until("the hanging test to run", Duration::from_secs(300), || {
        process_is_alive(INTERRUPTED, HANGING).then_some(())
    });
    let pid = Pid::from_raw(running.pid().try_into().expect("a process id"));
    kill(pid, Signal::SIGINT).expect("the tool runs");
    let finished = running.wait();
    finished.assert_code(100);
    assert!(finished.elapsed < Duration::from_secs(290), "{finished}");
    let report = Report::parse(&fs_err::read_to_string(&file).expect("it was written"));
    assert!(report.summary.interrupted);
    let hanging = report
        .tests
        .iter()
        .find(|test| test.name == "a_hanging_test_runs_into_its_time_limit")
        .expect("it ran");
    assert_eq!(hanging.outcome, "interrupted");
    assert!(!process_is_alive(INTERRUPTED, HANGING), "the test outlived the run");
}

#[test]
fn a_cache_that_cannot_be_written_is_told_with_a_way_out() {
    let folder = temporary();
    let file = folder.path().join("occupied");
    fs_err::write(&file, "a file").expect("a temporary file can be written");
    let finished =
        Tool::new("old-tokio").env("CARGO_CONCAUDIT_CACHE_DIR", file.join("cache")).run();
    finished.assert_code(101);
    finished.assert_says(&["occupied", "CARGO_CONCAUDIT_CACHE_DIR"]);
}

#[test]
fn the_probe_cannot_be_built_offline_without_its_crates_and_says_so() {
    let (home, cache) = (temporary(), temporary());
    let finished = Tool::bare(home.path())
        .args(&["setup", "--offline"])
        .env("CARGO_HOME", home.path())
        .env("CARGO_CONCAUDIT_CACHE_DIR", cache.path())
        .run();
    finished.assert_code(101);
    finished.assert_says(&["offline", "cargo concaudit setup"]);
}

/// Without a cached probe, and with its crates at hand.
#[test]
fn two_runs_at_once_share_the_build_of_the_probe() {
    let (project, cache) = (temporary(), temporary());
    copy(&fixture("old-tokio"), project.path());
    let start = |arguments: &[&str]| {
        Tool::bare(project.path())
            .args(arguments)
            .env("CARGO_CONCAUDIT_CACHE_DIR", cache.path())
            .start()
    };
    let runs = [
        start(&["setup"]),
        start(&["--exact", "two_locks_taken_in_one_order_are_fine"]),
        start(&["--exact", "two_locks_taken_in_both_orders_are_a_cycle"]),
    ];
    for (run, code) in runs.into_iter().zip([0, 0, 1]) {
        run.wait().assert_code(code);
    }
    let finished = Tool::bare(project.path())
        .args(&["setup", "--offline"])
        .env("CARGO_CONCAUDIT_CACHE_DIR", cache.path())
        .run();
    finished.assert_code(0);
    assert!(finished.elapsed < Duration::from_secs(20), "it was built again\n{finished}");

    // A file of the size that it had, and with something else in it.
    let probes = fs_err::read_dir(cache.path().join("probe")).expect("it was built");
    let folder = probes.flatten().map(|entry| entry.path().join("deps")).find(|it| it.is_dir());
    let object = folder.expect("it is complete").join("concaudit_server.o");
    let mut content = fs_err::read(&object).expect("it is linked");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs_err::write(&object, &content).expect("the cache is ours");
    let finished = Tool::bare(project.path())
        .args(&["setup", "--offline"])
        .env("CARGO_CONCAUDIT_CACHE_DIR", cache.path())
        .run();
    finished.assert_code(0);
    finished.assert_says(&["Building the probe"]);
    assert!(fs_err::read(&object).expect("it is there again") != content, "it is as it was");
}

#[test]
fn a_project_is_left_as_it_was_and_a_wrapper_of_the_user_is_kept() {
    let folder = temporary();
    let project = folder.path().join("project");
    copy(&fixture("old-tokio"), &project);
    let (wrapper, log) = (folder.path().join("wrapper"), folder.path().join("log"));
    let script = format!("#!/bin/sh\necho \"$*\" >> '{}'\nexec \"$@\"\n", log.display());
    fs_err::write(&wrapper, script).expect("a temporary file can be written");
    fs_err::set_permissions(&wrapper, PermissionsExt::from_mode(0o755)).expect("it is ours");

    let before = Tree::of(&project);
    let finished =
        Tool::bare(&project).args(&["--skip", "joins"]).env("RUSTC_WRAPPER", &wrapper).run();
    finished.assert_code(1);
    assert_eq!(before, Tree::of(&project));
    assert!(!project.join("target/debug").exists(), "target/debug is the user's");
    assert!(project.join("target/concaudit").is_dir(), "the instrumented build is beside it");
    let log = fs_err::read_to_string(log).expect("the user's wrapper was run");
    assert!(
        log.contains("--crate-name tokio ") && log.contains("--crate-name old_tokio "),
        "{log}"
    );

    // The others are still using the cache that they share.
    let cache = folder.path().join("cache");
    let finished = Tool::bare(&project).arg("clean").env("CARGO_CONCAUDIT_CACHE_DIR", &cache).run();
    finished.assert_code(0);
    assert!(!project.join("target/concaudit").exists(), "it was not cleaned");
    assert_eq!(before, Tree::of(&project));
}

#[test]
fn a_read_only_project_is_audited_into_another_target_directory() {
    let folder = temporary();
    let project = folder.path().join("project");
    copy(&fixture("old-tokio"), &project);
    let set_mode = |mode| {
        for path in [project.join("src"), project.join("tests"), project.clone()] {
            fs_err::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is ours");
        }
    };
    set_mode(0o555);
    if fs_err::write(project.join("probe"), "").is_ok() {
        set_mode(0o755);
        eprintln!("skipped: this user may write into read-only folders");
        return;
    }
    let target = scratch().join("targets/read-only");
    let finished = Tool::bare(&project).arg("--target-dir").arg(target).run();
    let without = Tool::bare(&project).run();
    set_mode(0o755);
    finished.assert_code(1);
    without.assert_code(101);
    without.assert_says(&["--target-dir"]);
}

#[test]
fn the_tool_explains_itself() {
    let here = scratch();
    fs_err::create_dir_all(&here).expect("a scratch folder can be made");
    let schema = Tool::bare(&here).arg("schema").run();
    schema.assert_code(0);
    serde_json::from_str::<serde_json::Value>(&schema.stdout).expect("the schema is JSON");
    for rule in ["lingering-task", "long-held-lock", "lock-order-cycle"] {
        let page = Tool::bare(&here).args(&["explain", rule]).run();
        page.assert_code(0);
        assert!(page.stdout.contains(rule), "{page}");
    }
    Tool::bare(&here).args(&["explain", "no-such-rule"]).run().assert_code(2);
}

#[test]
fn progress_goes_to_standard_error_without_control_characters() {
    let finished = &Workspace::Rules.audit().finished;
    assert_eq!(finished.stdout, "");
    assert!(!finished.stderr.contains('\u{1b}') && !finished.stderr.contains('\r'), "{finished}");
}
