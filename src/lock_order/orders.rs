//! The orders of two locks that count, and what is doubtful of a cycle of them.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::{
    Frame, Mode, Nesting, OrderEdge, Process, Resource, Stack, Test, blame_frame, nested,
};

/// Why a cycle is only possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    Actors,
    Timed,
    Readers,
    Stacks,
    Gate,
    Instances,
}

impl Doubt {
    /// Whether it is doubtful that the one lock is held where the other one is taken, and not
    /// only that both orders meet.
    pub fn is_of_place(self) -> bool {
        match self {
            Self::Stacks | Self::Gate | Self::Instances => true,
            Self::Actors | Self::Timed | Self::Readers => false,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Actors => {
                "only possible: here one task or thread took both orders, or one order was over \
                 before the other began, by a join, a message, a notification or a barrier"
            }
            Self::Timed => {
                "only possible: one of them waits with a time limit, and gives up after that"
            }
            Self::Readers => {
                "only possible: a reader blocks another one only while a writer is queued between \
                 them"
            }
            Self::Stacks => {
                "only possible: the stacks do not tell whether one lock is held by the code that \
                 takes the other"
            }
            Self::Gate => {
                "only possible: another lock was taken before, whose guard was passed on to \
                 another task"
            }
            Self::Instances => {
                "only possible: the orders were seen on different locks created at the same places"
            }
        }
    }
}

/// An order edge that counts, with where it was seen.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    pub test: &'a Test,
    pub process: &'a Process,
    pub edge: &'a OrderEdge,
    pub from: &'a Resource,
    pub to: &'a Resource,
    pub is_ambiguous: bool,
    /// Whoever took the second lock would have given up waiting for it after some time.
    pub is_timed: bool,
}

/// The edges of a process that count.
pub fn steps<'a>(test: &'a Test, process: &'a Process) -> Vec<Step<'a>> {
    let counts = |lock: &&Resource| lock.kind.is_lock() && !lock.handed_over && !lock.is_internal();
    let locks: FxHashMap<u64, &Resource> =
        process.resources.values().filter(counts).map(|lock| (lock.id, lock)).collect();
    // Equal stacks of a process are one, and few pairs of them make many edges.
    let mut nestings: FxHashMap<(*const Stack, *const Stack), Option<(Nesting, bool)>> =
        FxHashMap::default();
    let nesting = |held: &Stack, taken: &Stack| {
        // What dependencies do among themselves is theirs to order.
        let takes_part = blame_frame(held).is_some() || blame_frame(taken).is_some();
        let nesting =
            takes_part.then(|| nested(held, taken)).filter(|nesting| *nesting != Nesting::Separate);
        // A limit around both is one for the whole that they are a part of.
        nesting.map(|nesting| (nesting, time_limits(taken) > time_limits(held)))
    };
    process
        .edges
        .iter()
        .filter_map(|edge| {
            let (from, to) = (*locks.get(&edge.from.resource)?, *locks.get(&edge.to.resource)?);
            if edge.to.is_try || from.id == to.id {
                return None;
            }
            let (held, taken) = (&edge.from.stack, &edge.to.stack);
            let nesting = *nestings
                .entry((Arc::as_ptr(held), Arc::as_ptr(taken)))
                .or_insert_with(|| nesting(held, taken));
            let (nesting, is_timed) = nesting?;
            let is_ambiguous = nesting == Nesting::Ambiguous;
            Some(Step { test, process, edge, from, to, is_ambiguous, is_timed })
        })
        .collect()
}

/// How many time limits of tokio's a future that was polled there has around it.
fn time_limits(stack: &Stack) -> usize {
    let is_limit = |frame: &&Frame| {
        frame.function.contains("time::timeout::Timeout<") && frame.function.ends_with("::poll")
    };
    stack.frames.iter().filter(is_limit).count()
}

impl<'a> Step<'a> {
    /// What its actor held, the first lock included.
    pub fn held(&self) -> impl Iterator<Item = (&'a Resource, Mode)> + use<'a> {
        let process = self.process;
        let gates = self.edge.gates.iter();
        std::iter::once((self.from, self.edge.from.mode)).chain(
            gates.filter_map(|gate| Some((process.resources.get(&gate.resource)?, gate.mode))),
        )
    }
}
