//! Who waits for the end of which task.
//!
//! A `JoinHandle` that is awaited leaves a clone of the waker in tokio's own record
//! of the task that it stands for, behind the place of the task's future. tokio tells
//! nobody, so the clone is looked for there: a pair of words that is the table and the
//! data of a waker of ours. The record is read through the kernel, so that one that is
//! gone meanwhile is an error, and only where the record's state says that there is a
//! waker in it. A `JoinSet` leaves a waker of its own there, which leads to ours.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    platform::sample,
    record::task::{Task, join_handle::Words, live, waker_counts},
};

/// The address of the task of which a waker of ours is among these words, if it
/// `is_asked` for.
fn woken(words: &[usize], is_asked: impl Fn(usize) -> bool) -> Option<usize> {
    let table = waker_counts::table();
    // Which of the two comes first is not promised.
    let mut pairs = words.windows(2).filter_map(|pair| match *pair {
        [first, second] if first == table => Some(waker_counts::address_of_task(second)),
        [first, second] if second == table => Some(waker_counts::address_of_task(first)),
        _ => None,
    });
    pairs.find(|&task| is_asked(task))
}

/// The words at an address, if that may be one and all of them are there.
fn words_at<const N: usize>(address: usize) -> Option<[usize; N]> {
    /// Nothing lies below.
    const LEAST_ADDRESS: usize = 0x1_0000;
    let mut words = [0; N];
    let may_be = address >= LEAST_ADDRESS && address.is_multiple_of(align_of::<usize>());
    (may_be && sample::read_words(address, &mut words) == N).then_some(words)
}

/// An entry of a `JoinSet`, in words: the links, the set, the handle, and in which of
/// the set's lists it is.
const ENTRY: usize = 5;

/// What all entries of a `JoinSet` share, in words: the counts of the references to it,
/// the lock, the ends of two lists, the waker of who waits for one of them.
const LISTS: usize = 9;

/// A `JoinSet` that is waited for. The waker that it leaves in the record of each of
/// its tasks is an entry of its own, and that refers to where the waker of the task is
/// that waits.
#[derive(Debug)]
struct Set {
    waiter: usize,
    lists: [usize; LISTS],
    /// By their addresses.
    entries: BTreeMap<usize, ([usize; ENTRY], Arc<Task>)>,
}

impl Set {
    /// Whether each of its tasks is known: its entries are those of one list, which
    /// refers to the first and the last of them, and each of them to its neighbours.
    fn is_complete(&self) -> bool {
        let count =
            |words: &[usize]| words.iter().filter(|word| self.entries.contains_key(word)).count();
        let links: usize = self.entries.values().map(|(words, _)| count(words)).sum();
        links == 2 * (self.entries.len() - 1) && count(&self.lists) == 2
    }
}

/// By their addresses.
#[derive(Debug, Default)]
struct Sets(BTreeMap<usize, Set>);

impl Sets {
    /// Adds a task to its set, as far as these words of its record tell.
    fn add(&mut self, words: &Words, task: &Arc<Task>, is_asked: impl Fn(usize) -> bool) {
        for &address in words.get() {
            let Some(entry) = words_at::<ENTRY>(address) else { continue };
            let known = entry.iter().copied().find(|set| self.0.contains_key(set));
            let set = known.or_else(|| {
                entry.iter().copied().find(|&set| {
                    let Some(lists) = words_at::<LISTS>(set) else { return false };
                    let Some(waiter) = woken(&lists, &is_asked) else { return false };
                    self.0.insert(set, Set { waiter, lists, entries: BTreeMap::new() });
                    true
                })
            });
            if let Some(set) = set.and_then(|set| self.0.get_mut(&set)) {
                set.entries.insert(address, (entry, Arc::clone(task)));
                return;
            }
        }
    }
}

/// The tasks whose end one waits for.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// By their handles.
    pub(crate) handles: Vec<Arc<Task>>,
    /// For whichever of several ends first, in one `JoinSet` each.
    pub(crate) sets: Vec<Vec<Arc<Task>>>,
}

/// What of a task's waits is for the end of others: by its address as its wakers have
/// it. Only for those that `is_asked`.
pub(crate) fn of(is_asked: impl Fn(usize) -> bool) -> BTreeMap<usize, Joined> {
    let mut joined: BTreeMap<usize, Joined> = BTreeMap::new();
    let mut sets = Sets::default();
    for awaited in live::live_tasks() {
        let Some(words) = awaited.join_window() else { continue };
        match woken(words.get(), &is_asked) {
            Some(waiter) => joined.entry(waiter).or_default().handles.push(awaited),
            // Of one that is not asked for.
            None if words.get().contains(&waker_counts::table()) => {}
            None => sets.add(&words, &awaited, &is_asked),
        }
    }
    for set in sets.0.into_values().filter(Set::is_complete) {
        let members = set.entries.into_values().map(|(_, task)| task).collect();
        joined.entry(set.waiter).or_default().sets.push(members);
    }
    joined
}

/// By task that waits for the ends of others by their handles: those.
#[must_use]
pub fn all() -> BTreeMap<u64, Vec<u64>> {
    let waiting = |task: &Arc<Task>| {
        let (clones, drops) = task.wakers();
        !task.kind.is_thread() && clones > drops
    };
    let tasks = live::live_tasks();
    let tasks = tasks.iter().filter(|task| waiting(task));
    let waiters: BTreeMap<usize, u64> =
        tasks.map(|task| (Arc::as_ptr(task).addr(), task.id)).collect();
    of(|address| waiters.contains_key(&address))
        .into_iter()
        .filter_map(|(address, joined)| {
            let handles: Vec<u64> = joined.handles.iter().map(|task| task.id).collect();
            (!handles.is_empty()).then_some((*waiters.get(&address)?, handles))
        })
        .collect()
}
