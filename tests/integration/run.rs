//! `run`: a program is built, run and audited, and behaves as it does plainly.

use std::{
    io::{Read, Write},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use fs_err as fs;
use nix::{
    pty::openpty,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::support::{Report, Running, Tool, fixture, process_is_alive, wait_until};

/// Long enough for a build on a machine with much else to do.
const LONG: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(20);

/// `run` in the folder of the programs, with these arguments before what the kept target
/// directory needs.
fn run(arguments: &[&str]) -> Tool {
    let target = crate::support::scratch().join("targets/programs");
    Tool::bare(&fixture("programs")).arg("run").arg("--target-dir").arg(target).args(arguments)
}

fn running(arguments: &[&str]) -> Running {
    let running = run(arguments).start();
    wait_until("the program", LONG, || running.stdout().contains("ready").then_some(()));
    running
}

/// The line below a marker.
fn marker(file: &Path, name: &str) -> u32 {
    let text = fs::read_to_string(file).expect("it is there");
    let line = text.lines().position(|line| line.contains(name)).expect("it has the marker");
    u32::try_from(line + 2).expect("it is a line")
}

fn signal(running: &Running, signal: Signal) {
    kill(Pid::from_raw(running.pid().cast_signed()), signal).expect("it runs");
}

#[test]
fn arguments_streams_folder_and_exit_code_are_the_programs() {
    let input = tempfile::NamedTempFile::new().expect("it can be made");
    input.as_file().write_all(b"0\n").expect("it can be written");
    let from = |text: &str| {
        fs::write(input.path(), text).expect("it can be written");
        let file = input.reopen().expect("it is there");
        run(&["--bin", "echo", "--", "a", "b c", "--bin"]).stdin(Stdio::from(file)).run()
    };
    let finished = from("0\n");
    finished.assert_code(0);
    finished.assert_says(&["to standard error"]);
    let begin = "arguments: [\"a\", \"b c\", \"--bin\"]\nfolder: programs\npackage: programs\n\
                 input: 0\nno findings in the program";
    assert!(finished.stdout.starts_with(begin), "{finished}");

    // One that fails by itself is what a failed test is.
    let finished = from("3\n");
    finished.assert_code(100);
    assert!(finished.stdout.contains("the program failed with exit code 3"), "{finished}");
}

#[test]
fn which_program_is_meant_is_told_or_asked() {
    let finished = run(&["--example", "once"]).run();
    finished.assert_code(0);
    assert!(finished.stdout.starts_with("once\n"), "{finished}");

    for (arguments, said) in [
        (&[][..], "there are `counts-signals`, `deaf`, `echo`, `leaky`"),
        (&[], "name one with `--bin NAME`"),
        (&["--bin", "servise"], "failed to find the binary `servise`; did you mean `service`?"),
        (&["--example", "twice"], "failed to find the example `twice`"),
        (&["--bin", "echo", "--example", "once"], "cannot be used with"),
        (&["--bin", "echo", "--for", "0s"], "longer than nothing"),
    ] {
        let finished = run(arguments).run();
        finished.assert_code(2);
        finished.assert_says(&[said]);
    }
    let finished = Tool::bare(&fixture("no-tokio")).arg("run").run();
    finished.assert_code(2);
    finished.assert_says(&["has no binary", "`--example NAME`"]);
}

#[test]
fn findings_are_reported_when_the_program_has_ended() {
    let file = tempfile::NamedTempFile::new().expect("it can be made");
    let json = format!("json={}", file.path().display());
    let finished = run(&["--bin", "shop", "--report", &json]).run();
    finished.assert_code(1);
    assert!(finished.stdout.starts_with("sold\nwarning[lock-order-cycle]"), "{finished}");
    let report = Report::parse(&fs::read_to_string(file.path()).expect("it was written"));
    assert!(report.summary.program);
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].tests, ["programs::bin/shop"]);
}

#[test]
fn a_service_ends_on_ctrl_c_as_it_does_plainly_and_what_it_had_running_is_no_leak() {
    for stop in [Signal::SIGINT, Signal::SIGTERM] {
        let running = running(&["--bin", if stop == Signal::SIGINT { "service" } else { "deaf" }]);
        // Its background tasks get their time.
        thread::sleep(Duration::from_millis(1_500));
        signal(&running, stop);
        let finished = running.wait();
        finished.assert_code(0);
        assert!(finished.stdout.contains("no findings in the program"), "{finished}");
        assert_eq!(finished.stdout.contains("bye"), stop == Signal::SIGINT, "{finished}");
        assert!(!process_is_alive("debug/service", ""), "{finished}");
    }
}

