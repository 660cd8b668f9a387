//! The std and parking_lot locks that each thread holds.
//!
//! Such a lock is taken and released by a thread within a few nanoseconds, so
//! all that is written down is a row in a table of the thread's own. The rows are
//! atomic: another thread may read them (who holds what, now?) and, since guards
//! can be sent to other threads where their crate allows it, take one out.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{
    platform::{
        counters,
        process::os_thread,
        stack::{self, StackId},
        sync::lock as guard,
    },
    record::{
        lock::{Acquisition, Hold, Mode},
        poll_slot::PollSlot,
        resource::{ResourceKind, Tracked},
        task::Task,
    },
};

/// Locks held by one thread at once; further ones are not seen.
const MAX_HELD: usize = 48;

/// A row: a lock held.
#[derive(Debug, Default)]
struct Row {
    /// Of the lock; 0: none.
    id: AtomicU64,
    /// Where it was created: a `&'static Location`, or 0.
    site: AtomicUsize,
    /// Where the lock was when it was taken.
    address: AtomicU64,
    /// See [`word`].
    word: AtomicU64,
    acquired_ns: AtomicU64,
    starved_at: AtomicU64,
}

/// A row's content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) lock: Tracked,
    pub(crate) mode: Mode,
    pub(crate) is_try: bool,
    pub(crate) stack: StackId,
    pub(crate) acquired_ns: u64,
    pub(crate) starved_at: u64,
}

impl Held {
    pub(crate) fn acquisition(&self) -> Acquisition {
        Acquisition {
            resource: self.lock.resource(self.stack),
            mode: self.mode,
            stack: self.stack,
            is_try: self.is_try,
            is_movable: self.lock.is_sendable,
        }
    }

    pub(crate) fn hold(&self) -> Hold {
        Hold::new(self.acquisition(), self.acquired_ns, self.starved_at)
    }
}

fn word(held: &Held) -> u64 {
    u64::from(held.stack)
        | held.mode.word() << 32
        | u64::from(held.is_try) << 40
        | u64::from(held.lock.is_sendable) << 41
        | (held.lock.kind as u64) << 48
}

/// The rows of one thread. They outlive it, and serve another one then.
#[derive(Debug)]
pub(crate) struct HeldLocks {
    /// The thread whose rows they are; 0: nobody's.
    thread: AtomicU64,
    record: Mutex<Option<Arc<Task>>>,
    /// Rows from here on are empty. Only the thread itself writes it.
    len: AtomicUsize,
    /// How often [`Self::compact`] has begun and ended: odd while it moves rows.
    moves: AtomicU64,
    /// Locks taken, by all threads that have had these rows.
    taken: AtomicU64,
    /// What the thread polls.
    pub(crate) poll_slot: PollSlot,
    rows: [Row; MAX_HELD],
}

impl HeldLocks {
    fn new() -> Self {
        Self {
            thread: AtomicU64::new(0),
            record: Mutex::new(None),
            len: AtomicUsize::new(0),
            moves: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            poll_slot: PollSlot::default(),
            rows: std::array::from_fn(|_| Row::default()),
        }
    }

