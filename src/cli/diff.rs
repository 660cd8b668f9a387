//! `cargo concaudit diff OLD NEW`

use super::{
    args::{DiffFormat, DiffOptions},
    console::Console,
    exit::ExpectedError,
    report_file,
};
use crate::report::diff::diff as compare;

/// Compares two reports, and fails on news if that is asked for.
pub fn diff(options: &DiffOptions, console: &mut Console) -> Result<(), ExpectedError> {
    let read = |file| report_file::read(file).map_err(ExpectedError::Usage);
    let diff = compare(&read(&options.old)?, &read(&options.new)?);
    let text = match options.format {
        DiffFormat::Human => diff.render_human(console.color),
        DiffFormat::Markdown => diff.render_markdown(),
        DiffFormat::Json => {
            let text = serde_json::to_string_pretty(&diff).map_err(anyhow::Error::from)?;
            format!("{text}\n")
        }
    };
    console
        .report(&text)
        .map_err(|source| ExpectedError::WriteReport { path: "standard output".into(), source })?;
    match diff.news() {
        count @ 1.. if options.fail_on.is_some() => {
            Err(ExpectedError::Findings { count, fail_on: "new" })
        }
        _ => Ok(()),
    }
}
