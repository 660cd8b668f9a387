//! What one rule explains for the others: a task that has lost its waker is not left behind
//! as well, nor is a test hung for another reason than the deadlock in it.

use std::{collections::BTreeSet, ptr};

use super::{Rule, config::Config};
use crate::model::{Knot, Process, Run, Site};

/// What the rules that are asked report, as far as other rules need to know.
#[derive(Debug, Default)]
pub struct Explained {
    /// By the process, at its address, and the task's id.
    tasks: BTreeSet<(usize, u64)>,
    /// By the process, and where they are spawned.
    spawned: BTreeSet<(usize, String)>,
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

    /// A rule reports all that is spawned there.
    pub fn add_spawn_site(&mut self, process: &Process, site: &Site) {
        self.spawned.insert((ptr::from_ref(process).addr(), place(site)));
    }

    /// Whether a rule reports all that is spawned there.
    pub fn has_spawn_site(&self, process: &Process, site: Option<&Site>) -> bool {
        site.is_some_and(|site| {
            self.spawned.contains(&(ptr::from_ref(process).addr(), place(site)))
        })
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

fn place(site: &Site) -> String {
    format!("{}:{}:{}", site.file, site.line, site.column)
}