#[test]
fn after_its_time_a_program_gets_sigint() {
    for (program, is_handled) in [("service", true), ("deaf", false)] {
        let finished = run(&["--bin", program, "--for", "1s"]).run();
        finished.assert_code(0);
        finished.assert_says(&["Stopping the program after 1.0 s (SIGINT)"]);
        assert_eq!(finished.stdout.contains("bye"), is_handled, "{finished}");
        assert!(finished.stdout.contains("no findings in the program"), "{finished}");
    }
}

#[test]
fn ctrl_c_of_a_terminal_reaches_the_program_once() {
    let terminal = openpty(None, None).expect("there are terminals");
    // The copy is closed when a process begins to run something else; openpty's is not.
    #[expect(clippy::disallowed_types, reason = "a terminal has no path that an error could name")]
    let mut window = std::fs::File::from(terminal.master.try_clone().expect("it is ours"));
    drop(terminal.master);
    let mut child = run(&["--bin", "counts-signals"]).start_in_terminal(&terminal.slave);
    drop(terminal.slave);
    let shown = Arc::new(Mutex::new(String::new()));
    let text = || shown.lock().expect("nobody panics with it").clone();
    thread::spawn({
        let (shown, mut window) = (Arc::clone(&shown), window.try_clone().expect("it is open"));
        move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = window.read(&mut chunk) {
                let text = String::from_utf8_lossy(&chunk[..read]).into_owned();
                shown.lock().expect("nobody panics with it").push_str(&text);
            }
        }
    });
    wait_until("the program", LONG, || text().contains("ready").then_some(()));
    window.write_all(b"\x03").expect("the terminal is there");
    let status = child.wait().expect("it is ours");
    assert!(status.success(), "{status}\n{}", text());
    wait_until("the report", SOON, || text().contains("no findings").then_some(()));
    assert!(text().contains("signals: 1"), "{}", text());
}

/// A server under load for some seconds: its report.
fn loaded(program: &str) -> (Report, String) {
    let file = tempfile::NamedTempFile::new().expect("it can be made");
    let json = format!("json={}", file.path().display());
    let arguments = ["--bin", program, "--for", "8s", "--growth-time", "5s", "--report", &json];
    let finished = run(&arguments).run();
    let report = Report::parse(&fs::read_to_string(file.path()).expect("it was written"));
    (report, finished.to_string())
}

#[test]
fn a_server_that_leaves_a_task_for_each_request_is_found_with_its_slope() {
    let (report, shown) = loaded("leaky");
    let [finding] = &*report.findings else { panic!("{shown}") };
    assert_eq!((&*finding.rule, &*finding.severity), ("task-growth", "warning"), "{shown}");
    let marker = marker(&fixture("programs").join("src/requests.rs"), "task-growth (leaves)");
    let place = &finding.locations[0];
    assert_eq!((&*place.file, place.line), ("src/requests.rs", marker), "{shown}");
    let words = ["live tasks spawned by `requests::handle_and_leave` grew from ", "per second"];
    assert!(words.iter().all(|words| finding.message.contains(words)), "{shown}");
    let number = |name: &str| finding.details[name].as_u64().expect("it is a number");
    assert!(number("to_tasks") > number("from_tasks") + 50, "{shown}");
    assert_eq!(number("spawned"), number("to_tasks") - number("from_tasks"), "{shown}");
}

#[test]
fn a_server_that_ends_what_it_has_for_a_request_is_fine() {
    let (report, shown) = loaded("tidy");
    assert!(report.findings.is_empty(), "{shown}");
    assert!(report.summary.tasks > 100, "{shown}");
}

#[test]
fn a_program_that_does_not_compile_is_no_audit() {
    let folder = tempfile::tempdir().expect("it can be made");
    crate::support::copy(&fixture("no-tokio"), folder.path());
    fs::write(folder.path().join("src/main.rs"), "fn main() { nothing }").expect("it is a copy");
    let finished = Tool::bare(folder.path()).arg("run").run();
    finished.assert_code(101);
    finished.assert_says(&["failed to build the program"]);
}
