//! Lock classes: locks that are made at one place, as Linux lockdep has them.

use std::{collections::BTreeSet, sync::Arc};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{cycles::components, orders::Step};
use crate::model::{Mode, OrderEdge, Process, Resource, ResourceKind, Site, Stack, pointed_frame};

/// Of an instance or of a class, whichever is looked at.
pub type LockKey = u64;

/// The lock classes of all processes: by static, or by creation site and type.
#[derive(Debug, Default)]
pub struct Classes<'a> {
    pub numbers: FxHashMap<(ResourceKind, Option<&'a str>, Option<&'a Site>), LockKey>,
    pub of: FxHashMap<(*const Process, u64), LockKey>,
    /// How many locks each class with a name has.
    pub sizes: Vec<u32>,
    /// A class whose instances pass their guards on orders nothing.
    pub handed_over: FxHashSet<LockKey>,
    pub nameless: LockKey,
}

impl<'a> Classes<'a> {
    /// What has no class, being made by a `const fn` and no static, is a class
    /// of its own from here on.
    pub const NAMELESS: LockKey = 1 << 63;

    pub fn add(&mut self, process: &'a Process) {
        for lock in process.resources.values() {
            let name = lock.static_name.as_deref();
            let site = lock.created_at.as_ref().filter(|_| name.is_none());
            let class = if name.is_some() || site.is_some() {
                let next = self.numbers.len() as LockKey;
                let class = *self.numbers.entry((lock.kind, name, site)).or_insert(next);
                self.sizes.resize(self.numbers.len(), 0);
                self.sizes[class as usize] += 1;
                class
            } else {
                self.nameless += 1;
                Self::NAMELESS + self.nameless
            };
            if lock.handed_over {
                self.handed_over.insert(class);
            }
            self.of.insert((std::ptr::from_ref(process), lock.id), class);
        }
    }

    pub fn of(&self, process: &Process, lock: &Resource) -> LockKey {
        self.of.get(&(std::ptr::from_ref(process), lock.id)).copied().unwrap_or(Self::NAMELESS)
    }

    /// The classes in their order, as far as they have a name.
    pub fn pairs(&self, cycle: &[Step]) -> BTreeSet<(LockKey, LockKey)> {
        cycle
            .iter()
            .map(|step| (self.of(step.process, step.from), self.of(step.process, step.to)))
            .filter(|(from, to)| (*from).max(*to) < Self::NAMELESS)
            .collect()
    }
}

/// A function and a line in it.
pub type Place<'a> = Option<(&'a str, u32)>;

/// All that matters of an edge where only classes are looked at.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ClassOrder {
    pub classes: (LockKey, LockKey),
    pub modes: (Mode, Mode),
    pub places: (u32, u32),
    pub gates: Vec<(LockKey, Mode)>,
    pub is_ambiguous: bool,
}

/// An edge between two classes.
#[derive(Debug, Clone, Copy)]
struct ClassStep<'a> {
    pub step: Step<'a>,
    pub from: LockKey,
    pub to: LockKey,
}

/// The edges between classes, of all processes.
#[derive(Debug, Default)]
pub struct ClassOrders<'a> {
    steps: Vec<ClassStep<'a>>,
}

impl<'a> ClassOrders<'a> {
    pub fn add(&mut self, classes: &Classes, steps: &[Step<'a>]) {
        self.steps.extend(steps.iter().filter_map(|&step| {
            let class = |lock| classes.of(step.process, lock);
            let (from, to) = (class(step.from), class(step.to));
            (from != to && from.max(to) < Classes::NAMELESS).then_some(ClassStep { step, from, to })
        }));
    }

    /// Leaves those that can be a part of a cycle that no process had on instances:
    /// in one component with a class of several locks. Most runs are done here.
    pub fn entangle(&mut self, classes: &Classes) {
        if classes.sizes.iter().all(|&size| size < 2) {
            self.steps.clear();
            return;
        }
        let passed_on = |class: LockKey| classes.handed_over.contains(&class);
        self.steps.retain(|step| !passed_on(step.from) && !passed_on(step.to));
        let mut component_of = vec![None; classes.sizes.len()];
        let arcs = self.steps.iter().map(|step| (step.from as usize, step.to as usize));
        for (number, component) in components(classes.sizes.len(), arcs).iter().enumerate() {
            if component.iter().any(|&class| classes.sizes[class] > 1) {
                for &class in component {
                    component_of[class] = Some(number);
                }
            }
        }
        self.steps.retain(|step| {
            let component = component_of[step.from as usize];
            component.is_some() && component == component_of[step.to as usize]
        });
    }

    /// One edge of each kind will do: a thousand tests show the same ones.
    pub fn distinct(self, classes: &Classes) -> Vec<Step<'a>> {
        let mut places: FxHashMap<Place<'a>, u32> = FxHashMap::default();
        // Equal stacks of a process are one, and a few hundred make all edges.
        let mut known: FxHashMap<*const Stack, u32> = FxHashMap::default();
        let mut place = |stack: &'a Arc<Stack>| {
            *known.entry(Arc::as_ptr(stack)).or_insert_with(|| {
                let frame = pointed_frame(stack);
                let next = places.len() as u32;
                let place = frame.map(|frame| (frame.function.as_str(), frame.line));
                *places.entry(place).or_insert(next)
            })
        };
        let mut seen: FxHashSet<ClassOrder> = FxHashSet::default();
        let mut steps = self.steps;
        steps.retain(|ClassStep { step, from, to }| {
            let edge: &'a OrderEdge = step.edge;
            let mut gates: Vec<(LockKey, Mode)> = step
                .held()
                .skip(1)
                .map(|(lock, mode)| (classes.of(step.process, lock), mode))
                .collect();
            gates.sort_unstable();
            gates.dedup();
            seen.insert(ClassOrder {
                classes: (*from, *to),
                modes: (edge.from.mode, edge.to.mode),
                places: (place(&edge.from.stack), place(&edge.to.stack)),
                gates,
                is_ambiguous: step.is_ambiguous,
            })
        });
        steps.into_iter().map(|step| step.step).collect()
    }
}
