//! Cargo's configuration, as far as it says how tests are compiled and run:
//! configuration files and environment through cargo-config2, and on top of
//! them the `--config` arguments, which it does not know.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use camino::Utf8PathBuf;
use cargo_config2::Config;
use fs_err as fs;
use toml::{Table, Value};

/// Why the configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// A file is not what cargo would accept.
    #[error("failed to read cargo's configuration: {0}")]
    Files(#[from] cargo_config2::Error),
    /// The argument is neither `KEY=VALUE` nor a file.
    #[error("failed to read `--config {argument}`: {reason}")]
    Argument { argument: String, reason: String },
    /// Tests run on one target.
    #[error(
        "failed to choose a target: `build.target` names several ({targets}); choose one with `--target`"
    )]
    SeveralTargets { targets: String },
}

/// The configuration that is in force in a folder.
#[derive(Debug)]
pub struct Configuration {
    files: Config,
    /// The `--config` arguments, merged, the later over the earlier.
    arguments: Table,
    folder: PathBuf,
}

impl Configuration {
    /// Reads what cargo would read when called in `folder` with these
    /// `--config` arguments.
    pub fn load(folder: &Path, arguments: &[String]) -> Result<Self, ConfigurationError> {
        let files = Config::load_with_cwd(folder)?;
        let mut merged = Table::new();
        for argument in arguments {
            let error = |reason: String| ConfigurationError::Argument {
                argument: argument.clone(),
                reason,
            };
            let path = folder.join(argument);
            // As cargo does: a file if there is one of that name.
            let table = if path.is_file() {
                let mut table: Table = fs::read_to_string(&path)
                    .map_err(|source| error(source.to_string()))?
                    .parse()
                    .map_err(|source: toml::de::Error| error(source.message().to_owned()))?;
                let root = path.parent().and_then(Path::parent).unwrap_or(folder);
                resolve_relative_values(&mut table, root);
                table
            } else {
                argument
                    .parse()
                    .map_err(|source: toml::de::Error| error(source.message().to_owned()))?
            };
            merge(&mut merged, table);
        }
        resolve_relative_values(&mut merged, folder);
        Ok(Self { files, arguments: merged, folder: folder.to_owned() })
    }

    fn argument(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.arguments.get(*first)?, |value, key| value.get(*key))
    }

    /// A program given by a `--config` argument: a path where it has a
    /// separator, else to be looked up by the system.
    fn program(&self, value: &str) -> PathBuf {
        if value.contains(['/', '\\']) { self.folder.join(value) } else { value.into() }
    }

    /// The compiler.
    pub fn rustc(&self) -> PathBuf {
        if env::var_os("RUSTC").is_none()
            && let Some(rustc) = self.argument(&["build", "rustc"]).and_then(Value::as_str)
        {
            return self.program(rustc);
        }
        self.files.build.rustc.clone().unwrap_or_else(|| "rustc".into())
    }

    /// The wrapper that the user has around the compiler.
    pub fn rustc_wrapper(&self) -> Option<PathBuf> {
        if env::var_os("RUSTC_WRAPPER").is_none()
            && let Some(wrapper) =
                self.argument(&["build", "rustc-wrapper"]).and_then(Value::as_str)
        {
            return Some(self.program(wrapper)).filter(|_| !wrapper.is_empty());
        }
        self.files.build.rustc_wrapper.clone()
    }

    /// The target triple that the configuration asks for.
    pub fn target(&self) -> Result<Option<String>, ConfigurationError> {
        let targets = match self.argument(&["build", "target"]) {
            Some(Value::String(target)) => vec![target.clone()],
            Some(Value::Array(targets)) => {
                targets.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => self.files.build_target_for_cli(None::<&str>)?,
        };
        if targets.len() > 1 {
            return Err(ConfigurationError::SeveralTargets { targets: targets.join(", ") });
        }
        Ok(targets.into_iter().next())
    }

    /// The `runner` of a target, program first; empty where there is none.
    pub fn runner(&self, target: &str) -> Result<Vec<OsString>, ConfigurationError> {
        let words: Option<Vec<&str>> = match self.argument(&["target", target, "runner"]) {
            Some(Value::String(line)) => Some(line.split_whitespace().collect()),
            Some(Value::Array(words)) => Some(words.iter().filter_map(Value::as_str).collect()),
            _ => None,
        };
        if let Some((program, args)) = words.as_deref().and_then(<[_]>::split_first) {
            return Ok(std::iter::once(self.program(program).into_os_string())
                .chain(args.iter().map(OsString::from))
                .collect());
        }
        let runner = self.files.runner(target)?;
        Ok(runner.map_or_else(Vec::new, |runner| {
            std::iter::once(runner.path.into_os_string()).chain(runner.args).collect()
        }))
    }

    /// The `linker` of a target.
    pub fn linker(&self, target: &str) -> Result<Option<PathBuf>, ConfigurationError> {
        match self.argument(&["target", target, "linker"]).and_then(Value::as_str) {
            Some(linker) => Ok(Some(self.program(linker))),
            None => Ok(self.files.linker(target)?),
        }
    }

    /// Whether the flags of this target have `crt-static` in them.
    pub fn links_statically(&self, target: &str) -> Result<bool, ConfigurationError> {
        let mut flags: Vec<String> =
            self.files.rustflags(target)?.map_or_else(Vec::new, |flags| flags.flags.clone());
        for path in [&["build", "rustflags"] as &[&str], &["target", target, "rustflags"]] {
            match self.argument(path) {
                Some(Value::String(text)) => flags.push(text.clone()),
                Some(Value::Array(array)) => {
                    flags.extend(array.iter().filter_map(|flag| flag.as_str().map(str::to_owned)));
                }
                _ => {}
            }
        }
        let last = flags.iter().rev().find_map(|flag| {
            let features = flag.rsplit_once("target-feature=").map_or(flag.as_str(), |(_, it)| it);
            features.split([',', ' ']).rev().find_map(|feature| match feature {
                "+crt-static" => Some(true),
                "-crt-static" => Some(false),
                _ => None,
            })
        });
        Ok(last.unwrap_or(false))
    }

    /// The `[env]` table, less what the environment has already (unless it is
    /// to be forced).
    pub fn environment(&self) -> BTreeMap<String, OsString> {
        let files = self
            .files
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.value.clone(), value.force));
        let arguments = self.arguments.get("env").and_then(Value::as_table).into_iter().flatten();
        let arguments = arguments.filter_map(|(name, value)| match value {
            Value::String(value) => Some((name.clone(), value.into(), false)),
            value => {
                let is_forced = value.get("force").and_then(Value::as_bool).unwrap_or(false);
                Some((name.clone(), value.get("value")?.as_str()?.into(), is_forced))
            }
        });
        files
            .chain(arguments)
            .filter(|(name, _, is_forced)| *is_forced || env::var_os(name).is_none())
            .map(|(name, value, _)| (name, value))
            .collect()
    }
}

