//! Who has the last word: flags over the environment, that over the file of settings, that
//! over the defaults.

use std::{collections::BTreeMap, fmt::Write as _, time::SystemTime};

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use clap::parser::ValueSource;

use super::{args::TestOptions, exit::ExpectedError};
use crate::{
    config::{self, Configuration, Level, TIME_LIMIT, Threshold},
    finding::{Finding, Severity},
    model,
    project::{Project, canonical},
    rules::{RULE_NAMES, RULES},
    suppress::{self, Allowance, Scope},
};

/// What is in force.
#[derive(Debug)]
pub struct Settings {
    /// The command line's options, with those of the file where the command line and the
    /// environment say nothing.
    pub options: TestOptions,
    /// What the file says, if there is one.
    file: Option<Configuration>,
    /// Where it was looked for.
    folder: Utf8PathBuf,
}

/// Every threshold, by name.
fn thresholds(options: &mut TestOptions) -> Vec<(&'static str, Threshold<'_>)> {
    let mut all = options.rules.thresholds.each();
    all.push((TIME_LIMIT, Threshold::Time(&mut options.run.time_limit)));
    all.sort_by_key(|(name, _)| *name);
    all
}

fn argument(name: &str) -> String {
    name.replace('-', "_")
}

impl Settings {
    /// Reads the nearest file of settings, from the folder of the manifest upwards.
    pub fn read(options: &TestOptions) -> Result<Self, ExpectedError> {
        let here = std::env::current_dir()
            .context("failed to find the current folder")
            .and_then(|folder| Utf8PathBuf::try_from(folder).context("its name is not UTF-8"))
            .map_err(ExpectedError::Usage)?;
        let folder = match options.build.manifest_path.as_deref().and_then(Utf8Path::parent) {
            Some(folder) => canonical(&here.join(folder)),
            None => here,
        };
        let file = config::find(&folder, RULE_NAMES)
            .map_err(|error| ExpectedError::Usage(error.into()))?;
        let mut options = options.clone();
        if let Some(file) = &file {
            apply(file, &mut options);
        }
        Ok(Self { options, file, folder })
    }

    /// All that is in force, and where it is from.
    pub fn tell(&self) -> String {
        let mut text = match &self.file {
            Some(file) => format!("settings: {}\n", file.path),
            None => format!(
                "settings: none; there is no concaudit.toml in {} or above it, and no \
                 `metadata.concaudit` in a Cargo.toml\n",
                self.folder
            ),
        };
        text.push_str("\nthresholds\n");
        let mut options = self.options.clone();
        for (name, threshold) in thresholds(&mut options) {
            let value = threshold.text();
            let line = self.file.as_ref().and_then(|file| file.thresholds.get(name));
            let from = match (self.options.sources.get(&argument(name)), line) {
                (Some(ValueSource::EnvVariable), _) => {
                    format!("CONCAUDIT_{}", argument(name).to_uppercase())
                }
                (Some(_), _) => format!("--{name}"),
                (None, Some(setting)) => self.at(setting.line),
                (None, None) => "default".to_owned(),
            };
            let _ = writeln!(text, "  {name:18} {value:8} {from}");
        }
        text.push_str("\nrules\n");
        for rule in RULES {
            let name = rule.name();
            let flags = &self.options.rules;
            let by_flag =
                [(&flags.allow, "--allow"), (&flags.warn, "--warn"), (&flags.deny, "--deny")]
                    .into_iter()
                    .filter(|(names, _)| names.iter().any(|named| named == name))
                    .map(|(_, flag)| flag)
                    .find(|flag| {
                        flags.levels.get(name).is_some_and(|it| flag.ends_with(it.name()))
                    });
            let level = self.options.rules.levels.get(name);
            let line = self.file.as_ref().and_then(|file| file.levels.get(name));
            let (value, from) =
                if !self.options.rules.is_enabled(name) && level != Some(&Level::Allow) {
                    ("allow", "--rule".to_owned())
                } else {
                    match (level, by_flag, line) {
                        (Some(level), Some(flag), _) => (level.name(), flag.to_owned()),
                        (Some(level), None, Some(setting)) => (level.name(), self.at(setting.line)),
                        _ => {
                            let usual = match rule.default_severity() {
                                Severity::Error => "deny",
                                Severity::Warning => "warn",
                                Severity::Note => "note",
                            };
                            (usual, "default".to_owned())
                        }
                    }
                };
            let _ = writeln!(text, "  {name:18} {value:8} {from}");
        }
        let overrides = self.file.iter().flat_map(|file| &file.overrides.0);
        for (index, settings) in overrides.enumerate() {
            if index == 0 {
                text.push_str("\nfor some tests\n");
            }
            let glob = |name: &str, glob: Option<&glob::Pattern>| {
                glob.map(|glob| format!("{name} `{glob}`"))
            };
            let whom =
                [glob("package", settings.package.as_ref()), glob("test", settings.test.as_ref())];
            let whom: Vec<String> = whom.into_iter().flatten().collect();
            let thresholds = settings
                .thresholds
                .iter()
                .map(|(name, setting)| format!("{name} {}", setting.value));
            let levels = settings
                .levels
                .iter()
                .map(|(rule, setting)| format!("{rule} {}", setting.value.name()));
            let what: Vec<String> = thresholds.chain(levels).collect();
            let _ = writeln!(
                text,
                "  {}: {} ({})",
                whom.join(", "),
                what.join(", "),
                self.at(settings.line)
            );
        }
        let allows = self.file.iter().flat_map(|file| &file.allows);
        for (index, allow) in allows.enumerate() {
            if index == 0 {
                text.push_str("\nallowed findings\n");
            }
            let _ = write!(text, "  {} at `{}`: {}", allow.rule, allow.site, allow.reason);
            if let Some(owner) = &allow.owner {
                let _ = write!(text, ", {owner}");
            }
            if let Some(until) = &allow.until {
                let _ = write!(text, ", until {until}");
            }
            let _ = writeln!(text, " ({})", self.at(allow.line));
        }
        text
    }