    /// Rows for a thread, until it gives them back.
    pub(crate) fn lend(thread: u64, record: Option<Arc<Task>>) -> &'static Self {
        let mut all = guard(&ALL);
        let free = all.iter().copied().find(|held| held.thread.load(Ordering::Relaxed) == 0);
        let held = free.unwrap_or_else(|| {
            let held: &'static HeldLocks = Box::leak(Box::new(HeldLocks::new()));
            all.push(held);
            held
        });
        held.thread.store(thread, Ordering::Relaxed);
        drop(all);
        held.poll_slot.give_to(os_thread(), stack::high());
        let before = std::mem::replace(&mut *guard(&held.record), record);
        drop(before);
        held
    }

    /// The thread that they were lent to ends.
    pub(crate) fn give_back(&self) {
        self.poll_slot.give_to(0, 0);
        drop(self.take(0));
        let record = guard(&self.record).take();
        drop(record);
        self.thread.store(0, Ordering::Relaxed);
    }

    /// The thread whose they are; 0: nobody's.
    pub(crate) fn thread(&self) -> u64 {
        self.thread.load(Ordering::Relaxed)
    }

    /// How many rows to look at.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// For a hash of what is held: lock, mode and stack of row `at`.
    #[inline]
    pub(crate) fn key(&self, at: usize) -> (u64, u64) {
        let row = &self.rows[at];
        (row.id.load(Ordering::Relaxed), row.word.load(Ordering::Relaxed))
    }

    /// Row `at`, unless it is empty.
    pub(crate) fn get(&self, at: usize) -> Option<Held> {
        let row = &self.rows[at];
        let id = row.id.load(Ordering::Acquire);
        if id == 0 {
            return None;
        }
        let word = row.word.load(Ordering::Relaxed);
        let site = row.site.load(Ordering::Relaxed) as *const std::panic::Location<'static>;
        // SAFETY: null, or made from a `&'static` of this type.
        let site = unsafe { site.as_ref() };
        Some(Held {
            lock: Tracked {
                id,
                kind: ResourceKind::from_word(word >> 48),
                site,
                address: row.address.load(Ordering::Relaxed),
                is_sendable: word >> 41 & 1 == 1,
            },
            mode: Mode::from_word(word >> 32 & 0xff),
            is_try: word >> 40 & 1 == 1,
            stack: word as StackId,
            acquired_ns: row.acquired_ns.load(Ordering::Relaxed),
            starved_at: row.starved_at.load(Ordering::Relaxed),
        })
    }

    /// Everything from row `from` on.
    pub(crate) fn iter(&self, from: usize) -> impl Iterator<Item = Held> {
        (from..self.len()).filter_map(|at| self.get(at))
    }

    /// By the thread itself.
    #[inline]
    pub(crate) fn push(&self, held: &Held) {
        // Nobody else writes it.
        self.taken.store(self.taken.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let mut len = self.len.load(Ordering::Relaxed);
        if len >= MAX_HELD {
            len = self.compact();
            if len >= MAX_HELD {
                counters::DROPPED_EVENTS.add(1);
                return;
            }
        }
        let row = &self.rows[len];
        let site = held.lock.site.map_or(0, |site| std::ptr::from_ref(site) as usize);
        row.site.store(site, Ordering::Relaxed);
        row.address.store(held.lock.address, Ordering::Relaxed);
        row.word.store(word(held), Ordering::Relaxed);
        row.acquired_ns.store(held.acquired_ns, Ordering::Relaxed);
        row.starved_at.store(held.starved_at, Ordering::Relaxed);
        row.id.store(held.lock.id, Ordering::Release);
        self.len.store(len + 1, Ordering::Release);
    }

    /// Closes the gaps that locks left which were not released in reverse.
    #[cold]
    fn compact(&self) -> usize {
        let mut kept = 0;
        self.moves.fetch_add(1, Ordering::AcqRel);
        for at in 0..self.len() {
            let (from, to) = (&self.rows[at], &self.rows[kept]);
            let id = from.id.load(Ordering::Relaxed);
            if id == 0 {
                continue;
            }
            if at != kept {
                let words = [
                    (&from.address, &to.address),
                    (&from.word, &to.word),
                    (&from.acquired_ns, &to.acquired_ns),
                    (&from.starved_at, &to.starved_at),
                ];
                for (from, to) in words {
                    to.store(from.load(Ordering::Relaxed), Ordering::Relaxed);
                }
                to.site.store(from.site.load(Ordering::Relaxed), Ordering::Relaxed);
                to.id.store(id, Ordering::Release);
                // Another thread may be taking it out at this moment.
                if from.id.swap(0, Ordering::AcqRel) == 0 {
                    to.id.store(0, Ordering::Release);
                    continue;
                }
            }
            kept += 1;
        }
        self.len.store(kept, Ordering::Release);
        self.moves.fetch_add(1, Ordering::AcqRel);
        kept
    }

    /// Takes a row of the lock in this mode out. By another thread, which the row may be
    /// moved away from meanwhile: then it is looked for again.
    fn take_from_outside(&self, id: u64, mode: Mode) -> Option<Held> {
        loop {
            let moves = self.moves.load(Ordering::Acquire);
            let taken = (0..self.len()).find_map(|at| {
                let held = self.get(at).filter(|held| held.lock.id == id && held.mode == mode)?;
                let row = &self.rows[at].id;
                let taken = row.compare_exchange(id, 0, Ordering::AcqRel, Ordering::Relaxed);
                taken.is_ok().then_some(held)
            });
            let is_unmoved = moves.is_multiple_of(2) && self.moves.load(Ordering::Acquire) == moves;
            if taken.is_some() || is_unmoved {
                return taken;
            }
            std::hint::spin_loop();
        }
    }

    /// Takes the newest row of the lock in this mode out. By the thread itself.
    #[inline]
    pub(crate) fn remove(&self, id: u64, mode: Mode) -> Option<Held> {
        let len = self.len.load(Ordering::Relaxed);
        let at = (0..len).rev().find(|&at| {
            let (found, word) = self.key(at);
            found == id && word >> 32 & 0xff == mode.word()
        })?;
        let held = self.get(at)?;
        self.rows[at].id.store(0, Ordering::Release);
        if at + 1 == len {
            self.trim(at);
        }
        Some(held)
    }

    /// Takes the row of the lock at this address out, if there is one. By the thread
    /// itself.
    pub(crate) fn forget(&self, address: u64) -> bool {
        let found = (0..self.len()).find(|&at| {
            let row = &self.rows[at];
            row.address.load(Ordering::Relaxed) == address && row.id.swap(0, Ordering::AcqRel) != 0
        });
        self.trim(self.len());
        found.is_some()
    }

    /// Rows from `len` on are empty; so may those before it be.
    #[inline]
    fn trim(&self, mut len: usize) {
        while len > 0 && self.rows[len - 1].id.load(Ordering::Relaxed) == 0 {
            len -= 1;
        }
        self.len.store(len, Ordering::Release);
    }

    /// Changes how the lock is held.
    pub(crate) fn convert(&self, id: u64, from: Mode, to: Mode) {
        if let Some(mut held) = self.remove(id, from) {
            held.mode = to;
            self.push(&held);
        }
    }

    /// Takes everything from row `from` on out. By the thread itself.
    pub(crate) fn take(&self, from: usize) -> Vec<Held> {
        let taken: Vec<Held> = self.iter(from).collect();
        for row in &self.rows[from.min(MAX_HELD)..] {
            row.id.store(0, Ordering::Release);
        }
        self.trim(from.min(self.len()));
        taken
    }
}

