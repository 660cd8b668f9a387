//! What a file of settings says.

use std::{borrow::Cow, collections::BTreeMap, fmt, ops::Range, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{ConfigError, Override, Overrides, Threshold, Thresholds};

/// The one among the thresholds that is not about findings: the age at which a test that does
/// not get on is ended.
pub const TIME_LIMIT: &str = "time-limit";

/// What a glob is made of.
const GLOBS: &str = "`*` stands for any characters, `?` for one, `[ab]` for one of these";

/// What it is where nobody says otherwise.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(60);

/// What becomes of the findings of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The rule is not asked.
    Allow,
    /// They are notes.
    Note,
    /// They are warnings.
    Warn,
    /// They are errors.
    Deny,
}

impl Level {
    pub(super) const ALL: [(&str, Self); 4] =
        [("allow", Self::Allow), ("note", Self::Note), ("warn", Self::Warn), ("deny", Self::Deny)];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}

/// What a threshold is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// `"250ms"`
    Time(Duration),
    /// `500`
    Number(u64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => humantime::format_duration(*time).fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// Something that is set, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    /// What it is set to.
    pub value: T,
    /// The line in the file, 1-based.
    pub line: u32,
}

/// One `[[allow]]`: findings that are known and do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Of findings of this rule.
    pub rule: &'static str,
    /// A glob over the file, the function or `crate::path` of a place of the finding.
    pub site: String,
    /// Why they do not count.
    pub reason: String,
    /// Who is to be asked.
    pub owner: Option<String>,
    /// The last day, as `2027-01-31`.
    pub until: Option<String>,
    /// Where it begins in the file, 1-based.
    pub line: u32,
}

/// All that a file of settings says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The file, absolute.
    pub path: Utf8PathBuf,
    /// Thresholds by name.
    pub thresholds: BTreeMap<&'static str, Setting<Value>>,
    /// Levels by the name of the rule.
    pub levels: BTreeMap<&'static str, Setting<Level>>,
    /// In the order of the file.
    pub allows: Vec<Allow>,
    /// Settings for some tests only.
    pub overrides: Overrides,
}

impl Configuration {
    /// Reads a `concaudit.toml`.
    pub fn parse(path: &Utf8Path, text: &str, rules: &[&'static str]) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| syntax(path, text, &error))?;
        Reader { path, text, rules }.read(table.get_ref())
    }

    /// Reads the metadata of a `Cargo.toml`: the workspace's, else the package's. `None`
    /// where it has none of ours.
    pub fn parse_metadata(
        path: &Utf8Path,
        text: &str,
        rules: &[&'static str],
    ) -> Result<Option<Self>, ConfigError> {
        let Ok(manifest) = DeTable::parse(text) else { return Ok(None) };
        let reader = Reader { path, text, rules };
        for of in ["workspace", "package"] {
            let metadata = table_at(manifest.get_ref(), of).and_then(|it| table_at(it, "metadata"));
            let Some(value) = metadata.and_then(|it| it.get("concaudit")) else { continue };
            let table = reader.table(value, &format!("`{of}.metadata.concaudit`"))?;
            return reader.read(table).map(Some);
        }
        Ok(None)
    }
}

fn table_at<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    match table.get(key)?.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn syntax(path: &Utf8Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let span = error.span().unwrap_or(0..0);
    let message = error.message().lines().next().unwrap_or("it is no TOML");
    ConfigError::at((path, text), span, "failed to read the settings as TOML", message, "")
}

/// Whether a text is a day, as `2027-01-31`.
fn is_date(text: &str) -> bool {
    text.len() == 10 && humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).is_ok()
}

/// The known name that a mistyped one is closest to, if it is close at all.
pub fn nearest(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let similarity = |known: &&str| (strsim::jaro_winkler(name, known) * 1000.0) as u32;
    names.iter().copied().max_by_key(similarity).filter(|known| similarity(known) >= 800)
}

/// Reads the tables of one file.
struct Reader<'a> {
    path: &'a Utf8Path,
    text: &'a str,
    rules: &'a [&'static str],
}

