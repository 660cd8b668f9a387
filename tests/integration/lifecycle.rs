//! From the start of a run to its end, whatever that is.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nix::{
    pty::openpty,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Finished, Report, Tool, fixture, process_is_alive, scratch, wait_until};

const LIMIT: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(20);

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// The fixture, with sockets in the temporary folder alone.
fn tool(temporary: &Path) -> Tool {
    Tool::new("lifecycle").env("TMPDIR", temporary).env("XDG_RUNTIME_DIR", "/no/such/folder")
}

fn pid(running: u32) -> Pid {
    Pid::from_raw(running.try_into().expect("a process id"))
}

/// The processes that this one has started, by their names.
fn children_of(parent: u32) -> Vec<(u32, String)> {
    let processes = fs_err::read_dir("/proc").expect("there is one on Linux");
    let ids = processes.flatten().filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let status = |pid: u32| fs_err::read_to_string(format!("/proc/{pid}/status")).ok();
    ids.filter(|pid| status(*pid).is_some_and(|it| it.contains(&format!("\nPPid:\t{parent}\n"))))
        .map(|pid| {
            let line = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            (pid, String::from_utf8_lossy(&line).into_owned())
        })
        .collect()
}

fn folders_of_runs(temporary: &Path) -> usize {
    let entries = fs_err::read_dir(temporary).expect("it is ours");
    entries
        .flatten()
        .filter(|it| it.file_name().to_string_lossy().starts_with("concaudit-"))
        .count()
}

#[test]
fn a_test_that_empties_the_temporary_folder_keeps_nobody_from_being_audited() {
    let folder = temporary();
    fs_err::write(folder.path().join("to-be-emptied"), "").expect("it is ours");
    let finished = tool(folder.path())
        .args(&["--test", "temporary", "--test-threads", "1", "--format", "json"])
        .run();
    let report = Report::parse(&finished.stdout);
    assert!(report.tests.iter().all(|test| test.processes > 0), "{finished}");
    let leaked: Vec<_> = report.findings.iter().filter(|it| it.rule == "leaked-thread").collect();
    let [leaked] = &leaked[..] else { panic!("{finished}") };
    let seen = ["b_a_later_test", "c_another_one"];
    assert!(
        seen.iter().all(|test| leaked.tests.iter().any(|name| name.contains(test))),
        "{finished}"
    );
    let child = report.tests.iter().find(|test| test.name.starts_with("c_")).expect("it ran");
    assert_eq!(child.processes, 2, "{finished}");
    finished.assert_code(1);
}

const GOES_ON: &str = "a_test_with_descendants_goes_on";
/// Of the sleeping processes that it has started.
const SLEEPERS: [&str; 2] = ["600.0625", "601.0625"];

/// Starts the test that goes on, kills the tool, and waits for the end of all that is
/// left. Returns how many folders of sockets there are still.
fn killed(with_guard: bool) -> usize {
    let folder = temporary();
    // By a path of its own, so that its process is told from another test's.
    let target = "targets/killed";
    let running = Tool::bare(&fixture("lifecycle"))
        .env("TMPDIR", folder.path())
        .env("XDG_RUNTIME_DIR", "/no/such/folder")
        .arg("--target-dir")
        .arg(scratch().join(target))
        .args(&["--test", "ends", "--exact", GOES_ON, "--time-limit", "0s"])
        .start();
    let is_alive = |what: &str| process_is_alive("sleep", what);
    wait_until("the test to go on", LIMIT, || {
        (process_is_alive(target, GOES_ON) && SLEEPERS.iter().all(|it| is_alive(it))).then_some(())
    });
    let guard = children_of(running.pid()).into_iter().find(|(_, it)| it.contains("-guard"));
    let (guard, _) = guard.expect("the run is guarded");
    if !with_guard {
        kill(pid(guard), Signal::SIGKILL).expect("it is there");
    }
    kill(pid(running.pid()), Signal::SIGKILL).expect("the tool runs");
    running.wait().assert_code(-1);
    wait_until("the test to be gone", SOON, || {
        // Without the guard, what has left the group and speaks to nobody lives on.
        let sleepers = if with_guard { &SLEEPERS[..] } else { &SLEEPERS[..1] };
        let is_gone = !process_is_alive(target, GOES_ON) && !sleepers.iter().any(|it| is_alive(it));
        is_gone.then_some(())
    });
    if with_guard {
        wait_until("the guard to be gone", SOON, || {
            (!Path::new(&format!("/proc/{guard}")).exists()).then_some(())
        });
        return folders_of_runs(folder.path());
    }
    for (pid, _) in processes_named("601.0625") {
        kill(pid, Signal::SIGKILL).expect("it is ours");
    }
    assert_eq!(folders_of_runs(folder.path()), 1, "nobody was left to remove it");
    // The next run does.
    tool(folder.path())
        .args(&["--test", "silence", "--exact", "a_test_that_is_heard_passes"])
        .run();
    folders_of_runs(folder.path())
}

