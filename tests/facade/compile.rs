//! Compiles a case with one `std` or the other, and runs what comes out.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use fs_err as fs;
use serde_json::Value;

use super::facade::FACADE;

/// Longer than any case takes, on a machine that is busy with others.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Which `std` a case is compiled with.
#[derive(Debug, Clone, Copy)]
pub enum Std {
    Plain,
    Facade,
}

/// A file of `pass/` or `fail/`. Its first lines may be
///
/// ```text
/// // editions: 2015 2018 2021 2024
/// // aux: traits
/// ```
#[derive(Debug)]
pub struct Case {
    path: PathBuf,
    text: String,
}

/// What rustc made of a case.
#[derive(Debug)]
pub struct Compiled {
    binary: PathBuf,
    output: Output,
}

/// What became of a compiled case.
#[derive(Debug)]
pub struct Finished {
    /// None where it took too long.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// The line and the code of a diagnostic; the name of the lint for lints, empty where
/// rustc has none.
type Diagnostic = (u64, String);

impl Case {
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the case can be read");
        Self { path: path.to_owned(), text }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("// {name}: ");
        self.text.lines().take(2).find_map(|line| line.strip_prefix(&prefix))
    }

    /// The editions that it is to be compiled in.
    pub fn editions(&self) -> impl Iterator<Item = &str> {
        self.header("editions").unwrap_or("2021").split_whitespace()
    }

    /// The errors that are expected: `//~ CODE`, on the line they are reported for.
    pub fn markers(&self) -> BTreeSet<Diagnostic> {
        self.text
            .lines()
            .zip(1..)
            .filter_map(|(text, line)| Some((text.split_once("//~ ")?.1, line)))
            .flat_map(|(codes, line)| codes.split_whitespace().map(move |code| (line, code)))
            .map(|(line, code)| (line, if code == "ERROR" { "" } else { code }.to_owned()))
            .collect()
    }

    /// # Panics
    /// If rustc cannot be run, or the crate that this one needs does not compile.
    pub fn compile(&self, std: Std, edition: &str) -> Compiled {
        let kind = self.path.parent().and_then(Path::file_name).expect("is in a folder");
        let name = self.path.file_stem().expect("has a name");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("facade")
            .join(kind)
            .join(name)
            .join(format!("{std:?}-{edition}"));
        fs::create_dir_all(&folder).expect("the folder can be made");
        let mut externs = Vec::new();
        if let Some(aux) = self.header("aux") {
            let source = self.path.with_file_name("..").join("aux").join(format!("{aux}.rs"));
            let library = folder.join(format!("lib{aux}.rlib"));
            let output = rustc(std, edition, &source, &library).arg("--crate-type=lib").output();
            let compiled = Compiled { binary: library, output: output.expect("rustc runs") };
            assert!(compiled.success(), "the crate {aux} does not compile\n{compiled}");
            externs.push(format!("{aux}={}", compiled.binary.display()));
        }
        let binary = folder.join(name);
        let mut rustc = rustc(std, edition, &self.path, &binary);
        if kind == "fail" {
            rustc.arg("--emit=metadata");
        }
        for library in externs {
            rustc.args(["--extern", &library]);
        }
        Compiled { binary, output: rustc.output().expect("rustc runs") }
    }
}

fn rustc(std: Std, edition: &str, source: &Path, output: &Path) -> Command {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--error-format=json", "--edition", edition, "-o"])
        .args([output, source])
        .stdin(Stdio::null());
    if matches!(std, Std::Facade) {
        let facade = &*FACADE;
        let named = |name: &str, path: &Path| {
            let mut argument = OsString::from(name);
            argument.push("=");
            argument.push(path);
            argument
        };
        command
            .arg("--extern")
            .arg(named("std", &facade.library))
            .arg("-L")
            .arg(named("dependency", &facade.dependencies));
    }
    command
}

impl Compiled {
    pub fn success(&self) -> bool {
        self.output.status.success()
    }

    fn messages(&self) -> impl Iterator<Item = Value> {
        self.output.stderr.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(
            |line| {
                serde_json::from_slice(line).unwrap_or_else(|error| {
                    panic!("not JSON: {error}: {}", String::from_utf8_lossy(line))
                })
            },
        )
    }

    /// The diagnostics of a level that have a place in the case.
    pub fn diagnostics(&self, level: &str) -> BTreeSet<Diagnostic> {
        self.messages()
            .filter(|message| message["level"] == level)
            .filter_map(|message| {
                let spans = message["spans"].as_array()?;
                let primary = spans.iter().find(|span| span["is_primary"] == true)?;
                let code = message["code"]["code"].as_str().unwrap_or_default();
                Some((primary["line_start"].as_u64()?, code.to_owned()))
            })
            .collect()
    }

    /// Runs it. Where it `is_observed`, the probe in it is at work, and has nobody to
    /// tell: the socket that it is given does not exist.
    pub fn run(&self, is_observed: bool) -> Finished {
        let streams = ["stdout", "stderr"].map(|name| self.binary.with_extension(name));
        let open = |path: &PathBuf| fs::File::create(path).expect("can be created").into_parts().0;
        let mut command = Command::new(&self.binary);
        command.env_remove("RUST_BACKTRACE").env_remove("RUST_MIN_STACK").stdin(Stdio::null());
        if is_observed {
            command
                .env("__CARGO_CONCAUDIT_REGISTRY", self.binary.with_extension("no-socket"))
                .env("__CARGO_CONCAUDIT_TOKEN", "1");
        }
        let [stdout, stderr] = &streams;
        let mut child = command
            .stdout(open(stdout))
            .stderr(open(stderr))
            .spawn()
            .expect("the compiled case starts");
        let since = Instant::now();
        let status = loop {
            match child.try_wait().expect("the process is ours to wait for") {
                None if since.elapsed() < TIME_LIMIT => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                status => break status,
            }
        };
        if status.is_none() {
            child.kill().expect("the process is ours to end");
            child.wait().expect("the process is ours to wait for");
        }
        let [stdout, stderr] = streams.map(|path| {
            String::from_utf8_lossy(&fs::read(path).expect("was written")).into_owned()
        });
        Finished { code: status.and_then(|status| status.code()), stdout, stderr }
    }
}

impl fmt::Display for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for message in self.messages() {
            f.write_str(message["rendered"].as_str().unwrap_or_default())?;
        }
        Ok(())
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr } = self;
        write!(f, "exit code {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
