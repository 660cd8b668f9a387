//! The file of known findings.

use std::collections::BTreeMap;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::{config::ConfigError, finding::Severity};

/// The version of the file's format.
const VERSION: u32 = 1;

const HEADER: &str = "\
# Findings that are known: they do not fail `cargo concaudit --baseline`.
# Written by `--update-baseline`, which keeps each `reason`; comments are not kept.
";

/// The known findings of a project, by what identifies them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    pub(super) findings: BTreeMap<Key, KnownFinding>,
}

/// A rule and a fingerprint.
pub(super) type Key = (String, String);

/// One finding that is known. It is the fingerprint that counts; the place is for the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFinding {
    /// Of which rule.
    pub rule: String,
    /// How bad it was at its worst; a worse one is new.
    pub severity: Severity,
    /// The file of the line to blame.
    pub file: String,
    /// The function, as far as known.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub function: String,
    /// What it is recognised by.
    pub fingerprint: String,
    /// Why it is still there: for people to write.
    #[serde(default)]
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    #[serde(default)]
    finding: Vec<KnownFinding>,
}

#[derive(Deserialize)]
struct Version {
    version: toml::Spanned<u32>,
}

impl KnownFinding {
    pub(super) fn key(&self) -> Key {
        (self.rule.clone(), self.fingerprint.clone())
    }
}

impl Baseline {
    /// Reads the file at `path`, which has this text.
    pub fn parse(path: &Utf8Path, text: &str) -> Result<Self, ConfigError> {
        // The version first: of another one nothing else may be understood.
        if let Ok(Version { version }) = toml::from_str::<Version>(text)
            && *version.get_ref() != VERSION
        {
            return Err(ConfigError::at(
                (path, text),
                version.span(),
                format!("failed to read a baseline of version {}", version.get_ref()),
                format!("this tool knows version {VERSION}"),
                "use the version of cargo-concaudit that wrote it, or write it again with \
                 `--update-baseline` to another file",
            ));
        }
        let written: Written = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().lines().next().unwrap_or("it is no baseline").to_owned();
            let help = "mend it by hand, or restore it from version control";
            ConfigError::at((path, text), span, "failed to read the baseline", message, help)
        })?;
        let mut findings: BTreeMap<Key, KnownFinding> = BTreeMap::new();
        for known in written.finding {
            let severity = known.severity;
            let kept = findings.entry(known.key()).or_insert(known);
            kept.severity = kept.severity.max(severity);
        }
        Ok(Self { findings })
    }

    /// As it is written: sorted by rule, file, function and fingerprint.
    pub fn render(&self) -> Result<String, toml::ser::Error> {
        let mut finding: Vec<KnownFinding> = self.findings.values().cloned().collect();
        finding.sort_by(|a, b| {
            (&a.rule, &a.file, &a.function, &a.fingerprint).cmp(&(
                &b.rule,
                &b.file,
                &b.function,
                &b.fingerprint,
            ))
        });
        let body = toml::to_string(&Written { version: VERSION, finding })?;
        Ok(format!("{HEADER}\n{body}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(fingerprint: &str, reason: &str) -> KnownFinding {
        KnownFinding {
            rule: "leaked-thread".to_owned(),
            severity: Severity::Warning,
            file: "src/lib.rs".to_owned(),
            function: "shop::<impl Clock for \"x\">::start".to_owned(),
            fingerprint: fingerprint.to_owned(),
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let findings =
            [known("2", "the clock \"runs\"\nfor ever"), known("1", "")].map(|it| (it.key(), it));
        let baseline = Baseline { findings: findings.into() };
        let text = baseline.render().expect("it has a form");
        assert!(text.find("\"1\"") < text.find("\"2\""), "{text}");
        assert_eq!(Baseline::parse("b.toml".into(), &text).expect("it is ours"), baseline);
    }

    #[test]
    fn what_is_no_baseline_is_underlined() {
        for (text, said) in [
            ("version = 2\nfuture = 1\n", "this tool knows version 1"),
            ("[[finding]]\n", "missing field"),
            ("version = 1\n[[finding]]\nrule = \"x\"\n", "missing field `severity`"),
            ("version = 1\n[[findin", "b.toml:2"),
            ("version = 1\n[[findings]]\n", "unknown field `findings`"),
        ] {
            let error = Baseline::parse("b.toml".into(), text).expect_err(text);
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
    }
}