static ALL: Mutex<Vec<&'static HeldLocks>> = Mutex::new(Vec::new());

/// The rows of every thread, past ones included.
pub(crate) fn all() -> Vec<&'static HeldLocks> {
    guard(&ALL).clone()
}

/// What a thread holds now.
#[must_use]
pub fn of_thread(thread: u64) -> Vec<Hold> {
    let rows = guard(&ALL).iter().copied().find(|held| {
        let owner = held.thread.load(Ordering::Relaxed);
        owner != 0 && owner == thread
    });
    rows.map_or_else(Vec::new, |rows| rows.iter(0).map(|held| held.hold()).collect())
}

/// How many locks were acquired: those of std and parking_lot, and tokio's.
#[must_use]
pub fn acquisitions() -> u64 {
    let taken: u64 = guard(&ALL).iter().map(|rows| rows.taken.load(Ordering::Relaxed)).sum();
    counters::ACQUISITIONS.get() + taken
}

/// The threads that hold a lock, and how.
pub(crate) fn holders_of(id: u64) -> Vec<(Arc<Task>, Held)> {
    all()
        .into_iter()
        .filter_map(|rows| {
            let held = rows.iter(0).find(|held| held.lock.id == id)?;
            Some((guard(&rows.record).clone()?, held))
        })
        .collect()
}

