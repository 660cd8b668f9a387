//! The phase in which cargo calls us in place of rustc, once per crate.
//!
//! Who comes in: cargo, as `RUSTC_WRAPPER`, with [`STATE_ENV`] set by
//! [`super::build()`]. Its questions (`-vV`, `--print`) and its host crates
//! (build scripts, procedural macros) pass through untouched; a crate for the
//! target gets the probe. Then rustc takes over, or the wrapper that the user
//! had before us.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};

/// Carries the [`State`] from the build to its wrapper phases.
pub const STATE_ENV: &str = "__CARGO_CONCAUDIT_WRAPPER_STATE";

/// Where below the target directory the names of instrumented crates are kept.
/// It lives and dies with the compiled crates, so it is right for those that
/// cargo finds compiled, too.
const INSTRUMENTED: &str = "instrumented";
/// Where below the target directory the crates are named that the
/// instrumentation has broken.
const FAILED: &str = "failed";

/// At which level an unoptimised `tokio` is optimised all the same; `None`
/// would leave it as the profile says. Most of what the instrumentation costs is
/// glue within tokio's own code; optimised, an audited lock costs half as much,
/// and a spawn less than a plain one. Debug assertions and overflow checks stay
/// as the profile has them.
const TOKIO_OPT_LEVEL: Option<&str> = Some("3");

/// The oldest minor version of tokio 1 that tells of tasks and locks.
const OLDEST_TOKIO: u64 = 20;

/// What the wrapper phase must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The target triple; crates for another are left alone.
    pub target: String,
    /// Cargo's target directory; what is compiled elsewhere (by a cargo that a
    /// build script runs) is left alone.
    pub target_dir: Utf8PathBuf,
    /// The folder of the probe's libraries.
    pub dependencies: Utf8PathBuf,
    /// The library that stands in for `tracing`.
    pub tracing: Utf8PathBuf,
    /// The wrapper that the user has, to be called in turn.
    pub wrapper: Option<String>,
}

