//! Every rule there is, and the one function that asks them all.

use std::fmt::Debug;

use super::{config::Config, explained::Explained};
use crate::{
    finding::{Finding, Severity},
    model::Run,
};

/// One kind of concurrency bug, and how it is recognised.
pub trait Rule: Debug + Sync {
    /// Stable and public: `lingering-task`.
    fn name(&self) -> &'static str;
    /// One lowercase fragment for lists of rules.
    fn summary(&self) -> &'static str;
    /// Of its typical finding; a single finding may be milder.
    fn default_severity(&self) -> Severity;
    /// The names of the thresholds that it goes by, as the command line has them.
    fn thresholds(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it reports that other rules then need not.
    fn explain(&self, _run: &Run, _config: &Config, _explained: &mut Explained) {}

    /// What it finds beyond what others have `explained`, one finding per cause, in a
    /// deterministic order.
    fn check(&self, run: &Run, config: &Config, explained: &Explained) -> Vec<Finding>;
}

macro_rules! rules {
    ($($name:literal => $module:ident::$rule:ident,)*) => {
        /// All rules, by name.
        pub const RULES: &[&dyn Rule] = &[$(&super::$module::$rule),*];

        /// The names of all rules, in the same order.
        pub const RULE_NAMES: &[&str] = &[$($name),*];

        /// The page of a rule, as Markdown.
        pub fn page(rule: &str) -> Option<&'static str> {
            match rule {
                $($name => Some(include_str!(concat!("../../docs/rules/", $name, ".md"))),)*
                _ => None,
            }
        }
    };
}

rules! {
    "blocking-call" => blocking_call::BlockingCall,
    "blocking-poll" => blocking_poll::BlockingPoll,
    "deadlock" => deadlock::Deadlock,
    "futurelock" => futurelock::Futurelock,
    "hung-test" => hung_test::HungTest,
    "leaked-handle" => leaked_handle::LeakedHandle,
    "leaked-thread" => leaked_thread::LeakedThread,
    "lingering-task" => lingering_task::LingeringTask,
    "lock-across-await" => lock_across_await::LockAcrossAwait,
    "lock-order-cycle" => lock_order_cycle::LockOrderCycle,
    "long-held-lock" => long_held_lock::LongHeldLock,
    "lost-waker" => lost_waker::LostWaker,
    "never-yielded" => blocking_poll::NeverYielded,
    "orphaned-task" => orphaned_task::OrphanedTask,
    "recursive-lock" => recursive_lock::RecursiveLock,
    "self-waking-task" => self_waking_task::SelfWakingTask,
    "silent-panic" => silent_panic::SilentPanic,
    "spawn-storm" => spawn_storm::SpawnStorm,
    "task-growth" => task_growth::TaskGrowth,
}

/// Asks every enabled rule, one after the other.
pub fn audit(run: &Run, config: &Config) -> Vec<Finding> {
    let explained = Explained::by(RULES, run, config);
    RULES
        .iter()
        .filter(|rule| config.is_enabled(rule.name()))
        .flat_map(|rule| rule.check(run, config, &explained))
        .collect()
}

/// What one rule finds beyond what the others explain.
#[cfg(test)]
pub fn check(rule: &dyn Rule, run: &Run, config: &Config) -> Vec<Finding> {
    rule.check(run, config, &Explained::by(RULES, run, config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{TIME_LIMIT, Thresholds};

    #[test]
    fn rules_are_called_as_they_are_listed_and_sorted() {
        assert!(RULES.iter().map(|rule| rule.name()).eq(RULE_NAMES.iter().copied()));
        assert!(RULE_NAMES.is_sorted());
    }

    #[test]
    fn a_rule_goes_by_thresholds_that_there_are() {
        let mut known = Thresholds::default();
        let known: Vec<_> = known.each().into_iter().map(|(name, _)| name).collect();
        for rule in RULES {
            for name in rule.thresholds() {
                assert!(known.contains(name) || *name == TIME_LIMIT, "{}: {name}", rule.name());
            }
        }
    }

    #[test]
    fn every_page_answers_the_same_questions() {
        for name in RULE_NAMES {
            let page = page(name).expect("it has one");
            assert!(page.starts_with(&format!("# {name}\n")), "{name}");
            for heading in [
                "## What it finds",
                "## Why it matters",
                "## Example",
                "## Severity and confidence",
                "## What to do",
                "## Settings",
            ] {
                assert!(page.contains(heading), "{name}: {heading}");
            }
        }
    }
}
