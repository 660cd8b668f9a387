//! Sees to it that nothing of a run is left where the tool is killed.
//!
//! The guard is this program once more, in a process of its own that waits for the end of
//! the tool. It ends whatever the tests have started, audited or not, wherever that has
//! gone: a parent-death signal would reach the tests alone, and hangs on the thread that
//! happened to start them. The probe does the same for its own process, should the guard
//! be killed as well.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use super::descendants::{descendants, end};

/// What the guard is called, so that whoever kills the tool by its name does not meet it.
const NAME: &str = "concaudit-guard";
/// The variable that has the value of the run's variable, whose name stands before it.
const RUN: &str = "__CARGO_CONCAUDIT_GUARDED_RUN";
/// The variable that has the folder of the run.
const FOLDER: &str = "__CARGO_CONCAUDIT_GUARDED_FOLDER";
/// What a tool writes that ends in good order.
const GOOD_END: &[u8] = b".";
/// Looks at what is left: a process may start another one meanwhile.
const LOOKS: u32 = 100;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(20);

/// A guard at work. Dismissed when this is dropped.
#[derive(Debug)]
pub struct Guard {
    child: Child,
}

impl Guard {
    /// Guards a run whose processes have this variable; `folder` is removed with it.
    /// `None` where the system gives no process for that.
    pub fn start((name, value): (&str, &OsStr), folder: Option<&Path>) -> Option<Self> {
        // Our own program, even where it was replaced meanwhile.
        let own = Path::new("/proc/self/exe");
        let program = if own.exists() { own.to_owned() } else { env::current_exe().ok()? };
        let mut run = OsString::from(name);
        run.push("=");
        run.push(value);
        let child = Command::new(program)
            .arg0(NAME)
            .env_clear()
            .env(RUN, run)
            .envs(folder.map(|folder| (FOLDER, folder)))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Some(Self { child: child.ok()? })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // It ends at once, and whoever takes over our processes buries it.
        if let Some(mut end) = self.child.stdin.take() {
            let _ = end.write_all(GOOD_END);
        }
    }
}

/// Whether this process is a guard.
pub fn is_guard_call() -> bool {
    env::args_os().next().is_some_and(|name| name == NAME) && env::var_os(RUN).is_some()
}

/// Waits for the end of the tool, then cleans up behind it.
pub fn stand_guard() -> ExitCode {
    let mut said = Vec::new();
    let _ = std::io::stdin().read_to_end(&mut said);
    if said == GOOD_END {
        return ExitCode::SUCCESS;
    }
    let run = env::var(RUN).unwrap_or_default();
    let Some((name, value)) = run.split_once('=') else { return ExitCode::FAILURE };
    for _ in 0..LOOKS {
        let left = descendants(&[(name.as_ref(), value.as_ref())], None);
        if left.is_empty() {
            break;
        }
        left.iter().for_each(end);
        thread::sleep(PAUSE);
    }
    if let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) {
        let _ = fs_err::remove_dir_all(folder);
    }
    ExitCode::SUCCESS
}