fn processes_named(argument: &str) -> Vec<(Pid, String)> {
    let processes = fs_err::read_dir("/proc").expect("there is one on Linux");
    let ids = processes.flatten().filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let line = fs_err::read(format!("/proc/{id}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.starts_with("sleep ") && line.contains(argument)).then_some((pid(id), line))
    })
    .collect()
}

/// One after the other: they look for processes by what these were started with.
#[test]
fn whoever_kills_the_tool_ends_its_tests_with_all_that_they_have_started() {
    assert_eq!(killed(true), 0, "the guard removes the folder");
    assert_eq!(killed(false), 0, "the next run removes the folder");
}

const HEARD: &str = "a_test_that_is_heard_passes";
const UNHEARD: &str = "a_test_that_is_not_heard_passes";
const LEAVES: &str = "a_test_that_leaves_in_the_middle_passes";

/// Through a runner that has one of the tests not audited.
fn partly(folder: &Path, arguments: &[&str]) -> Finished {
    let runner = folder.join("runner");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *{UNHEARD}*) unset __CARGO_CONCAUDIT_REGISTRY;; esac\nexec \"$@\"\n"
    );
    fs_err::write(&runner, script).expect("it is ours");
    fs_err::set_permissions(&runner, PermissionsExt::from_mode(0o755)).expect("it is ours");
    tool(folder)
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", &runner)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", &runner)
        .args(&["--test", "silence", "--exact"])
        .args(arguments)
        .run()
}

#[test]
fn a_passed_test_that_sent_nothing_is_named_and_no_clean_run() {
    let folder = temporary();
    let finished = partly(folder.path(), &[HEARD, UNHEARD]);
    finished.assert_code(4);
    let last = finished.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("not all was audited: 1 test passed without a word"), "{finished}");
    assert!(
        finished.stdout.contains(&format!("heard of: lifecycle::silence {UNHEARD}")),
        "{finished}"
    );
    assert!(!finished.stderr.contains("error:"), "one verdict, not two\n{finished}");

    let finished =
        partly(folder.path(), &[HEARD, UNHEARD, "--allow-unaudited", "--format", "json"]);
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.coverage.unaudited_tests, [format!("lifecycle::silence {UNHEARD}")]);
    assert_eq!(report.summary.verdict, None);
}

#[test]
fn coverage_that_is_required_is_that_of_every_test_to_its_end() {
    let folder = temporary();
    partly(folder.path(), &[HEARD, "--require-coverage"]).assert_code(0);
    let finished = partly(folder.path(), &[HEARD, LEAVES, "--format", "json"]);
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.coverage.truncated_tests, [format!("lifecycle::silence {LEAVES}")]);
    let finished = partly(folder.path(), &[HEARD, LEAVES, "--require-coverage"]);
    finished.assert_code(4);
    assert!(finished.stdout.contains("1 process ended without a last word"), "{finished}");
}

#[test]
fn a_process_that_has_left_its_family_is_noted() {
    let folder = temporary();
    let finished = tool(folder.path())
        .args(&["--test", "ends", "--exact", "--format", "json"])
        .args(&[
            "a_daemon_of_a_test_that_passes_goes_on",
            "a_helper_that_ends_with_its_test_is_fine",
        ])
        .run();
    finished.assert_code(0);
    let report = Report::parse(&finished.stdout);
    let [left] = &report.findings[..] else { panic!("one finding\n{finished}") };
    assert_eq!((left.rule.as_str(), left.severity.as_str()), ("leaked-handle", "note"));
    assert!(left.message.contains("`sleep 20.125`"), "{finished}");
    assert_eq!(left.tests, ["lifecycle::ends a_daemon_of_a_test_that_passes_goes_on"]);
    let daemons = processes_named("20.125");
    assert_eq!(daemons.len(), 1, "it was ended, and its test had passed\n{finished}");
    for (pid, _) in daemons {
        kill(pid, Signal::SIGKILL).expect("it is ours");
    }
}