/// Why the wrapper phase failed.
#[derive(Debug, thiserror::Error)]
pub enum WrapperError {
    /// Not written by us.
    #[error("failed to read {STATE_ENV}; it is set by `cargo concaudit` and by nobody else")]
    State(#[source] serde_json::Error),
    /// The compiler, or the user's wrapper, does not start.
    #[error("failed to run `{program}`")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    /// The target directory cannot be written.
    #[error("failed to take note of an instrumented crate")]
    Note(#[source] io::Error),
    /// Arguments came in a file that cannot be read.
    #[error("failed to read the compiler's arguments")]
    Arguments(#[source] io::Error),
}

impl State {
    /// As the value of [`STATE_ENV`].
    pub fn to_env(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }
}

/// Whether this process was started in place of rustc. The first argument is
/// rustc then, or the project's `RUSTC_WORKSPACE_WRAPPER`; as a subcommand of
/// cargo it is our own name.
pub fn is_wrapper_call() -> bool {
    env::var_os(STATE_ENV).is_some()
        && env::args_os()
            .nth(1)
            .is_some_and(|first| first != "concaudit" && !first.to_string_lossy().starts_with('-'))
}

/// Compiles one crate. On Unix it returns only where something failed, or where
/// the crate is one whose failure would be ours.
pub fn run() -> Result<ExitCode, WrapperError> {
    let state = env::var(STATE_ENV).unwrap_or_default();
    let state: State = serde_json::from_str(&state).map_err(WrapperError::State)?;
    let mut args = env::args_os().skip(1);
    let compiler = args.next().unwrap_or_else(|| "rustc".into());
    let args: Vec<OsString> = args.collect();

    let expanded = expand(&args).map_err(WrapperError::Arguments)?;
    let package = Package {
        name: env::var("CARGO_PKG_NAME").unwrap_or_default(),
        version: env::var("CARGO_PKG_VERSION").unwrap_or_default(),
    };
    let plan = plan(expanded.as_deref().unwrap_or(&args), &package, &state, TOKIO_OPT_LEVEL);

    let mut command = if let Some(wrapper) = &state.wrapper {
        let mut command = Command::new(wrapper);
        command.arg(&compiler).env("RUSTC_WRAPPER", wrapper);
        command
    } else {
        let mut command = Command::new(&compiler);
        command.env_remove("RUSTC_WRAPPER");
        command
    };
    command.env_remove(STATE_ENV);
    let Some(plan) = plan else {
        command.args(args);
        return become_process(command);
    };
    // They came in a file since they are too long for a command line.
    let mut arguments = Vec::new();
    if expanded.is_some() {
        let file = write_arguments(&plan.args).map_err(WrapperError::Arguments)?;
        let mut argument = OsString::from("@");
        argument.push(file.path());
        command.arg(argument);
        arguments.push(file);
    } else {
        command.args(&plan.args);
    }
    match plan.instrumented {
        None if arguments.is_empty() => become_process(command),
        None => watch(command, None),
        Some(unit) => {
            note(&state.target_dir.join(INSTRUMENTED), &unit.stem, &unit.title)
                .map_err(WrapperError::Note)?;
            watch(command, Some((&state, &unit)))
        }
    }
}

/// The package that is compiled, as cargo names it in the environment.
#[derive(Debug)]
struct Package {
    name: String,
    version: String,
}

/// A crate that speaks to the probe.
#[derive(Debug, PartialEq, Eq)]
struct Unit {
    /// Its file name without `lib` and extension: `tokio-0123456789abcdef`.
    stem: String,
    /// For people: `tokio 1.54.1`.
    title: String,
}

#[derive(Debug)]
struct Plan {
    args: Vec<OsString>,
    instrumented: Option<Unit>,
}

/// One argument of rustc, with its value where it has one.
enum Argument<'a> {
    /// `-C name=value`
    Codegen(&'a str),
    /// `--extern [options:]name[=path]`
    Extern(&'a str),
    Target(&'a str),
    OutDir(&'a str),
    CrateName(&'a str),
    Print,
    Debuginfo,
    Other,
}

/// How many arguments the one at the front takes up, and what it is.
fn read(args: &[OsString]) -> (Argument<'_>, usize) {
    let Some(first) = args[0].to_str() else { return (Argument::Other, 1) };
    let next = args.get(1).and_then(|next| next.to_str());
    let named = |name: &str| -> Option<(&str, usize)> {
        let rest = first.strip_prefix(name)?;
        match rest.strip_prefix('=') {
            Some(value) => Some((value, 1)),
            None if rest.is_empty() => Some((next?, 2)),
            None => None,
        }
    };
    if let Some((value, width)) = named("-C").or_else(|| named("--codegen")) {
        (Argument::Codegen(value), width)
    } else if let Some(option) = first.strip_prefix("-C") {
        (Argument::Codegen(option), 1)
    } else if let Some((value, width)) = named("--extern") {
        (Argument::Extern(value), width)
    } else if let Some((value, width)) = named("--target") {
        (Argument::Target(value), width)
    } else if let Some((value, width)) = named("--out-dir") {
        (Argument::OutDir(value), width)
    } else if let Some((value, width)) = named("--crate-name") {
        (Argument::CrateName(value), width)
    } else if let Some((_, width)) = named("--print") {
        (Argument::Print, width)
    } else if first == "-vV" || first == "-V" || first == "--version" {
        (Argument::Print, 1)
    } else if first == "-g" {
        (Argument::Debuginfo, 1)
    } else {
        (Argument::Other, 1)
    }
}

/// The arguments with which a crate of the target is compiled; `None` for
/// everything that is not one.
fn plan(
    args: &[OsString],
    package: &Package,
    state: &State,
    tokio_opt_level: Option<&str>,
) -> Option<Plan> {
    let mut target = None;
    let mut out_dir = None;
    let mut crate_name = None;
    let mut extra_filename = "";
    let mut debuginfo = "";
    let mut opt_level = "0";
    let mut has_debug_assertions = false;
    let mut has_overflow_checks = false;
    let mut rest = args;
    while !rest.is_empty() {
        let (argument, width) = read(rest);
        match argument {
            Argument::Codegen(option) => match option.split_once('=').unwrap_or((option, "")) {
                ("extra-filename", value) => extra_filename = value,
                ("debuginfo", value) => debuginfo = value,
                ("opt-level", value) => opt_level = value,
                ("debug-assertions", _) => has_debug_assertions = true,
                ("overflow-checks", _) => has_overflow_checks = true,
                _ => {}
            },
            Argument::Target(value) => target = Some(value),
            Argument::OutDir(value) => out_dir = Some(value),
            Argument::CrateName(value) => crate_name = Some(value),
            Argument::Print => return None,
            Argument::Debuginfo => debuginfo = "2",
            Argument::Extern(_) | Argument::Other => {}
        }
        rest = &rest[width..];
    }
    if target? != state.target || !Path::new(out_dir?).starts_with(&state.target_dir) {
        return None;
    }
    let crate_name = crate_name?;
    let is_tokio =
        package.name == "tokio" && crate_name == "tokio" && can_be_instrumented(&package.version);

    let mut planned = Vec::with_capacity(args.len() + 16);
    let mut rest = args;
    while !rest.is_empty() {
        let (argument, width) = read(rest);
        let is_dropped = match argument {
            // What is stripped cannot be symbolised.
            Argument::Codegen(option) => option.starts_with("strip="),
            Argument::Extern(value) => is_tokio && extern_name(value) == "tracing",
            _ => false,
        };
        if !is_dropped {
            planned.extend_from_slice(&rest[..width]);
        }
        rest = &rest[width..];
    }
    let mut push = |parts: &[&str]| planned.extend(parts.iter().map(OsString::from));
    push(&["-L", &format!("dependency={}", state.dependencies)]);
    push(&["-C", "force-frame-pointers=yes"]);
    if matches!(debuginfo, "" | "0" | "none") {
        push(&["-C", "debuginfo=line-tables-only"]);
    }
    let mut instrumented = None;
    if is_tokio {
        push(&["--cfg", "tokio_unstable", "--cfg", "feature=\"tracing\""]);
        push(&["--extern", &format!("tracing={}", state.tracing)]);
        if let Some(level) = tokio_opt_level.filter(|_| opt_level == "0") {
            push(&["-C", &format!("opt-level={level}")]);
            // They follow the level where they are not given.
            if !has_debug_assertions {
                push(&["-C", "debug-assertions=on"]);
            }
            if !has_overflow_checks {
                push(&["-C", "overflow-checks=on"]);
            }
        }
        instrumented = Some(Unit {
            stem: format!("{crate_name}{extra_filename}"),
            title: format!("{} {}", package.name, package.version),
        });
    }
    Some(Plan { args: planned, instrumented })
}

/// The crate's name in `noprelude,priv:name=path`.
fn extern_name(value: &str) -> &str {
    let name = value.split_once('=').map_or(value, |(name, _)| name);
    name.rsplit_once(':').map_or(name, |(_, name)| name)
}

/// Whether this version of tokio can speak to the probe.
pub fn can_be_instrumented(tokio_version: &str) -> bool {
    cargo_metadata::semver::Version::parse(tokio_version)
        .is_ok_and(|version| version.major == 1 && version.minor >= OLDEST_TOKIO)
}

/// The arguments with those from `@file` in place; `None` where there are none.
fn expand(args: &[OsString]) -> io::Result<Option<Vec<OsString>>> {
    let file_of = |arg: &OsString| Some(arg.to_str()?.strip_prefix('@')?.to_owned());
    if !args.iter().any(|arg| file_of(arg).is_some()) {
        return Ok(None);
    }
    let mut expanded = Vec::new();
    for arg in args {
        match file_of(arg) {
            Some(file) => expanded.extend(fs::read_to_string(file)?.lines().map(OsString::from)),
            None => expanded.push(arg.clone()),
        }
    }
    Ok(Some(expanded))
}

fn write_arguments(args: &[OsString]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    for arg in args {
        writeln!(file, "{}", arg.to_string_lossy())?;
    }
    file.flush()?;
    Ok(file)
}

#[cfg(unix)]
fn become_process(mut command: Command) -> Result<ExitCode, WrapperError> {
    use std::os::unix::process::CommandExt as _;
    let source = command.exec();
    Err(spawn_error(&command, source))
}

#[cfg(not(unix))]
fn become_process(command: Command) -> Result<ExitCode, WrapperError> {
    watch(command, None)
}

/// Compiles, and takes note of the first error if there was one. Cargo reads
/// the messages as they come, to start the next crate early.
fn watch(mut command: Command, unit: Option<(&State, &Unit)>) -> Result<ExitCode, WrapperError> {
    let mut child =
        command.stderr(Stdio::piped()).spawn().map_err(|source| spawn_error(&command, source))?;
    let mut reader = BufReader::new(child.stderr.take().expect("piped above"));
    let mut stderr = io::stderr().lock();
    let mut line = Vec::new();
    let mut first_error = None;
    while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        // Cargo gone is no reason to leave rustc with a full pipe.
        let _ = stderr.write_all(&line).and_then(|()| stderr.flush());
        if first_error.is_none() {
            first_error = error_message(&line);
        }
        line.clear();
    }
    let status = child.wait().map_err(|source| spawn_error(&command, source))?;
    if status.success() {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some((state, unit)) = unit {
        let error = first_error.unwrap_or_else(|| format!("the compiler ended with {status}"));
        let text = format!("{}\n{error}", unit.title);
        note(&state.target_dir.join(FAILED), &unit.stem, &text).map_err(WrapperError::Note)?;
    }
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101).into())
}

/// The message of an error, in rustc's JSON.
fn error_message(line: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    (value.get("level")?.as_str()? == "error")
        .then(|| value.get("message")?.as_str().map(str::to_owned))?
}

fn spawn_error(command: &Command, source: io::Error) -> WrapperError {
    WrapperError::Spawn { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// Writes a file of its own for each crate: many wrappers run at once.
fn note(folder: &Utf8Path, stem: &str, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(stem), text)
}

/// Whether a library (`libtokio-0123456789abcdef.rlib`) in the target directory
/// was compiled with the probe.
pub fn is_instrumented(target_dir: &Utf8Path, library: &Utf8Path) -> bool {
    library
        .file_stem()
        .map(|stem| stem.strip_prefix("lib").unwrap_or(stem))
        .is_some_and(|stem| target_dir.join(INSTRUMENTED).join(stem).exists())
}

/// Forgets the failures of earlier builds.
pub fn forget_failures(target_dir: &Utf8Path) {
    let _ = fs::remove_dir_all(target_dir.join(FAILED));
}

/// The first crate that failed to compile with the probe: its title and the
/// compiler's message.
pub fn failure(target_dir: &Utf8Path) -> Option<(String, String)> {
    let entry = fs::read_dir(target_dir.join(FAILED)).ok()?.flatten().next()?;
    let text = fs::read_to_string(entry.path()).ok()?;
    let (title, error) = text.split_once('\n')?;
    Some((title.to_owned(), error.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            target: "x86_64-unknown-linux-gnu".into(),
            target_dir: "/p/target/concaudit/k".into(),
            dependencies: "/cache/deps".into(),
            tracing: "/cache/deps/libconcaudit_tracing-1.rlib".into(),
            wrapper: None,
        }
    }

    fn planned(package: (&str, &str), args: &str) -> Option<(String, Option<Unit>)> {
        let args: Vec<OsString> = args.split_whitespace().map(Into::into).collect();
        let package = Package { name: package.0.into(), version: package.1.into() };
        let plan = plan(&args, &package, &state(), Some("2"))?;
        let args: Vec<_> = plan.args.iter().map(|arg| arg.to_str().unwrap()).collect();
        Some((args.join(" "), plan.instrumented))
    }

    const TARGET: &str =
        "--target x86_64-unknown-linux-gnu --out-dir /p/target/concaudit/k/x/debug/deps";

    #[test]
    fn a_crate_of_the_target_finds_the_probe_and_keeps_its_frames_and_lines() {
        let args = format!("--crate-name a src/lib.rs -C strip=debuginfo -Cdebuginfo=0 {TARGET}");
        let (args, unit) = planned(("a", "0.1.0"), &args).unwrap();
        assert_eq!(unit, None);
        assert!(!args.contains("strip"), "{args}");
        assert!(args.ends_with(
            "-L dependency=/cache/deps -C force-frame-pointers=yes -C debuginfo=line-tables-only"
        ));
    }

    #[test]
    fn full_debuginfo_is_left_as_it_is() {
        for flag in ["-g", "-C debuginfo=2", "-Cdebuginfo=1", "--codegen=debuginfo=full"] {
            let args = format!("--crate-name a {flag} {TARGET}");
            let (args, _) = planned(("a", "0.1.0"), &args).unwrap();
            assert!(!args.contains("line-tables-only"), "{args}");
        }
    }

    #[test]
    fn tokio_gets_the_facade_for_every_form_of_its_tracing() {
        for tracing in ["tracing=/t/libtracing-1.rlib", "noprelude:tracing=/t/l.rlib", "tracing"] {
            let args = format!(
                "--crate-name tokio src/lib.rs -C extra-filename=-ab12 --extern {tracing} \
                 --extern bytes=/t/libbytes.rmeta {TARGET}"
            );
            let (args, unit) = planned(("tokio", "1.54.1"), &args).unwrap();
            let unit = unit.unwrap();
            assert_eq!((&*unit.stem, &*unit.title), ("tokio-ab12", "tokio 1.54.1"));
            assert_eq!(args.matches("tracing=").count(), 1, "{args}");
            assert!(args.contains("--extern tracing=/cache/deps/libconcaudit_tracing-1.rlib"));
            assert!(args.contains("--cfg tokio_unstable --cfg feature=\"tracing\""));
            assert!(args.contains("--extern bytes=/t/libbytes.rmeta"));
        }
    }

    #[test]
    fn an_unoptimised_tokio_is_optimised_with_its_checks_left_as_they_were() {
        let args_of = |flags: &str| {
            let args = format!("--crate-name tokio {flags} {TARGET}");
            planned(("tokio", "1.54.1"), &args).unwrap().0
        };
        assert!(
            args_of("").contains("-C opt-level=2 -C debug-assertions=on -C overflow-checks=on")
        );
        let off = args_of("-C debug-assertions=off -C overflow-checks=off");
        assert!(off.contains("opt-level=2") && !off.contains("=on"), "{off}");
        assert!(!args_of("-C opt-level=1").contains("opt-level=2"));
    }

    #[test]
    fn a_tokio_that_cannot_speak_is_compiled_as_any_other_crate() {
        for version in ["0.2.25", "1.19.2", "2.0.0"] {
            let args = format!("--crate-name tokio --extern tracing=/t/l.rlib {TARGET}");
            let (args, unit) = planned(("tokio", version), &args).unwrap();
            assert_eq!(unit, None);
            assert!(args.contains("--extern tracing=/t/l.rlib"));
        }
    }

    #[test]
    fn questions_host_crates_and_foreign_builds_pass_untouched() {
        let foreign = "--crate-name a --target x86_64-unknown-linux-gnu --out-dir /elsewhere";
        let other = "--crate-name a --target wasm32-wasip1 --out-dir /p/target/concaudit/k/w/deps";
        let print = format!("- --crate-name ___ --print=file-names {TARGET}");
        let host = "--crate-name build_script_build --out-dir /p/target/concaudit/k/debug/build";
        for args in [host, foreign, other, &print, "-vV"] {
            assert!(planned(("a", "0.1.0"), args).is_none(), "{args}");
        }
    }

    #[test]
    fn the_state_survives_its_way_through_the_environment() {
        let state = State { wrapper: Some("sccache".into()), ..state() };
        assert_eq!(serde_json::from_str::<State>(&state.to_env()).unwrap(), state);
    }
}
