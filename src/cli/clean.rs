//! `cargo concaudit clean`

use super::{args::CleanOptions, build::build_error, console::Console, exit::ExpectedError};
use crate::{
    describe::counted,
    instrument::{self, BuildArgs, Rubbish},
};

/// Removes what was built.
pub fn clean(options: &CleanOptions, console: &mut Console) -> Result<(), ExpectedError> {
    let args = BuildArgs {
        manifest_path: options.manifest_path.clone(),
        target_dir: options.target_dir.clone(),
        ..BuildArgs::default()
    };
    let rubbish = match (options.probe, options.all) {
        (_, true) => Rubbish::All,
        (true, false) => Rubbish::Probes,
        (false, false) => Rubbish::Builds,
    };
    let removed = instrument::clean(&args, rubbish).map_err(build_error)?;
    if removed.is_empty() {
        let what = match rubbish {
            Rubbish::Builds => "the project has no instrumented build",
            Rubbish::Probes => "the cache has no probe",
            Rubbish::All => "there is neither an instrumented build nor a cached probe",
        };
        console.status("Clean", &format!("already: {what}"));
    }
    for instrument::Removed { folder, what, count } in removed {
        let count = count as u64;
        let what = match what {
            Rubbish::Builds => counted(count, "instrumented build", "instrumented builds"),
            _ => counted(count, "probe for all projects", "probes for all projects"),
        };
        console.status("Removed", &format!("{folder} ({what})"));
    }
    Ok(())
}
