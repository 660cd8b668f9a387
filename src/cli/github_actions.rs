//! In a job of GitHub Actions findings annotate the lines that they are about, and are in the
//! summary of the job, without being asked for.

use std::{env, io::Write as _};

use super::{console::Console, exit::ExpectedError};
use crate::report::{Context, Format, summary::Report};

/// Annotates and summarises, where this is such a job. A summary that cannot be written is a
/// warning: the report itself is elsewhere.
pub fn tell(
    report: &Report,
    main: Format,
    context: Context<'_>,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    if env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return Ok(());
    }
    let render = |format: Format| {
        format.render(report, context).map_err(|error| ExpectedError::Tool(error.into()))
    };
    if main != Format::Github {
        console.annotations(&render(Format::Github)?);
    }
    let Some(file) = env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) else {
        return Ok(());
    };
    let text = render(Format::Markdown)?;
    let written = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .open(std::path::Path::new(&file))
        .and_then(|mut file| file.write_all(text.as_bytes()));
    if let Err(error) = written {
        console.warning(&format!("failed to add to the summary of the job: {error}"));
    }
    Ok(())
}