#[test]
fn a_process_that_has_left_its_family_ends_with_a_test_that_is_ended() {
    let folder = temporary();
    let finished = tool(folder.path())
        .args(&["--test", "ends", "--time-limit", "4s", "--format", "json"])
        .args(&["--exact", "a_daemon_of_a_test_that_hangs_is_ended"])
        .run();
    finished.assert_code(100);
    let report = Report::parse(&finished.stdout);
    let left = &report.tests[0].left_processes;
    assert!(left.len() == 1 && left[0].command == "sleep 600.1875" && left[0].ended, "{finished}");
    assert_eq!(processes_named("600.1875"), []);
}

const OVER: &str = "a_finding_of_a_test_that_is_over_is_kept";
const WAITS: &str = "b_a_test_waits_for_ever";
const NEXT: &str = "c_a_test_sleeps_while_it_is_stopped";

/// Interrupts once a test is said to be slow: then it has come to where it stays.
fn interrupted(tool: Tool) -> Finished {
    let running = tool
        .args(&["--test", "interrupted", "--slow-after", "2s", "--on-deadlock", "wait"])
        .start();
    wait_until("a slow test", LIMIT, || running.stderr().contains("SLOW").then_some(()));
    kill(pid(running.pid()), Signal::SIGINT).expect("the tool runs");
    running.wait()
}

#[test]
fn an_interrupted_run_tells_what_it_found_and_what_the_tests_waited_for() {
    let folder = temporary();
    let text = folder.path().join("report.txt");
    let finished = interrupted(
        tool(folder.path())
            .args(&["--test-threads", "1", "--exact", OVER, WAITS, NEXT, "--format", "json"])
            .arg("--report")
            .arg(format!("human={}", text.display())),
    );
    finished.assert_code(100);
    let report = Report::parse(&finished.stdout);
    assert_eq!((report.summary.tests_cut_off, report.summary.tests_not_started), (1, 1));
    assert!(report.findings.iter().any(|it| it.rule == "leaked-thread"), "{finished}");
    let waits = report.tests.iter().find(|test| test.name == WAITS).expect("it ran");
    assert_eq!(waits.outcome, "interrupted");
    assert!(waits.cut_off[0].sentence.contains("tests/interrupted.rs:15"), "{finished}");
    let text = fs_err::read_to_string(text).expect("it was written");
    let said = [
        format!("interrupted: `lifecycle::interrupted {WAITS}` was cut off after"),
        "who waits for whom:".to_owned(),
        "interrupted: 1 test ran to the end, 1 was cut off, 1 was not started".to_owned(),
    ];
    assert!(said.iter().all(|said| text.contains(said)), "{text}");
}

#[test]
fn a_test_that_is_kept_for_a_console_alone_keeps_its_outcome() {
    let folder = temporary();
    let finished =
        interrupted(tool(folder.path()).args(&["--console", "--exact", OVER, "--format", "json"]));
    finished.assert_code(100);
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.tests[0].outcome, "passed", "{finished}");
    assert!(!report.tests[0].truncated, "{finished}");
    assert!(report.findings.iter().any(|it| it.rule == "leaked-thread"), "{finished}");
}

/// Audits a test with much to tell at its end.
fn many(test: &str) -> Report {
    let finished =
        Tool::new("lifecycle").args(&["--test", "many", "--exact", test, "--format", "json"]).run();
    let report = Report::parse(&finished.stdout);
    assert_eq!(report.tests[0].outcome, "passed", "{finished}");
    assert!(!report.tests[0].truncated, "it had the time for a last word\n{finished}");
    assert_eq!(report.coverage.truncated_tests, [""; 0]);
    report
}

