//! `cargo concaudit setup`

use super::{args::SetupOptions, build::build_error, console::Console, exit::ExpectedError};
use crate::instrument;

/// Builds the probe ahead of its first use.
pub fn setup(options: &SetupOptions, console: &mut Console) -> Result<(), ExpectedError> {
    let setup = instrument::SetupOptions {
        target: options.target.clone(),
        offline: options.offline,
        jobs: options.jobs.clone(),
    };
    let setup =
        instrument::setup(&setup, &mut |event| console.build_event(&event)).map_err(build_error)?;
    console.status(
        "Ready",
        &format!("the probe for {} and rustc {} is in {}", setup.target, setup.rustc, setup.folder),
    );
    Ok(())
}