/// The same threads, by their numbers for the system.
pub(crate) fn numbers_of_holders_of(id: u64) -> Vec<u32> {
    let holds = |rows: &&HeldLocks| rows.iter(0).any(|held| held.lock.id == id);
    all().into_iter().filter(holds).map(|rows| rows.poll_slot.os_thread()).collect()
}

/// tokio's threads for blocking tasks that have none.
pub(crate) fn idle_threads() -> BTreeSet<u64> {
    all().into_iter().filter(|rows| rows.poll_slot.is_idle()).map(HeldLocks::thread).collect()
}

/// Takes a lock out of the rows of whichever thread it was taken on.
pub(crate) fn take_from_any(id: u64, mode: Mode) -> Option<Held> {
    all().into_iter().find_map(|rows| rows.take_from_outside(id, mode))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn held(id: u64) -> Held {
        Held {
            lock: Tracked {
                id,
                kind: ResourceKind::StdMutex,
                site: None,
                address: id,
                is_sendable: true,
            },
            mode: Mode::Exclusive,
            is_try: false,
            stack: 0,
            acquired_ns: 1,
            starved_at: 0,
        }
    }

    fn ids(rows: &HeldLocks) -> Vec<u64> {
        rows.iter(0).map(|held| held.lock.id).collect()
    }

    #[test]
    fn locks_are_released_in_any_order_and_changed_in_their_mode() {
        let rows = HeldLocks::new();
        (1..=3).for_each(|id| rows.push(&held(id)));
        assert_eq!(rows.remove(2, Mode::Exclusive).map(|held| held.lock.id), Some(2));
        assert!(rows.remove(2, Mode::Exclusive).is_none(), "it is held once");
        assert!(rows.remove(3, Mode::Shared).is_none(), "not in this mode");
        rows.convert(3, Mode::Exclusive, Mode::Shared);
        assert!(rows.remove(3, Mode::Shared).is_some());
        assert_eq!((ids(&rows), rows.len()), (vec![1], 1));
    }

    #[test]
    fn gaps_are_closed_and_what_has_no_room_is_counted() {
        let rows = HeldLocks::new();
        (1..=MAX_HELD as u64).for_each(|id| rows.push(&held(id)));
        let dropped = counters::DROPPED_EVENTS.get();
        rows.push(&held(100));
        assert_eq!(counters::DROPPED_EVENTS.get(), dropped + 1);
        rows.remove(1, Mode::Exclusive);
        rows.push(&held(101));
        assert_eq!(ids(&rows), (2..=MAX_HELD as u64).chain([101]).collect::<Vec<_>>());
        assert_eq!(rows.take(40).len(), MAX_HELD - 40);
        assert_eq!(rows.len(), 40);
    }

    /// A row that was moved between another thread's look and its exchange was not found,
    /// and its lock seemed to be held for ever.
    #[test]
    fn a_row_that_moves_is_taken_by_another_thread_all_the_same() {
        let rows: &'static HeldLocks = Box::leak(Box::new(HeldLocks::new()));
        let (sent, to_take) = mpsc::channel::<u64>();
        let other = std::thread::spawn(move || {
            to_take
                .iter()
                .filter(|id| rows.take_from_outside(*id, Mode::Exclusive).is_none())
                .count()
        });
        let mut next = 1;
        for _ in 0..2_000 {
            // Every second one is given away, so that gaps come and go.
            while rows.len() < MAX_HELD {
                rows.push(&held(next));
                next += 1;
            }
            for id in ids(rows) {
                if id % 2 == 0 {
                    let _ = sent.send(id);
                } else {
                    rows.remove(id, Mode::Exclusive);
                }
            }
            rows.push(&held(next));
            next += 1;
            while rows.iter(0).any(|held| held.lock.id % 2 == 0 && held.lock.id < next - 1) {
                rows.compact();
            }
        }
        drop(sent);
        assert_eq!(other.join().expect("it does not panic"), 0, "rows that were not found");
    }
}
