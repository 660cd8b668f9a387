//! What the probe knows of the locks that a thread holds.

#[cfg(concaudit_parking_lot = "0.11")]
use parking_lot_0_11 as parking_lot;
#[cfg(concaudit_parking_lot = "0.12")]
use parking_lot_0_12 as parking_lot;
#[cfg(concaudit_parking_lot = "0.13")]
use parking_lot_0_13 as parking_lot;

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use concaudit_core::{
    lifecycle::thread::{Starting, spawning},
    platform::options::Options,
    record::{lock::Mode, resource::ResourceKind, task::Task},
};
use parking_lot::{
    Condvar, FairMutex, Mutex, MutexGuard, ReentrantMutex, RwLock, RwLockUpgradableReadGuard,
    RwLockWriteGuard,
};

/// A thread that is audited, and what it holds.
struct Holder(Arc<Task>);

impl Holder {
    fn modes(&self) -> Vec<Mode> {
        self.0.holds().iter().map(|hold| hold.acquisition.mode).collect()
    }

    #[track_caller]
    fn holds(&self, modes: &[Mode]) {
        assert_eq!(self.modes(), modes);
    }
}

/// Runs on a thread of its own, so that the tests do not see each other's locks.
fn audited(test: impl FnOnce(&Holder) + Send + 'static) {
    concaudit_core::activate(Options::parse(""));
    let record = spawning(None).expect("it is active");
    let holder = Holder(Arc::clone(&record));
    let running = thread::spawn(move || {
        let _running = Starting::new(Some(record)).begin();
        holder.holds(&[]);
        test(&holder);
        holder.holds(&[]);
    });
    running.join().unwrap();
}

#[test]
fn a_mutex_is_held_from_lock_to_drop() {
    audited(|me| {
        let mutex = Mutex::new(1);
        let guard = mutex.lock();
        me.holds(&[Mode::Exclusive]);
        let kind = me.0.holds()[0].acquisition.resource.kind();
        assert_eq!(kind, ResourceKind::ParkingLotMutex);
        assert!(mutex.is_locked() && mutex.try_lock().is_none());
        assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none());
        me.holds(&[Mode::Exclusive]);
        drop(guard);
        me.holds(&[]);
        let mut guard = mutex.try_lock_until(Instant::now() + Duration::from_secs(1)).unwrap();
        me.holds(&[Mode::Exclusive]);
        MutexGuard::unlocked(&mut guard, || me.holds(&[]));
        me.holds(&[Mode::Exclusive]);
        MutexGuard::bump(&mut guard);
        me.holds(&[Mode::Exclusive]);
        let guard = MutexGuard::map(guard, |value| value);
        me.holds(&[Mode::Exclusive]);
        drop(guard);
    });
}

#[test]
fn a_fair_mutex_is_held_too() {
    audited(|me| {
        let mutex = FairMutex::new(1);
        let guard = mutex.lock();
        me.holds(&[Mode::Exclusive]);
        drop(guard);
    });
}

#[test]
fn a_reentrant_mutex_is_held_once() {
    audited(|me| {
        let mutex = ReentrantMutex::new(1);
        let outer = mutex.lock();
        let inner = mutex.lock();
        me.holds(&[Mode::Exclusive]);
        drop(outer);
        me.holds(&[Mode::Exclusive]);
        drop(inner);
    });
}

#[test]
fn a_lock_changes_its_mode_with_its_guard() {
    audited(|me| {
        let lock = RwLock::new(1);
        let first = lock.read();
        let second = lock.try_read().unwrap();
        me.holds(&[Mode::Shared, Mode::Shared]);
        drop((first, second));
        let kind_of_reader = lock.upgradable_read();
        me.holds(&[Mode::Upgradable]);
        let writer = RwLockUpgradableReadGuard::upgrade(kind_of_reader);
        me.holds(&[Mode::Exclusive]);
        let kind_of_reader = RwLockWriteGuard::downgrade_to_upgradable(writer);
        me.holds(&[Mode::Upgradable]);
        let writer = RwLockUpgradableReadGuard::try_upgrade(kind_of_reader)
            .unwrap_or_else(|_| panic!("there is no other reader"));
        me.holds(&[Mode::Exclusive]);
        let reader = RwLockWriteGuard::downgrade(writer);
        me.holds(&[Mode::Shared]);
        let kind_of_reader = lock.upgradable_read();
        let kind_of_reader =
            RwLockUpgradableReadGuard::try_upgrade_for(kind_of_reader, Duration::from_millis(1))
                .expect_err("there is another reader");
        me.holds(&[Mode::Shared, Mode::Upgradable]);
        drop((kind_of_reader, reader));
        assert!(lock.try_write_for(Duration::from_secs(1)).is_some());
    });
}

