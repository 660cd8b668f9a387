//! Settings for some tests only.

use std::{collections::BTreeMap, time::Duration};

use super::{Level, Setting, TIME_LIMIT, Threshold, Thresholds, Value};

/// One `[[override]]`: what is set differently for some tests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Override {
    /// A glob over the package that the test is of; `None`: any.
    pub package: Option<glob::Pattern>,
    /// A glob over the test's path in its binary; `None`: any.
    pub test: Option<glob::Pattern>,
    /// Thresholds by name.
    pub thresholds: BTreeMap<&'static str, Setting<Value>>,
    /// Levels by the name of the rule.
    pub levels: BTreeMap<&'static str, Setting<Level>>,
    /// Where it begins in the file, 1-based.
    pub line: u32,
}

/// All of them, in the order of the file: what a later one says counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides(pub Vec<Override>);

impl Override {
    fn is_for(&self, package: &str, test: &str) -> bool {
        let fits = |glob: &Option<glob::Pattern>, name: &str| {
            glob.as_ref().is_none_or(|glob| glob.matches(name))
        };
        fits(&self.package, package) && fits(&self.test, test)
    }
}

impl Overrides {
    fn of<'a>(&'a self, package: &'a str, test: &'a str) -> impl Iterator<Item = &'a Override> {
        self.0.iter().filter(move |it| it.is_for(package, test))
    }

    /// Sets what is set for the test at this path in its binary (empty for a binary that is one
    /// unit).
    pub fn apply(
        &self,
        package: &str,
        test: &str,
        thresholds: &mut Thresholds,
        time_limit: &mut Duration,
    ) {
        for settings in self.of(package, test) {
            let mut known = thresholds.each();
            known.push((TIME_LIMIT, Threshold::Time(time_limit)));
            for (name, threshold) in known {
                if let Some(setting) = settings.thresholds.get(name) {
                    threshold.set(setting.value);
                }
            }
        }
    }

    /// The level of a rule in this test, where it has one of its own.
    pub fn level(&self, package: &str, test: &str, rule: &str) -> Option<Level> {
        self.of(package, test).filter_map(|it| it.levels.get(rule)).last().map(|it| it.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> glob::Pattern {
        glob::Pattern::new(text).expect("it is one")
    }

    #[test]
    fn the_last_that_fits_counts() {
        let set = |time| {
            let value = Value::Time(Duration::from_secs(time));
            BTreeMap::from([("wait", Setting { value, line: 1 })])
        };
        let overrides = Overrides(vec![
            Override { package: Some(glob("shop*")), thresholds: set(2), ..Override::default() },
            Override { test: Some(glob("soak::*")), thresholds: set(3), ..Override::default() },
        ]);
        let wait = |package, test| {
            let (mut thresholds, mut limit) = (Thresholds::default(), Duration::ZERO);
            overrides.apply(package, test, &mut thresholds, &mut limit);
            thresholds.wait
        };
        assert_eq!(wait("other", "a"), Thresholds::default().wait);
        assert_eq!(wait("shop-api", "a"), Duration::from_secs(2));
        assert_eq!(wait("shop-api", "soak::a"), Duration::from_secs(3));
    }
}