    /// A line of the file.
    fn at(&self, line: u32) -> String {
        let file = self.file.as_ref().and_then(|file| file.path.file_name()).unwrap_or_default();
        format!("{file}:{line}")
    }

    /// What the file and the comments in the sources allow.
    pub fn allowances(&self, project: &Project) -> Result<Vec<Allowance>, ExpectedError> {
        if self.options.rules.no_suppress {
            return Ok(Vec::new());
        }
        let comments = suppress::comments(project, RULE_NAMES)
            .map_err(|error| ExpectedError::Usage(error.into()))?;
        let settings = self.file.iter().flat_map(|file| {
            let name = project.display_path(&canonical(&file.path));
            file.allows.iter().map(move |allow| Allowance::from_settings(allow, &name))
        });
        Ok(settings.chain(comments).collect())
    }

    /// Gives the findings of a rule the level that was set for it, or for the tests in which they
    /// were seen: of several, the highest. Notes stay notes: what is only possible, or test code's
    /// alone, is no worse for that. Where all of those tests allow the rule, it is no finding.
    pub fn set_levels(&self, findings: &mut Vec<Finding>, run: &model::Run) {
        let overrides = &self.options.overrides;
        let tests: BTreeMap<&str, &model::Test> =
            run.tests.iter().map(|test| (test.name.as_str(), test)).collect();
        findings.retain_mut(|finding| {
            let general = self.options.rules.levels.get(&finding.rule).copied();
            let levels = finding.tests.iter().map(|name| {
                let test = tests.get(name.as_str())?;
                let path = test.identity.path.as_deref().unwrap_or_default();
                overrides.level(&test.package, path, &finding.rule).or(general)
            });
            // `None`, the usual level, is none to be set where another test has it.
            let levels: Vec<Option<Level>> = levels.collect();
            let level = match levels.iter().min() {
                None => general,
                Some(None) => None,
                Some(Some(_)) => levels.into_iter().flatten().max(),
            };
            let severity = match level {
                Some(Level::Note) => Severity::Note,
                Some(Level::Warn) => Severity::Warning,
                Some(Level::Deny) => Severity::Error,
                Some(Level::Allow) => return false,
                None => return true,
            };
            let variants = finding.variants.iter_mut().map(|variant| &mut variant.severity);
            for known in variants.chain([&mut finding.severity]) {
                if *known > Severity::Note {
                    *known = severity;
                }
            }
            true
        });
    }

    /// Marks what is allowed. `is_complete` says whether the run was about everything.
    pub fn suppress(
        &self,
        findings: &mut Vec<Finding>,
        allowances: &[Allowance],
        is_complete: bool,
    ) {
        let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        let today = now.split('T').next().unwrap_or_default();
        let is_enabled = |rule: &str| self.options.rules.is_enabled(rule);
        suppress::apply(
            findings,
            allowances,
            Scope { today, is_complete, is_enabled: &is_enabled },
        );
    }
}

/// What the file says counts where nobody else says anything.
fn apply(file: &Configuration, options: &mut TestOptions) {
    let sources = options.sources.clone();
    for (name, threshold) in thresholds(options) {
        if sources.contains_key(&argument(name)) {
            continue;
        }
        if let Some(setting) = file.thresholds.get(name) {
            threshold.set(setting.value);
        }
    }
    options.overrides = file.overrides.clone();
    for settings in &mut options.overrides.0 {
        settings.thresholds.retain(|name, _| !sources.contains_key(&argument(name)));
        settings.levels.retain(|rule, _| !options.rules.levels.contains_key(*rule));
    }
    let rules = &mut options.rules;
    for (rule, setting) in &file.levels {
        let is_asked_for = rules.only.iter().any(|only| only == rule);
        if !(setting.value == Level::Allow && is_asked_for) {
            rules.levels.entry((*rule).to_owned()).or_insert(setting.value);
        }
    }
}
