//! Where reports go.

use std::{
    fs::{Metadata, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    args::OutputOptions,
    console::{Console, Verbosity},
    exit::ExpectedError,
    github_actions,
};
use crate::{
    finding::Finding,
    report::{
        Context, Format,
        human::{self, HumanOptions},
        source::SourceProvider,
        summary::Report,
    },
};

/// A source file beyond this size is not worth an excerpt.
const MAX_SOURCE: u64 = 16 << 20;

/// Before the work, not after it: a report that cannot be written later.
pub fn check_destinations(options: &OutputOptions) -> Result<(), ExpectedError> {
    let further = || options.further.iter().map(|report| &report.file);
    let is_ours = options.output.as_ref().is_none_or(is_standard_output);
    let on_standard_output = further().filter(|file| is_standard_output(file)).count();
    if on_standard_output + usize::from(is_ours) > 1 {
        let message = "failed to write two reports to standard output: send one to a file with \
                       `--output` or `--report`";
        return Err(ExpectedError::Usage(anyhow::Error::msg(message)));
    }
    for file in options.output.iter().chain(further()).filter(|file| !is_standard_output(file)) {
        let folder = match file.parent() {
            Some(folder) if !folder.as_str().is_empty() => folder,
            _ => Utf8Path::new("."),
        };
        let message = if file.is_dir() {
            format!("failed to write a report to {file}: it is a folder, name a file in it")
        } else if folder.is_dir() {
            continue;
        } else {
            format!("failed to write a report to {file}: there is no folder {folder}, create it")
        };
        return Err(ExpectedError::Usage(anyhow::Error::msg(message)));
    }
    Ok(())
}

/// `-`, as everywhere.
fn is_standard_output(file: &Utf8PathBuf) -> bool {
    file == "-" || file == "/dev/stdout"
}

/// What a report's formats and destinations come to.
#[derive(Clone, Copy)]
pub struct Destinations<'a> {
    /// As the command line has them.
    pub options: &'a OutputOptions,
    /// The format where the command line names none.
    pub default: Format,
    /// The source text, for excerpts.
    pub sources: &'a dyn SourceProvider,
}

impl std::fmt::Debug for Destinations<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destinations").field("options", self.options).finish_non_exhaustive()
    }
}

/// Writes every report that was asked for; one that fails does not keep the
/// others from being written. Returns whether the verdict was shown.
pub fn write(
    report: &Report,
    destinations: Destinations<'_>,
    console: &mut Console,
) -> Result<bool, ExpectedError> {
    let Destinations { options, default, sources } = destinations;
    let main = options.format.unwrap_or(default);
    let on_console = HumanOptions {
        color: console.color,
        verbose: console.verbosity == Verbosity::Verbose,
        width: console.width,
    };
    let fails = |finding: &Finding| options.fail_on.includes(finding.severity);
    let render = |format: Format, human: HumanOptions| {
        let text = format.render(report, Context { sources, human, fails: &fails });
        text.map_err(|error| ExpectedError::Tool(error.into()))
    };
    let in_file = HumanOptions { color: false, ..on_console };

    let mut first_failure = None;
    // What was to be in the file that `--output` names is shown where that failed.
    let mut is_elsewhere = options.output.as_ref().is_some_and(|file| !is_standard_output(file));
    let mut on_standard_output = (!is_elsewhere).then_some(main);
    let further = options.further.iter().map(|further| (further.format, &further.file, false));
    let output = options.output.iter().map(|file| (main, file, true));
    for (format, file, is_main) in further.chain(output) {
        if is_standard_output(file) {
            on_standard_output = Some(format);
            continue;
        }
        let written = render(format, in_file).and_then(|text| write_file(file, &text));
        if let Err(error) = written {
            first_failure.get_or_insert(error);
            if is_main {
                is_elsewhere = false;
                on_standard_output.get_or_insert(format);
            }
        }
    }
    if let Some(format) = on_standard_output {
        let written = console.report(&render(format, on_console)?);
        if let Err(source) = written {
            let path = "standard output".into();
            first_failure.get_or_insert(ExpectedError::WriteReport { path, source });
        }
    }
    let context = Context { sources, human: in_file, fails: &fails };
    github_actions::tell(report, main, context, console)?;
    is_elsewhere |= main != Format::Human;
    if is_elsewhere {
        let color = colored::control::SHOULD_COLORIZE.should_colorize();
        console.verdict(&human::render_summary(report, HumanOptions { color, ..on_console }));
    }
    first_failure.map_or(Ok(!is_elsewhere || console.verbosity > Verbosity::Quiet), Err)
}

/// Writes a file all at once or not at all.
pub fn write_file(file: &Utf8Path, text: &str) -> Result<(), ExpectedError> {
    replace(file, text)
        .map_err(|source| ExpectedError::WriteReport { path: file.to_owned(), source })
}

/// Writes a file all at once or not at all: whoever reads it meanwhile, or after a
/// failure, finds what was there before.
fn replace(file: &Utf8Path, text: &str) -> io::Result<()> {
    // What a symbolic link points to is replaced, not the link.
    let file = file.canonicalize_utf8().unwrap_or_else(|_| file.to_owned());
    let old = fs_err::metadata(&file).ok();
    // A pipe or a terminal is written to.
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return fs_err::write(&file, text);
    }
    let folder = file.parent().filter(|folder| !folder.as_str().is_empty());
    let permissions =
        old.as_ref().map_or_else(|| Permissions::from_mode(0o666), Metadata::permissions);
    let created = tempfile::Builder::new()
        .prefix(".concaudit-")
        .permissions(permissions)
        .tempfile_in(folder.unwrap_or(Utf8Path::new(".")));
    let mut temporary = match created {
        Ok(temporary) => temporary,
        // The file may be ours, though the folder is not.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && old.is_some() => {
            return fs_err::write(&file, text);
        }
        Err(error) => return Err(error),
    };
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    temporary.persist(&file)?;
    Ok(())
}

/// A source file's text; `None` where there is none fit to be shown.
pub fn source(file: &Utf8Path) -> Option<String> {
    let metadata = fs_err::metadata(file).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_SOURCE {
        return None;
    }
    let bytes = fs_err::read(file).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
