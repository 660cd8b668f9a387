//! One call of the compiler, its messages read as they come.

use std::{
    ffi::OsString,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

use serde::Deserialize;

use super::{
    arguments,
    phase::WrapperError,
    state::{STATE_ENV, State},
};

/// The compiler, as it is to be called.
#[derive(Debug)]
pub struct Compiler<'a> {
    /// rustc, or the project's `RUSTC_WORKSPACE_WRAPPER`.
    pub program: OsString,
    /// The user's wrapper is in there.
    pub state: &'a State,
    /// The arguments are too long for a command line, and come in a file.
    pub through_file: bool,
}

/// A line that the compiler writes to standard error.
#[derive(Debug)]
pub enum Message {
    /// A file that other crates are compiled against is ready.
    Metadata,
    /// Some other file is ready.
    Artifact,
    /// An error.
    Error(CompileError),
    /// Anything else.
    Other,
}

/// What the compiler says of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    /// In a line.
    pub message: String,
    /// `E0308`
    pub code: Option<String>,
    /// File, line and column.
    pub place: Option<(String, u64, u64)>,
    /// Every file that it or one of its notes points at.
    pub files: Vec<String>,
    /// As it is shown.
    pub rendered: String,
    /// As it came.
    pub line: Vec<u8>,
}

impl Compiler<'_> {
    /// The command, and the file that its arguments are in, if they are.
    fn command(
        &self,
        args: &[OsString],
    ) -> Result<(Command, Option<tempfile::NamedTempFile>), WrapperError> {
        let mut command = if let Some(wrapper) = &self.state.wrapper {
            let mut command = Command::new(wrapper);
            command.arg(&self.program).env("RUSTC_WRAPPER", wrapper);
            command
        } else {
            let mut command = Command::new(&self.program);
            command.env_remove("RUSTC_WRAPPER");
            command
        };
        command.env_remove(STATE_ENV);
        if !self.through_file {
            command.args(args);
            return Ok((command, None));
        }
        let file = arguments::write(args).map_err(WrapperError::Arguments)?;
        let mut argument = OsString::from("@");
        argument.push(file.path());
        command.arg(argument);
        Ok((command, Some(file)))
    }

    /// Lets the compiler take this process over; on Unix it returns only where
    /// that fails.
    pub fn become_it(&self, args: &[OsString]) -> Result<ExitCode, WrapperError> {
        let (command, file) = self.command(args)?;
        if file.is_some() || cfg!(not(unix)) {
            return self.run(args, |line, _| forward(line)).map(exit_code);
        }
        replace_process(command)
    }

    /// Compiles. Each line of standard error goes to `on_line`, with what it is.
    /// Cargo reads them as they come, to start the next crate early.
    pub fn run(
        &self,
        args: &[OsString],
        mut on_line: impl FnMut(&[u8], Message),
    ) -> Result<ExitStatus, WrapperError> {
        let (mut command, _file) = self.command(args)?;
        let mut child =
            command.stderr(Stdio::piped()).spawn().map_err(|source| failed(&command, source))?;
        let mut reader = BufReader::new(child.stderr.take().expect("piped above"));
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            on_line(&line, read(&line));
            line.clear();
        }
        child.wait().map_err(|source| failed(&command, source))
    }
}

#[cfg(unix)]
fn replace_process(mut command: Command) -> Result<ExitCode, WrapperError> {
    use std::os::unix::process::CommandExt as _;
    let source = command.exec();
    Err(failed(&command, source))
}

#[cfg(not(unix))]
fn replace_process(mut command: Command) -> Result<ExitCode, WrapperError> {
    command.status().map(exit_code).map_err(|source| failed(&command, source))
}

/// Passes a line on to cargo.
pub fn forward(line: &[u8]) {
    let mut stderr = io::stderr().lock();
    // Cargo gone is no reason to leave rustc with a full pipe.
    let _ = stderr.write_all(line).and_then(|()| stderr.flush());
}

/// As the compiler ended, so do we.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101).into()
}

fn failed(command: &Command, source: io::Error) -> WrapperError {
    WrapperError::Spawn { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// What of rustc's JSON is of interest.
#[derive(Deserialize)]
struct Json {
    emit: Option<String>,
    level: Option<String>,
    message: Option<String>,
    code: Option<Code>,
    spans: Option<Vec<Span>>,
    children: Option<Vec<Json>>,
    rendered: Option<String>,
}

impl Json {
    /// Every file that is pointed at.
    fn files(&self) -> Vec<String> {
        let own = self.spans.iter().flatten().map(|span| span.file_name.clone());
        let children = self.children.iter().flatten().flat_map(Self::files);
        own.chain(children).collect()
    }
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: u64,
    column_start: u64,
    is_primary: bool,
}

fn read(line: &[u8]) -> Message {
    let Ok(json) = serde_json::from_slice::<Json>(line) else { return Message::Other };
    match (json.emit.as_deref(), json.level.as_deref()) {
        (Some("metadata"), _) => Message::Metadata,
        (Some(_), _) => Message::Artifact,
        (None, Some(level)) if level.starts_with("error") => Message::Error(CompileError {
            files: json.files(),
            message: json.message.unwrap_or_default(),
            code: json.code.map(|code| code.code),
            place: json
                .spans
                .into_iter()
                .flatten()
                .find(|span| span.is_primary)
                .map(|span| (span.file_name, span.line_start, span.column_start)),
            rendered: json.rendered.unwrap_or_default(),
            line: line.to_vec(),
        }),
        _ => Message::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_messages_are_told_apart() {
        let artifact = |emit: &str| {
            format!(r#"{{"$message_type":"artifact","artifact":"/t/liba.x","emit":"{emit}"}}"#)
        };
        assert!(matches!(read(artifact("metadata").as_bytes()), Message::Metadata));
        assert!(matches!(read(artifact("link").as_bytes()), Message::Artifact));
        for other in [r#"{"message":"unused","level":"warning"}"#, "note: x", "{", "[1]"] {
            assert!(matches!(read(other.as_bytes()), Message::Other), "{other}");
        }
        let error = r#"{"$message_type":"diagnostic","message":"mismatched types","level":"error",
            "code":{"code":"E0308","explanation":null},"rendered":"error[E0308]: ..",
            "spans":[{"file_name":"src/b.rs","line_start":1,"column_start":2,"is_primary":false},
                     {"file_name":"src/lib.rs","line_start":7,"column_start":5,"is_primary":true}],
            "children":[{"level":"note","spans":[
                {"file_name":"/c/src/c.rs","line_start":1,"column_start":1,"is_primary":true}]}]}"#;
        let Message::Error(error) = read(error.as_bytes()) else { panic!("it is an error") };
        assert_eq!(error.code.as_deref(), Some("E0308"));
        assert_eq!(error.place, Some(("src/lib.rs".into(), 7, 5)));
        assert_eq!(error.files, ["src/b.rs", "src/lib.rs", "/c/src/c.rs"]);
    }
}