#[test]
fn a_test_with_a_host_of_tasks_has_its_last_word() {
    let report = many("a_host_of_tasks_is_left");
    assert_eq!(report.summary.tasks, 200_000);
    // Each is like the others.
    assert_eq!(report.coverage.alike_tasks, 199_000, "what was cut is said");
    assert_eq!(report.coverage.dropped_tasks, 0);
    assert_eq!(report.findings.iter().map(|found| found.occurrences).max(), Some(1000));
}

#[test]
fn a_test_with_a_host_of_locks_has_its_last_word() {
    for (test, locks) in [
        ("a_host_of_locks_is_held_by_a_task", 100_000),
        ("a_million_locks_of_a_thread_are_left", 1_000_000),
    ] {
        assert!(many(test).summary.locks >= locks, "{test}");
    }
}

/// A run of one test that waits for ever, told of as slow once it does.
fn waiting(folder: &Path, report: &Path) -> Tool {
    tool(folder)
        .args(&["--test", "interrupted", "--slow-after", "2s", "--on-deadlock", "wait"])
        .args(&["--exact", WAITS, "--format", "json", "--output"])
        .arg(report)
}

/// Whether whoever started this had us ignore hangups (`nohup`), as the tool then does.
fn hangups_are_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").expect("the system tells");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("it has one");
    let is_ignored = u64::from_str_radix(mask.trim(), 16).expect("it is a mask") & 1 == 1;
    if is_ignored {
        eprintln!("skipped: hangups are ignored here");
    }
    is_ignored
}

#[test]
fn a_hangup_is_an_interruption() {
    if hangups_are_ignored() {
        return;
    }
    let folder = temporary();
    let file = folder.path().join("report.json");
    let running = waiting(folder.path(), &file).start();
    wait_until("a slow test", LIMIT, || running.stderr().contains("SLOW").then_some(()));
    kill(pid(running.pid()), Signal::SIGHUP).expect("the tool runs");
    running.wait().assert_code(100);
    let report = Report::parse(&fs_err::read_to_string(file).expect("it was written"));
    assert!(report.summary.interrupted && report.tests[0].cut_off.len() == 1);
}

#[test]
fn a_terminal_that_is_closed_takes_no_report_with_it() {
    if hangups_are_ignored() {
        return;
    }
    let folder = temporary();
    let file = folder.path().join("report.json");
    let terminal = openpty(None, None).expect("there are terminals");
    // The copy is closed when a process begins to run something else; openpty's is not.
    #[expect(clippy::disallowed_types, reason = "a terminal has no path that an error could name")]
    let mut window = std::fs::File::from(terminal.master.try_clone().expect("it is ours"));
    drop(terminal.master);
    let mut child = waiting(folder.path(), &file).start_in_terminal(&terminal.slave);
    drop(terminal.slave);
    // Somebody reads what is shown, until the window is closed.
    let mut shown = String::new();
    let mut chunk = [0; 4096];
    while !shown.contains("SLOW") {
        let read = std::io::Read::read(&mut window, &mut chunk).expect("the tool goes on");
        shown.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    drop(window);
    let status = wait_until("the tool to end", SOON, || child.try_wait().expect("it is ours"));
    assert_eq!(status.code(), Some(100), "{shown}");
    let report = Report::parse(&fs_err::read_to_string(file).expect("it was written"));
    assert!(report.summary.interrupted, "{shown}");
}

/// A disk of its own, with room for so much.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// `None` where this user may not have one.
    fn of(size: &str) -> Option<Self> {
        let folder = temporary();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={size}"))
            .arg("tmpfs")
            .arg(folder.path())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        eprintln!("skipped: this user may not mount a small disk");
        None
    }

    /// One on which nothing fits any more.
    fn full() -> Option<Self> {
        let disk = Self::of("16k")?;
        // As much as there is room for.
        let _ = fs_err::write(disk.path().join("fill"), vec![0; 64 * 1024]);
        Some(disk)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
    }
}

