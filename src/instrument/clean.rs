//! Removes what earlier builds left.

use std::io;

use camino::Utf8PathBuf;

use super::{
    configuration::Configuration,
    error::BuildError,
    kept::{self, CleanError, OUTPUT_FOLDER},
    options::BuildArgs,
    probe,
    workspace::{current_folder, read_metadata, require_manifest, toolchain},
};

/// What [`clean`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rubbish {
    /// The project's instrumented builds.
    Builds,
    /// The cached probes of all toolchains.
    Probes,
    /// Both, the former where the current folder is in a project.
    All,
}

/// What was removed.
#[derive(Debug)]
pub struct Removed {
    /// The folder that is no more.
    pub folder: Utf8PathBuf,
    /// What was in it: [`Rubbish::Builds`] or [`Rubbish::Probes`].
    pub what: Rubbish,
    /// So many of them.
    pub count: usize,
}

/// Removes what was built.
pub fn clean(args: &BuildArgs, rubbish: Rubbish) -> Result<Vec<Removed>, BuildError> {
    let mut removed = Vec::new();
    if rubbish != Rubbish::Probes {
        removed.extend(match clean_builds(args) {
            Err(BuildError::NotAProject { .. }) if rubbish == Rubbish::All => None,
            cleaned => cleaned?,
        });
    }
    if rubbish != Rubbish::Builds
        && let Some((folder, count)) = probe::clean(&probe::cache_dir()?)?
    {
        removed.push(Removed { folder, what: Rubbish::Probes, count });
    }
    Ok(removed)
}

fn clean_builds(args: &BuildArgs) -> Result<Option<Removed>, BuildError> {
    let folder = current_folder()?;
    require_manifest(args, &folder)?;
    let target_dir = if let Some(target_dir) = &args.target_dir {
        folder.join(target_dir)
    } else {
        let configuration = Configuration::load(folder.as_std_path(), &args.config)?;
        let toolchain = toolchain(&configuration, &folder)?;
        read_metadata(&toolchain, args, None)?.0.target_directory
    };
    let output = target_dir.join(OUTPUT_FOLDER);
    match kept::clean(&output) {
        Ok(count) => Ok(Some(Removed { folder: output, what: Rubbish::Builds, count })),
        Err(CleanError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(CleanError::Io(source)) => {
            Err(BuildError::TargetDir { action: "remove", path: output, source })
        }
        Err(CleanError::InUse) => Err(BuildError::BuildInUse { path: output }),
    }
}
