//! Runs the binary as cargo would, without what the surrounding `cargo test`
//! has put into the environment.

use std::{
    ffi::OsStr,
    io::Read,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Where everything that may be kept between runs goes.
pub fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures")
}

/// The folder of a fixture project.
pub fn fixture(project: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(project)
}

/// An invocation of `cargo concaudit`.
#[derive(Debug)]
pub struct Tool {
    command: Command,
}

/// How an invocation ended.
#[derive(Debug)]
pub struct Finished {
    /// -1 where a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

impl Finished {
    /// # Panics
    /// With all that was printed, if it ended otherwise.
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code, code, "wrong exit code\n{self}");
    }

    /// # Panics
    /// With all that was printed, if standard error lacks one of `parts`.
    #[track_caller]
    pub fn assert_says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stderr.contains(part), "standard error lacks {part:?}\n{self}");
        }
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, stdout, stderr, elapsed } = self;
        write!(
            f,
            "exit code {code} after {elapsed:.1?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// Whether the surrounding `cargo test` (or the CI job) may have set it in a
/// way that a user's shell would not.
fn is_of_the_surroundings(name: &str) -> bool {
    const PREFIXES: [&str; 5] =
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_", "__CARGO_CONCAUDIT", "CARGO_CONCAUDIT"];
    const NAMES: [&str; 16] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_TMPDIR",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_TERM_COLOR",
        "CI",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
        "NO_COLOR",
        "RUSTFLAGS",
        "RUST_BACKTRACE",
        "RUST_TEST_THREADS",
    ];
    // Where whoever works on the probe wants it to be built.
    const KEPT: &str = "__CARGO_CONCAUDIT_PROBE_BUILD_DIR";
    let is_named = NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    is_named && name != KEPT
}

impl Tool {
    /// In the folder of a fixture project, with that project's kept target
    /// directory.
    pub fn new(project: &str) -> Self {
        let target =
            scratch().join("targets").join(if project.is_empty() { "all" } else { project });
        Self::bare(&fixture(project)).arg("--target-dir").arg(target)
    }

    /// In any folder, with the kept probe and nothing else.
    pub fn bare(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-concaudit"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_of_the_surroundings) {
                command.env_remove(name);
            }
        }
        command
            .arg("concaudit")
            .current_dir(folder)
            .env("CARGO_CONCAUDIT_CACHE_DIR", scratch().join("cache"))
            .stdin(Stdio::null());
        Self { command }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With this as its standard input, instead of none.
    pub fn stdin(mut self, input: impl Into<Stdio>) -> Self {
        self.command.stdin(input);
        self
    }

    /// Not even the surroundings' value of a variable.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// # Panics
    /// If it cannot be started.
    pub fn start(mut self) -> Running {
        let mut child = self
            .command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the built binary starts");
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        Running { child, stdout, stderr, since: Instant::now() }
    }

    pub fn run(self) -> Finished {
        self.start().wait()
    }

    /// Starts it as the leader of a session with this terminal, as a shell in a window is.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_in_terminal(self, terminal: &OwnedFd) -> Child {
        let stream = || terminal.try_clone().expect("a terminal has many descriptors");
        let mut command = self.started_by("setsid", &["--ctty", "--wait"]);
        command.stdin(stream()).stdout(stream()).stderr(stream());
        command.spawn().expect("util-linux is there")
    }

    /// Below a shell that has run this command: `ulimit -f 1`.
    pub fn after(self, command: &str) -> Self {
        let script = format!("{command} && exec \"$0\" \"$@\"");
        let mut command = self.started_by("sh", &["-c", &script]);
        command.stdin(Stdio::null());
        Self { command }
    }

    fn started_by(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(self.command.get_current_dir().expect("it has one"));
        command
    }
}

type Collected = std::sync::Arc<std::sync::Mutex<Vec<u8>>>;

/// Reads to the end in the background, so that what has come can be looked at
/// meanwhile.
fn collect(pipe: Option<impl Read + Send + 'static>) -> (Collected, thread::JoinHandle<()>) {
    let collected = Collected::default();
    let own = collected.clone();
    let reader = thread::spawn(move || {
        let mut pipe = pipe.expect("standard streams are pipes");
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut chunk) {
            own.lock().expect("nobody panics with it").extend_from_slice(&chunk[..read]);
        }
    });
    (collected, reader)
}

/// An invocation that goes on.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: (Collected, thread::JoinHandle<()>),
    stderr: (Collected, thread::JoinHandle<()>),
    since: Instant,
}

fn text(collected: &Collected) -> String {
    String::from_utf8_lossy(&collected.lock().expect("nobody panics with it")).into_owned()
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        text(&self.stdout.0)
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        text(&self.stderr.0)
    }

    /// # Panics
    /// If the process cannot be waited for.
    pub fn wait(mut self) -> Finished {
        let status = self.child.wait().expect("the process is ours to wait for");
        let elapsed = self.since.elapsed();
        for reader in [self.stdout.1, self.stderr.1] {
            reader.join().expect("a reader does not panic");
        }
        Finished {
            code: status.code().unwrap_or(-1),
            stdout: text(&self.stdout.0),
            stderr: text(&self.stderr.0),
            elapsed,
        }
    }
}

/// What `look` returns, as soon as it returns something.
///
/// # Panics
/// If it does not within `limit`.
#[track_caller]
pub fn wait_until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(since.elapsed() < limit, "waited {limit:?} for {what} in vain");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Whether there is a process whose executable's path and whose arguments
/// contain these, zombies aside.
pub fn process_is_alive(exe: &str, arguments: &str) -> bool {
    let Ok(processes) = fs_err::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let Ok(line) = fs_err::read(process.path().join("cmdline")) else { return false };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.split_once(' ')
            .is_some_and(|(program, rest)| program.contains(exe) && rest.contains(arguments))
    })
}
