//! What is measured: single operations of the locks of std and parking_lot, and
//! of std's threads.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

#[cfg(not(feature = "tracing-mutex"))]
use {parking_lot as parking, std::sync as standard};
#[cfg(feature = "tracing-mutex")]
use {tracing_mutex::parkinglot::tracing as parking, tracing_mutex::stdsync::tracing as standard};

/// How long each operation is repeated.
const REPEAT_FOR: Duration = Duration::from_millis(300);
const OPERATIONS: u32 = 1000;
const THREADS: u32 = 4;

/// Nanoseconds per operation: batches, until enough time has passed. One batch
/// goes ahead unmeasured.
fn repeat(batch: impl Fn(), operations: u32) -> f64 {
    batch();
    let (since, mut batches) = (Instant::now(), 0_u32);
    while since.elapsed() < REPEAT_FOR {
        batch();
        batches += 1;
    }
    since.elapsed().as_nanos() as f64 / f64::from(batches) / f64::from(operations)
}

fn times(operation: impl Fn()) -> f64 {
    repeat(|| (0..OPERATIONS).for_each(|_| operation()), OPERATIONS)
}

/// One lock and unlock of an uncontended `Mutex` of std.
pub fn std_mutex() -> f64 {
    let lock = standard::Mutex::new(0_u64);
    times(|| *lock.lock().expect("nobody panics") += 1)
}

/// One read lock and unlock of an uncontended `RwLock` of std.
pub fn std_read() -> f64 {
    let lock = standard::RwLock::new(0_u64);
    times(|| {
        black_box(*lock.read().expect("nobody panics"));
    })
}

/// One write lock and unlock of an uncontended `RwLock` of std.
pub fn std_write() -> f64 {
    let lock = standard::RwLock::new(0_u64);
    times(|| *lock.write().expect("nobody panics") += 1)
}

/// One lock and unlock of a `Mutex` of std by a thread that holds another.
pub fn std_nested() -> f64 {
    let (outer, inner) = (standard::Mutex::new(()), standard::Mutex::new(0_u64));
    repeat(
        || {
            let _outer = outer.lock().expect("nobody panics");
            (0..OPERATIONS).for_each(|_| *inner.lock().expect("nobody panics") += 1);
        },
        OPERATIONS,
    )
}

/// One lock and unlock of an uncontended `Mutex` of parking_lot.
pub fn parking_mutex() -> f64 {
    let lock = parking::Mutex::new(0_u64);
    times(|| *lock.lock() += 1)
}

/// One read lock and unlock of an uncontended `RwLock` of parking_lot.
pub fn parking_read() -> f64 {
    let lock = parking::RwLock::new(0_u64);
    times(|| {
        black_box(*lock.read());
    })
}

/// One write lock and unlock of an uncontended `RwLock` of parking_lot.
pub fn parking_write() -> f64 {
    let lock = parking::RwLock::new(0_u64);
    times(|| *lock.write() += 1)
}

/// One lock and unlock of a `Mutex` of parking_lot by a thread that holds
/// another.
pub fn parking_nested() -> f64 {
    let (outer, inner) = (parking::Mutex::new(()), parking::Mutex::new(0_u64));
    repeat(
        || {
            let _outer = outer.lock();
            (0..OPERATIONS).for_each(|_| *inner.lock() += 1);
        },
        OPERATIONS,
    )
}

/// One lock and unlock of a `Mutex` of std that several threads take in turn:
/// the time in which all of them together do one.
pub fn std_contended() -> f64 {
    const EACH: u32 = 20_000;
    let lock = standard::Mutex::new(0_u64);
    let each = || (0..EACH).for_each(|_| *lock.lock().expect("nobody panics") += 1);
    let batch = || {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(each);
            }
        });
    };
    repeat(batch, THREADS * EACH)
}

/// One spawn and join of a thread that does nothing.
pub fn thread_spawn() -> f64 {
    repeat(|| (0..50).for_each(|_| thread::spawn(|| {}).join().expect("it does not panic")), 50)
}
