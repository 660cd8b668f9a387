//! What one rule explains for the others: a task that has lost its waker is not left behind
//! as well, nor is a test hung for another reason than the deadlock in it.

use std::{collections::BTreeSet, ptr};

use super::{Rule, config::Config};
use crate::model::{Knot, Process, Run};

/// What the rules that are asked report, as far as other rules need to know.
#[derive(Debug, Default)]
pub struct Explained {
    /// By the process, at its address, and the task's id.
    tasks: BTreeSet<(usize, u64)>,
    /// By their addresses.
    knots: BTreeSet<usize>,
}

impl Explained {
    /// By all of these rules that are enabled.
    pub fn by(rules: &[&dyn Rule], run: &Run, config: &Config) -> Self {
        let mut explained = Self::default();
        for rule in rules.iter().filter(|rule| config.is_enabled(rule.name())) {
            rule.explain(run, config, &mut explained);
        }
        explained
    }

    /// A rule reports this task.
    pub fn add_task(&mut self, process: &Process, task: u64) {
        self.tasks.insert((ptr::from_ref(process).addr(), task));
    }

    /// Whether a rule reports this task.
    pub fn has_task(&self, process: &Process, task: u64) -> bool {
        self.tasks.contains(&(ptr::from_ref(process).addr(), task))
    }

    /// A rule reports this knot.
    pub fn add_knot(&mut self, knot: &Knot) {
        self.knots.insert(ptr::from_ref(knot).addr());
    }

    /// Whether a rule reports this knot.
    pub fn has_knot(&self, knot: &Knot) -> bool {
        self.knots.contains(&ptr::from_ref(knot).addr())
    }
}