#[test]
fn a_full_disk_is_told_and_what_needs_none_goes_on() {
    let Some(full) = Disk::full() else { return };
    let folder = temporary();
    let heard = ["--test", "silence", "--exact", HEARD];
    // With room for the compiler.
    tool(folder.path()).args(&heard).run().assert_code(0);

    // For a report: the other one is written.
    let other = folder.path().join("other.json");
    let finished = tool(folder.path())
        .args(&heard)
        .arg("--output")
        .arg(full.path().join("report.txt"))
        .arg("--report")
        .arg(format!("json={}", other.display()))
        .run();
    finished.assert_code(101);
    finished.assert_says(&["report.txt"]);
    let report = Report::parse(&fs_err::read_to_string(other).expect("it was written"));
    assert_eq!(report.tests[0].outcome, "passed");

    // For sockets: they need none.
    let finished = tool(&full.path()).args(&heard).args(&["--format", "json"]).run();
    finished.assert_code(0);
    assert_eq!(Report::parse(&finished.stdout).tests[0].processes, 1, "{finished}");

    // For the probe and for the build.
    let finished = tool(folder.path())
        .args(&heard)
        .env("CARGO_CONCAUDIT_CACHE_DIR", full.path().join("cache"))
        .run();
    finished.assert_code(101);
    finished.assert_says(&["CARGO_CONCAUDIT_CACHE_DIR", "o space left on device"]);
    let finished = Tool::bare(&fixture("lifecycle"))
        .args(&heard)
        .arg("--target-dir")
        .arg(full.path().join("target"))
        .run();
    finished.assert_code(101);
    finished.assert_says(&["o space left on device"]);
}

#[test]
fn a_limit_of_a_files_size_is_told_like_a_full_disk() {
    let folder = temporary();
    let file = folder.path().join("report.json");
    let heard = ["--test", "silence", "--exact", HEARD];
    tool(folder.path()).args(&heard).run().assert_code(0);
    let limited = tool(folder.path())
        .args(&heard)
        .args(&["--format", "json", "--output"])
        .arg(&file)
        .after("ulimit -f 2")
        .run();
    limited.assert_code(101);
    limited.assert_says(&["report.json", "File too large"]);
    assert!(!file.exists(), "half a report is none");
    // It is printed, where nothing is lost.
    assert_eq!(Report::parse(&limited.stdout).tests[0].outcome, "passed", "{limited}");
}

/// What a test has put in the place of its own binary, which cargo takes for it.
fn remove_impostors(folder: &Path) {
    let size = fs_err::metadata("/bin/true").expect("there is one").len();
    for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_binary = || entry.file_name().to_string_lossy().starts_with("gone-");
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => remove_impostors(&path),
            Ok(metadata) if metadata.len() == size && is_binary() => {
                fs_err::remove_file(path).expect("it is ours");
            }
            _ => {}
        }
    }
}

/// One at a time, since it is one binary.
fn of_a_binary_that_goes(temporary: &Path, test: &str) -> Report {
    static BINARY: Mutex<()> = Mutex::new(());
    let _one = BINARY.lock().unwrap_or_else(PoisonError::into_inner);
    let target = scratch().join("targets").join("lifecycle");
    remove_impostors(&target);
    let finished =
        tool(temporary).args(&["--test", "gone", "--exact", test, "--format", "json"]).run();
    remove_impostors(&target);
    Report::parse(&finished.stdout)
}

#[test]
fn a_test_binary_that_is_removed_during_the_run_keeps_its_findings() {
    keeps_its_findings("a_test_removes_its_own_binary");
}

#[test]
fn a_test_binary_that_is_replaced_during_the_run_keeps_its_findings() {
    keeps_its_findings("a_test_replaces_its_own_binary");
}

fn keeps_its_findings(test: &str) {
    let folder = temporary();
    let report = of_a_binary_that_goes(folder.path(), test);
    let [leaked] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(leaked.rule, "leaked-thread");
    let line = "BUG: leaked-thread (left-behind)";
    let source = fs_err::read_to_string(fixture("lifecycle").join("src/lib.rs")).expect("it is");
    let line = source.lines().position(|it| it.contains(line)).expect("it is marked") + 2;
    assert!(leaked.shows("src/lib.rs", line as u32), "{leaked:?}");
}

#[test]
fn code_of_a_file_that_is_gone_is_named_among_what_was_not_audited() {
    let folder = temporary();
    let report = of_a_binary_that_goes(folder.path(), "a_test_runs_a_copy_and_removes_it");
    let gone = |it: &&String| it.contains("copied-binary: the file was removed or replaced");
    let gone: Vec<_> = report.coverage.not_instrumented.iter().filter(gone).collect();
    assert_eq!(gone.len(), 1, "{:?}", report.coverage.not_instrumented);
}