/// Puts `high` over `low`, tables merged key by key.
fn merge(low: &mut Table, high: Table) {
    for (key, value) in high {
        match (low.get_mut(&key), value) {
            (Some(Value::Table(low)), Value::Table(high)) => merge(low, high),
            (_, value) => {
                low.insert(key, value);
            }
        }
    }
}

/// Makes `env.NAME = { value, relative = true }` absolute.
fn resolve_relative_values(table: &mut Table, root: &Path) {
    let Some(Value::Table(env)) = table.get_mut("env") else { return };
    for value in env.iter_mut().filter_map(|(_, value)| value.as_table_mut()) {
        let is_relative = value.get("relative").and_then(Value::as_bool) == Some(true);
        let text = value.get("value").and_then(Value::as_str).map(|text| root.join(text));
        if let (true, Some(Ok(path))) = (is_relative, text.map(Utf8PathBuf::from_path_buf)) {
            value.insert("value".into(), Value::String(path.into_string()));
            value.insert("relative".into(), Value::Boolean(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_go_over_files_and_relative_values_follow_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join(".cargo")).unwrap();
        fs::write(
            root.join(".cargo/config.toml"),
            "[env]\nCONCAUDIT_T1 = \"file\"\nCONCAUDIT_T2 = \"file\"\n\
             CONCAUDIT_T3 = { value = \"d\", relative = true }\nPATH = \"never\"\n\
             [target.x86_64-unknown-linux-gnu]\nrunner = [\"run\", \"a b\"]\n",
        )
        .unwrap();
        fs::create_dir_all(root.join("conf")).unwrap();
        fs::write(
            root.join("conf/c.toml"),
            "[env]\nCONCAUDIT_T4 = { value = \"e\", relative = true }\n",
        )
        .unwrap();
        let arguments = ["env.CONCAUDIT_T2=\"argument\"".to_owned(), "conf/c.toml".to_owned()];
        let configuration = Configuration::load(root, &arguments).unwrap();
        let environment = configuration.environment();
        assert_eq!(environment["CONCAUDIT_T1"], "file");
        assert_eq!(environment["CONCAUDIT_T2"], "argument");
        assert_eq!(environment["CONCAUDIT_T3"], root.join("d").as_os_str());
        assert_eq!(environment["CONCAUDIT_T4"], root.join("e").as_os_str());
        assert!(!environment.contains_key("PATH"));
        assert_eq!(
            configuration.runner("x86_64-unknown-linux-gnu").unwrap(),
            ["run", "a b"].map(OsString::from)
        );
    }

    #[test]
    fn several_targets_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["build.target=['a','b']".to_owned()];
        let configuration = Configuration::load(folder.path(), &arguments).unwrap();
        assert!(matches!(
            configuration.target(),
            Err(ConfigurationError::SeveralTargets { targets }) if targets == "a, b"
        ));
    }

    #[test]
    fn a_static_c_library_is_told_by_the_last_flag_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let is_static = |argument: &str| {
            let configuration = Configuration::load(folder.path(), &[argument.to_owned()]).unwrap();
            configuration.links_statically("x86_64-unknown-linux-gnu").unwrap()
        };
        assert!(is_static("build.rustflags=['-C', 'target-feature=+avx,+crt-static']"));
        assert!(is_static(
            "target.x86_64-unknown-linux-gnu.rustflags='-Ctarget-feature=+crt-static'"
        ));
        assert!(!is_static("build.rustflags=['-Ctarget-feature=+crt-static,-crt-static']"));
        assert!(!is_static("build.rustflags=['-Copt-level=1']"));
    }
}
