//! `cargo concaudit report FILE` and `merge FILE...`

use std::io::Read as _;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};

use super::{
    args::{MergeOptions, ReportFileOptions},
    console::Console,
    exit::{ExpectedError, settle, unless_told, verdict},
    reports::{self, Destinations},
};
use crate::report::{Format, json, merge, summary::Report};

/// Writes a JSON report again. The exit code is that of an audit with these findings.
pub fn report(options: &ReportFileOptions, console: &mut Console) -> Result<(), ExpectedError> {
    reports::check_destinations(&options.output)?;
    let report = read(&options.file).map_err(ExpectedError::Usage)?;
    let sources = sources().map_err(ExpectedError::Usage)?;
    let destinations =
        Destinations { options: &options.output, default: Format::Human, sources: &sources };
    reports::write(&report, destinations, console)?;
    let count = report
        .findings
        .iter()
        .filter(|found| found.counts() && options.output.fail_on.includes(found.severity));
    match count.count() {
        0 => Ok(()),
        count => Err(ExpectedError::Findings { count, fail_on: options.output.fail_on.name() }),
    }
}

/// Joins the reports of shards. The exit code is that of one run of all their tests.
pub fn merge(options: &MergeOptions, console: &mut Console) -> Result<(), ExpectedError> {
    reports::check_destinations(&options.output)?;
    let reports: anyhow::Result<Vec<Report>> =
        options.files.iter().map(|file| read(file)).collect();
    let merged = reports.and_then(|reports| Ok(merge::merge(reports)?));
    let mut report = merged.context("failed to merge the reports").map_err(ExpectedError::Usage)?;
    let sources = sources().map_err(ExpectedError::Usage)?;
    let verdict = verdict(&report, options.output.fail_on, options.coverage);
    settle(&mut report, &verdict);
    let destinations =
        Destinations { options: &options.output, default: Format::Human, sources: &sources };
    let is_told = reports::write(&report, destinations, console)?;
    unless_told(verdict, is_told)
}

/// Reads a JSON report; `-` is standard input.
pub fn read(file: &Utf8Path) -> anyhow::Result<Report> {
    let failed = || format!("failed to read the report {file}");
    anyhow::ensure!(!file.is_dir(), "{}: it is a folder, name a file in it", failed());
    let mut text = String::new();
    if file == "-" {
        std::io::stdin().read_to_string(&mut text).with_context(failed)?;
    } else {
        let bytes = fs_err::read(file).with_context(failed)?;
        text = String::from_utf8(bytes).with_context(failed)?;
    }
    json::parse(&text).with_context(failed)
}

/// Files by their path from the root of the workspace, which is the current folder or one
/// above it.
pub fn sources() -> anyhow::Result<impl Fn(&str) -> Option<String>> {
    let here = std::env::current_dir().context("failed to find the current folder")?;
    let here = Utf8PathBuf::try_from(here).context("the current folder's name is not UTF-8")?;
    Ok(move |file: &str| here.ancestors().find_map(|folder| reports::source(&folder.join(file))))
}
