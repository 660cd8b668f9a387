//! Every rule there is, and the one function that asks them all.

use std::fmt::Debug;

use super::{
    blocking_call::BlockingCall, blocking_poll::BlockingPoll, config::Config, deadlock::Deadlock,
    explained::Explained, futurelock::Futurelock, hung_test::HungTest, leaked_handle::LeakedHandle,
    leaked_thread::LeakedThread, lingering_task::LingeringTask, lock_across_await::LockAcrossAwait,
    lock_order_cycle::LockOrderCycle, long_held_lock::LongHeldLock, lost_waker::LostWaker,
    orphaned_task::OrphanedTask, recursive_lock::RecursiveLock, silent_panic::SilentPanic,
    spawn_storm::SpawnStorm,
};
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
    /// What it reports that other rules then need not.
    fn explain(&self, _run: &Run, _config: &Config, _explained: &mut Explained) {}

    /// What it finds beyond what others have `explained`, one finding per cause, in a
    /// deterministic order.
    fn check(&self, run: &Run, config: &Config, explained: &Explained) -> Vec<Finding>;
}

/// All rules, by name.
pub const RULES: &[&dyn Rule] = &[
    &BlockingCall,
    &BlockingPoll,
    &Deadlock,
    &Futurelock,
    &HungTest,
    &LeakedHandle,
    &LeakedThread,
    &LingeringTask,
    &LockAcrossAwait,
    &LockOrderCycle,
    &LongHeldLock,
    &LostWaker,
    &OrphanedTask,
    &RecursiveLock,
    &SilentPanic,
    &SpawnStorm,
];

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

    #[test]
    fn rules_are_sorted_by_name() {
        assert!(RULES.is_sorted_by_key(|rule| rule.name()));
    }
}