impl Reader<'_> {
    fn read(&self, table: &DeTable<'_>) -> Result<Configuration, ConfigError> {
        const KEYS: [&str; 4] = ["allow", "override", "rules", "thresholds"];
        let mut found = Configuration { path: self.path.to_owned(), ..Configuration::default() };
        for (key, value) in table {
            match self.known(key, &KEYS, "table")? {
                "thresholds" => found.thresholds = self.thresholds(value)?,
                "rules" => found.levels = self.levels(value)?,
                "override" => {
                    for entry in self.tables(value, "override")? {
                        found.overrides.0.push(self.an_override(entry)?);
                    }
                }
                _ => {
                    for entry in self.tables(value, "allow")? {
                        found.allows.push(self.allow(entry)?);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The tables of a list that is written as `[[name]]`.
    fn tables<'t, 'i>(
        &self,
        value: &'t Spanned<DeValue<'i>>,
        name: &str,
    ) -> Result<&'t [Spanned<DeValue<'i>>], ConfigError> {
        match value.get_ref() {
            DeValue::Array(entries) => Ok(entries),
            _ => Err(self.wrong(
                value.span(),
                format!("`{name}` is no list of tables"),
                "expected tables",
                format!("begin each with `[[{name}]]`"),
            )),
        }
    }

    fn an_override(&self, entry: &Spanned<DeValue<'_>>) -> Result<Override, ConfigError> {
        const KEYS: [&str; 4] = ["package", "rules", "test", "thresholds"];
        let table = self.table(entry, "an `override`")?;
        let line = table.keys().map(|key| self.line(&key.span())).min().unwrap_or(1);
        let mut found = Override { line, ..Override::default() };
        for (key, value) in table {
            match self.known(key, &KEYS, "key of `[[override]]`")? {
                "package" => found.package = Some(self.glob(value, "package")?),
                "test" => found.test = Some(self.glob(value, "test")?),
                "rules" => found.levels = self.levels(value)?,
                _ => found.thresholds = self.thresholds(value)?,
            }
        }
        if found.package.is_none() && found.test.is_none() {
            return Err(self.wrong(
                entry.span(),
                "an `[[override]]` without `package` and `test`",
                "one of them is missing here",
                "what is for all tests is in `[thresholds]` and `[rules]`",
            ));
        }
        Ok(found)
    }

    fn glob(&self, value: &Spanned<DeValue<'_>>, name: &str) -> Result<glob::Pattern, ConfigError> {
        let text = self.string(value, &format!("`{name}`"))?;
        glob::Pattern::new(&text).map_err(|error| {
            self.wrong(value.span(), format!("`{text}` is no glob"), error.msg, GLOBS)
        })
    }

    fn thresholds(
        &self,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<BTreeMap<&'static str, Setting<Value>>, ConfigError> {
        let table = self.table(value, "`thresholds`")?;
        let mut found = BTreeMap::new();
        let mut defaults = Thresholds::default();
        let mut time_limit = Duration::ZERO;
        let mut known = defaults.each();
        known.push((TIME_LIMIT, Threshold::Time(&mut time_limit)));
        known.sort_by_key(|(name, _)| *name);
        let names: Vec<&'static str> = known.iter().map(|(name, _)| *name).collect();
        for (key, value) in table {
            let name = self.known(key, &names, "threshold")?;
            let is_time =
                known.iter().any(|(it, kind)| *it == name && matches!(kind, Threshold::Time(_)));
            let parsed = match value.get_ref() {
                DeValue::String(text) if is_time => {
                    humantime::parse_duration(text).map(Value::Time).ok()
                }
                DeValue::Integer(number) if !is_time => {
                    let digits = number.as_str().replace('_', "");
                    u64::from_str_radix(&digits, number.radix()).map(Value::Number).ok()
                }
                _ => None,
            };
            let Some(parsed) = parsed else {
                let (expected, example) =
                    if is_time { ("a time", "\"250ms\"") } else { ("a whole number", "500") };
                return Err(self.wrong(
                    value.span(),
                    format!("the threshold `{name}` is not {expected}"),
                    format!("expected {expected}"),
                    format!("write for example `{name} = {example}`"),
                ));
            };
            let line = self.line(&key.span());
            found.insert(name, Setting { value: parsed, line });
        }
        Ok(found)
    }

    fn levels(
        &self,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<BTreeMap<&'static str, Setting<Level>>, ConfigError> {
        let table = self.table(value, "`rules`")?;
        let mut found = BTreeMap::new();
        let names = Level::ALL.map(|(name, _)| name);
        for (key, value) in table {
            let rule = self.known(key, self.rules, "rule")?;
            let text = self.string(value, &format!("the level of `{rule}`"))?;
            let level = Level::ALL.iter().find(|(name, _)| *name == text);
            let Some((_, level)) = level else {
                return Err(self.unknown(value.span(), &text, &names, "level"));
            };
            let line = self.line(&key.span());
            found.insert(rule, Setting { value: *level, line });
        }
        Ok(found)
    }

    fn allow(&self, entry: &Spanned<DeValue<'_>>) -> Result<Allow, ConfigError> {
        const KEYS: [&str; 5] = ["owner", "reason", "rule", "site", "until"];
        let table = self.table(entry, "an `allow`")?;
        let line = table.keys().map(|key| self.line(&key.span())).min().unwrap_or(1);
        let mut parts: BTreeMap<&str, (String, Range<usize>)> = BTreeMap::new();
        for (key, value) in table {
            let name = self.known(key, &KEYS, "key of `[[allow]]`")?;
            let text = match value.get_ref() {
                // A day may stand without quotes.
                DeValue::Datetime(date) if name == "until" => date.to_string(),
                _ => self.string(value, &format!("`{name}`"))?.into_owned(),
            };
            if text.trim().is_empty() {
                return Err(self.wrong(
                    value.span(),
                    format!("`{name}` is empty"),
                    "expected a text",
                    if name == "reason" { "say why these findings do not count" } else { "" },
                ));
            }
            parts.insert(name, (text, value.span()));
        }
        for required in ["rule", "site", "reason"] {
            if !parts.contains_key(required) {
                return Err(self.wrong(
                    entry.span(),
                    format!("an `[[allow]]` without `{required}`"),
                    format!("`{required}` is missing here"),
                    "it needs `rule`, `site` and `reason`, and may have `owner` and `until`",
                ));
            }
        }
        let (rule, span) = parts.remove("rule").unwrap_or_default();
        let rule = self
            .rules
            .iter()
            .find(|known| **known == rule)
            .ok_or_else(|| self.unknown(span, &rule, self.rules, "rule"))?;
        let (site, span) = parts.remove("site").unwrap_or_default();
        if let Err(error) = glob::Pattern::new(&site) {
            return Err(self.wrong(
                span,
                format!("the site `{site}` is no glob"),
                error.msg,
                GLOBS,
            ));
        }
        let until = parts.remove("until");
        if let Some((date, span)) = until.as_ref().filter(|(date, _)| !is_date(date)) {
            return Err(self.wrong(
                span.clone(),
                format!("`until` is `{date}`, which is no date"),
                "expected a day",
                "write it as 2027-01-31",
            ));
        }
        Ok(Allow {
            rule,
            site,
            reason: parts.remove("reason").unwrap_or_default().0,
            owner: parts.remove("owner").map(|(owner, _)| owner),
            until: until.map(|(date, _)| date),
            line,
        })
    }

    fn table<'t, 'i>(
        &self,
        value: &'t Spanned<DeValue<'i>>,
        what: &str,
    ) -> Result<&'t DeTable<'i>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => {
                Err(self.wrong(value.span(), format!("{what} is no table"), "expected a table", ""))
            }
        }
    }

    fn string<'t>(
        &self,
        value: &'t Spanned<DeValue<'_>>,
        what: &str,
    ) -> Result<Cow<'t, str>, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(Cow::Borrowed(text.as_ref())),
            _ => Err(self.wrong(
                value.span(),
                format!("{what} is no text"),
                "expected a text in quotes",
                "",
            )),
        }
    }

    /// The name that a key stands for.
    fn known(
        &self,
        key: &Spanned<DeString<'_>>,
        names: &[&'static str],
        what: &str,
    ) -> Result<&'static str, ConfigError> {
        let name: &str = key.get_ref();
        let known = names.iter().find(|known| **known == name);
        known.copied().ok_or_else(|| self.unknown(key.span(), name, names, what))
    }

    fn unknown(
        &self,
        span: Range<usize>,
        name: &str,
        names: &[&'static str],
        what: &str,
    ) -> ConfigError {
        let label = nearest(name, names).map_or_else(
            || format!("there is no such {what}"),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        self.wrong(
            span,
            format!("unknown {what} `{name}`"),
            label,
            format!("there are {}", names.join(", ")),
        )
    }

    fn wrong(
        &self,
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> ConfigError {
        ConfigError::at((self.path, self.text), span, title, label, help)
    }

    fn line(&self, span: &Range<usize>) -> u32 {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1
    }
}