#[test]
fn a_contended_lock_is_held_once_its_wait_is_over() {
    audited(|me| {
        let lock = Arc::new(RwLock::new(1));
        let (tell, wait) = mpsc::channel();
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                let reader = lock.read();
                tell.send(()).unwrap();
                thread::sleep(Duration::from_millis(50));
                drop(reader);
            }
        });
        wait.recv().unwrap();
        let writer = lock.write();
        me.holds(&[Mode::Exclusive]);
        drop(writer);
        other.join().unwrap();
    });
}

#[test]
fn a_mutex_is_free_while_its_condition_is_waited_for() {
    audited(|me| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let mut guard = pair.0.lock();
        assert!(pair.1.wait_for(&mut guard, Duration::from_millis(1)).timed_out());
        assert!(pair.1.wait_until(&mut guard, Instant::now()).timed_out());
        me.holds(&[Mode::Exclusive]);
        let (tell, wait) = mpsc::channel();
        let other = thread::spawn({
            let (pair, me) = (Arc::clone(&pair), Holder(Arc::clone(&me.0)));
            move || {
                let mut ready = pair.0.lock();
                tell.send(me.modes()).unwrap();
                *ready = true;
                pair.1.notify_all();
            }
        });
        while !*guard {
            pair.1.wait(&mut guard);
        }
        assert_eq!(wait.recv().unwrap(), []);
        me.holds(&[Mode::Exclusive]);
        drop(guard);
        other.join().unwrap();
    });
}

#[cfg(not(concaudit_parking_lot = "0.11"))]
#[test]
fn waiting_for_a_condition_asks_for_it_first_and_again() {
    audited(|_| {
        let (mutex, condvar) = (Mutex::new(0), Condvar::new());
        let mut guard = mutex.lock();
        condvar.wait_while(&mut guard, |count| *count != 0);
        let never = |count: &mut i32| {
            *count += 1;
            true
        };
        let result = condvar.wait_while_for(&mut guard, never, Duration::from_millis(1));
        assert!(result.timed_out() && *guard > 0);
        let done = condvar.wait_while_until(&mut guard, |count| *count == 0, Instant::now());
        assert!(!done.timed_out());
    });
}

#[test]
fn a_condition_with_two_mutexes_panics_and_leaves_the_second_held() {
    audited(|me| {
        let both = Arc::new((Mutex::new(()), Condvar::new()));
        let (tell, wait) = mpsc::channel();
        let first = thread::spawn({
            let both = Arc::clone(&both);
            move || {
                let mut guard = both.0.lock();
                tell.send(()).unwrap();
                both.1.wait(&mut guard);
            }
        });
        wait.recv().unwrap();
        drop(both.0.lock());
        let second = Mutex::new(());
        let mut guard = second.lock();
        let wrong = std::panic::AssertUnwindSafe(|| both.1.wait(&mut guard));
        assert!(std::panic::catch_unwind(wrong).is_err());
        me.holds(&[Mode::Exclusive]);
        drop(guard);
        both.1.notify_all();
        first.join().unwrap();
    });
}

#[cfg(not(concaudit_parking_lot = "0.13"))]
#[test]
fn a_constructor_tells_where_it_was_called() {
    static PLACED: Mutex<u32> = parking_lot::const_mutex(1);
    audited(|me| {
        let guard = PLACED.lock();
        let resource = Arc::clone(&me.0.holds()[0].acquisition.resource);
        assert!(resource.site.as_ref().unwrap().file.ends_with("holds.rs"));
        drop(guard);
    });
}

#[cfg(concaudit_parking_lot = "0.13")]
#[test]
fn a_recursive_lock_is_held_by_each_of_its_readers() {
    audited(|me| {
        let lock = parking_lot::RecursiveRwLock::new(1);
        let (first, second) = (lock.read(), lock.read());
        me.holds(&[Mode::Shared, Mode::Shared]);
        drop((first, second));
    });
}

#[cfg(not(concaudit_parking_lot = "0.13"))]
#[test]
fn a_recursive_read_is_held_too() {
    audited(|me| {
        let lock = RwLock::new(1);
        let (first, second) = (lock.read(), lock.read_recursive());
        me.holds(&[Mode::Shared, Mode::Shared]);
        drop((first, second));
    });
}
