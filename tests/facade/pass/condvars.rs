#![allow(deprecated)]

use std::sync::{Arc, Condvar, LockResult, Mutex, MutexGuard, WaitTimeoutResult};
use std::thread;
use std::time::{Duration, Instant};

const MOMENT: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(60);

static TURN: (Mutex<u32>, Condvar) = (Mutex::new(0), Condvar::new());

fn after(
    moment: Duration,
    pair: &Arc<(Mutex<u32>, Condvar)>,
    value: u32,
) -> thread::JoinHandle<()> {
    let pair = pair.clone();
    thread::spawn(move || {
        thread::sleep(moment);
        *pair.0.lock().unwrap() = value;
        pair.1.notify_all();
    })
}

fn poisoned(pair: &Arc<(Mutex<u32>, Condvar)>) -> thread::JoinHandle<()> {
    let pair = pair.clone();
    thread::spawn(move || {
        let _guard = pair.0.lock();
        pair.1.notify_all();
        panic!("to poison it");
    })
}

fn main() {
    let pair = Arc::new((Mutex::new(0), Condvar::default()));
    let (lock, changed) = &*pair;
    println!("{changed:?} {:?}", Condvar::new());

    let setter = after(MOMENT, &pair, 1);
    let mut guard = lock.lock().unwrap();
    while *guard == 0 {
        guard = changed.wait(guard).unwrap();
    }
    println!("wait {guard}");
    drop(guard);
    setter.join().unwrap();

    let setter = after(MOMENT, &pair, 2);
    let mut asked = 0;
    let guard = changed
        .wait_while(lock.lock().unwrap(), |value| {
            asked += 1;
            *value < 2
        })
        .unwrap();
    println!("wait_while {guard} {}", asked >= 1);
    drop(guard);
    setter.join().unwrap();
    println!("at once {}", changed.wait_while(lock.lock().unwrap(), |_| false).unwrap());

    let since = Instant::now();
    let (guard, result): (MutexGuard<'_, u32>, WaitTimeoutResult) =
        changed.wait_timeout(lock.lock().unwrap(), MOMENT).unwrap();
    println!(
        "wait_timeout {guard} {result:?} {}",
        since.elapsed() >= MOMENT || !result.timed_out()
    );
    drop(guard);
    let setter = after(MOMENT, &pair, 3);
    let mut guard = lock.lock().unwrap();
    while *guard < 3 {
        let (again, result) = changed.wait_timeout(guard, LONG).unwrap();
        guard = again;
        println!("{}", result.timed_out());
    }
    drop(guard);
    setter.join().unwrap();

    let (guard, result) =
        changed.wait_timeout_while(lock.lock().unwrap(), MOMENT, |_| true).unwrap();
    println!("wait_timeout_while {guard} {result:?}");
    drop(guard);
    let (guard, result) =
        changed.wait_timeout_while(lock.lock().unwrap(), MOMENT, |_| false).unwrap();
    println!("{guard} {result:?}");
    drop(guard);
    let setter = after(MOMENT, &pair, 4);
    let (mut guard, result) =
        changed.wait_timeout_while(lock.lock().unwrap(), LONG, |value| *value < 4).unwrap();
    *guard += 1;
    println!("{guard} {}", result.timed_out());
    println!("{:?}", result == result.clone());
    drop(guard);
    setter.join().unwrap();
    let (guard, result) = changed
        .wait_timeout_while(lock.lock().unwrap(), Duration::ZERO, |value| *value < 9)
        .unwrap();
    println!("{guard} {}", result.timed_out());
    drop(guard);

    let (guard, in_time) = changed.wait_timeout_ms(lock.lock().unwrap(), 5).unwrap();
    println!("wait_timeout_ms {guard} {in_time}");
    drop(guard);

    // Nobody notified is noted; notifying nobody does nothing.
    changed.notify_one();
    changed.notify_all();

    // Every way to wait tells of the poison, and gives the guard back.
    let guard = lock.lock().unwrap();
    let panics = poisoned(&pair);
    let result: LockResult<MutexGuard<'_, u32>> =
        changed.wait_while(guard, |_| !lock.is_poisoned());
    println!("{:?}", result.is_err() || lock.is_poisoned());
    drop(result);
    panics.join().unwrap_err();
    let guard = lock.lock().unwrap_err().into_inner();
    let (guard, result) = changed.wait_timeout(guard, MOMENT).unwrap_err().into_inner();
    println!("{guard} {}", result.timed_out());
    let failed = changed.wait_timeout_while(guard, MOMENT, |_| true).unwrap_err();
    println!("{failed:?} {failed}");
    let (guard, _) = failed.into_inner();
    let (guard, in_time) = changed.wait_timeout_ms(guard, 5).unwrap_err().into_inner();
    println!("{guard} {in_time}");
    drop(guard);
    lock.clear_poison();

    // A condition that panics leaves the lock poisoned and free.
    let result = std::panic::catch_unwind(|| {
        let _ =
            changed.wait_timeout_while(lock.lock().unwrap(), LONG, |_| panic!("in the condition"));
    });
    println!("{} {} {}", result.is_err(), lock.is_poisoned(), lock.try_lock().is_err());
    drop(lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));

    // Two threads in turns, on a static.
    let other = thread::spawn(|| {
        for turn in (0..100).step_by(2) {
            let mut guard = TURN.1.wait_while(TURN.0.lock().unwrap(), |now| *now != turn).unwrap();
            *guard += 1;
            TURN.1.notify_one();
        }
    });
    for turn in (1..100).step_by(2) {
        let mut guard = TURN.1.wait_while(TURN.0.lock().unwrap(), |now| *now != turn).unwrap();
        *guard += 1;
        TURN.1.notify_one();
    }
    other.join().unwrap();
    println!("{:?}", TURN.0);
}
