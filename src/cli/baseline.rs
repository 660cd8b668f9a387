//! `--baseline` and `--update-baseline`

use anyhow::Context as _;
use camino::Utf8Path;

use super::{
    args::{FailOn, ReportOptions},
    console::Console,
    exit::ExpectedError,
    reports,
};
use crate::{
    baseline::{Baseline, Changes},
    describe::counted,
    finding::Finding,
};

/// How many mended findings are named before the rest is only counted.
const MENDED_NAMED: usize = 10;

/// Reads the file of known findings, before anything is built. There may be none yet where it
/// is to be written.
pub fn read(options: &ReportOptions) -> Result<Option<Baseline>, ExpectedError> {
    let Some(path) = &options.baseline else { return Ok(None) };
    if !path.exists() && options.update_baseline {
        return Ok(Some(Baseline::default()));
    }
    parse(path).map(Some).map_err(ExpectedError::Usage)
}

fn parse(path: &Utf8Path) -> anyhow::Result<Baseline> {
    let failed = || format!("failed to read the baseline {path}");
    anyhow::ensure!(!path.is_dir(), "{}: it is a folder, name a file in it", failed());
    let text = match fs_err::read(path) {
        Ok(bytes) => String::from_utf8(bytes).with_context(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            anyhow::bail!("{}: there is none, write it with `--update-baseline`", failed())
        }
        Err(error) => return Err(error).with_context(failed),
    };
    Ok(Baseline::parse(path, &text)?)
}

/// Marks the findings that are known; with `--update-baseline`, all that would fail the run
/// are known from now on. `is_complete` says of a rule whether a finding of it that was not
/// found is mended.
pub fn apply(
    mut baseline: Baseline,
    findings: &mut [Finding],
    options: &ReportOptions,
    is_complete: impl Fn(&str) -> bool,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    // Where nothing fails the run, what usually does is meant.
    let least = match options.output.fail_on {
        FailOn::Never => FailOn::Warning,
        least => least,
    };
    let before = baseline.clone();
    let fails = |finding: &Finding| least.includes(finding.severity);
    let changes = baseline.update(findings, fails, is_complete);
    if !options.update_baseline {
        before.mark(findings);
        if !changes.mended.is_empty() {
            let count = counted(changes.mended.len() as u64, "known finding", "known findings");
            let them = if changes.mended.len() == 1 { "it" } else { "them" };
            let message = format!("{count} not found any more; `--update-baseline` removes {them}");
            console.status("Baseline", &message);
        }
        return Ok(());
    }
    baseline.mark(findings);
    let Some(path) = &options.baseline else { return Ok(()) };
    let text = baseline.render().map_err(|error| ExpectedError::Tool(error.into()))?;
    reports::write_file(path, &text)?;
    tell(path, &baseline, &changes, console);
    Ok(())
}

fn tell(path: &Utf8Path, baseline: &Baseline, changes: &Changes, console: &mut Console) {
    let total = counted(baseline.len() as u64, "known finding", "known findings");
    let unseen = match changes.unseen {
        0 => String::new(),
        unseen => format!(", {unseen} kept that this run could not tell of"),
    };
    let allowed = match changes.allowed {
        0 => String::new(),
        allowed => format!(", {allowed} removed that the settings or a comment allow"),
    };
    let message = format!(
        "{path} has {total}: {} added, {} found again{unseen}{allowed}, {} mended",
        changes.added,
        changes.kept,
        changes.mended.len(),
    );
    console.status("Baseline", &message);
    for mended in changes.mended.iter().take(MENDED_NAMED) {
        console
            .status("Mended", &format!("{} at {} {}", mended.rule, mended.file, mended.function));
    }
    if let Some(further @ 1..) = changes.mended.len().checked_sub(MENDED_NAMED) {
        console.status("Mended", &format!("and {further} more"));
    }
}
