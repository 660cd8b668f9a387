//! Where the settings are.

use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};

use super::{ConfigError, Configuration};

/// The file that holds nothing but our settings.
const FILE: &str = "concaudit.toml";

/// The nearest settings from `folder` (absolute) upwards: `concaudit.toml` or, in a folder
/// without one, the metadata of a `Cargo.toml`. `None` where nobody has written any.
pub fn find(
    folder: &Utf8Path,
    rules: &[&'static str],
) -> Result<Option<Configuration>, ConfigError> {
    for folder in folder.ancestors() {
        let own = folder.join(FILE);
        if let Some(text) = read(&own, true)? {
            return Configuration::parse(&own, &text, rules).map(Some);
        }
        let manifest = folder.join("Cargo.toml");
        // A manifest that is no TOML is cargo's to complain about.
        if let Some(text) = read(&manifest, false)?
            && let Some(found) = Configuration::parse_metadata(&manifest, &text, rules)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The text of a file; `None` where there is none. Who asks for a file of ours hears of one
/// that cannot be read.
fn read(path: &Utf8PathBuf, is_ours: bool) -> Result<Option<String>, ConfigError> {
    let failed = |reason: String| {
        if is_ours { Err(ConfigError::Read { path: path.clone(), reason }) } else { Ok(None) }
    };
    if path.is_dir() {
        return failed(
            "it is a folder; the settings are in a file of this name, so rename the folder"
                .to_owned(),
        );
    }
    match fs_err::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let before = &error.as_bytes()[..valid];
                let line = String::from_utf8_lossy(before).matches('\n').count() + 1;
                failed(format!("line {line} is not UTF-8; save the file in that encoding"))
            }
        },
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => failed(error.to_string()),
    }
}
