//! What is measured: single operations of tokio, and the memory of a process
//! that ran many tasks.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::{Mutex, mpsc},
};

/// How long each operation is repeated.
const REPEAT_FOR: Duration = Duration::from_millis(400);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be built")
}

/// Nanoseconds per operation: batches, until enough time has passed. One batch
/// goes ahead unmeasured.
fn repeat<F: Future<Output = ()>>(batch: impl Fn() -> F, operations: u32) -> f64 {
    runtime().block_on(async {
        batch().await;
        let (since, mut batches) = (Instant::now(), 0_u32);
        while since.elapsed() < REPEAT_FOR {
            batch().await;
            batches += 1;
        }
        since.elapsed().as_nanos() as f64 / f64::from(batches) / f64::from(operations)
    })
}

/// One lock and unlock of an uncontended tokio `Mutex`.
pub fn mutex() -> f64 {
    let lock = Arc::new(Mutex::new(0_u64));
    let batch = || {
        let lock = Arc::clone(&lock);
        async move {
            for _ in 0..1000 {
                *lock.lock().await += 1;
            }
        }
    };
    repeat(batch, 1000)
}

/// One lock and unlock of a tokio `Mutex` that 16 tasks want, each of which yields
/// while it has it: all but the first one wait in the queue.
pub fn contended() -> f64 {
    let lock = Arc::new(Mutex::new(0_u64));
    let batch = || {
        let lock = Arc::clone(&lock);
        async move {
            let wanting: Vec<_> = (0..16)
                .map(|_| {
                    let lock = Arc::clone(&lock);
                    tokio::spawn(async move {
                        for _ in 0..50 {
                            let mut count = lock.lock().await;
                            tokio::task::yield_now().await;
                            *count += 1;
                        }
                    })
                })
                .collect();
            for task in wanting {
                task.await.expect("it does not panic");
            }
        }
    };
    repeat(batch, 16 * 50)
}

/// 10,000 tasks over 1,000 locks, of which each takes two at a time in their
/// order: nanoseconds per pair; and, while they wait for each other, the share of
/// a core that the auditor's thread has, in percent.
pub fn crowd() -> (f64, f64) {
    const LOCKS: usize = 1000;
    let locks: Arc<[Mutex<u64>]> = (0..LOCKS).map(|_| Mutex::new(0)).collect();
    let before = auditor_ns();
    let since = Instant::now();
    let batch = || {
        let locks = Arc::clone(&locks);
        async move {
            let wanting: Vec<_> = (0..10_000_usize)
                .map(|number| {
                    let locks = Arc::clone(&locks);
                    tokio::spawn(async move {
                        let (one, other) = (number % LOCKS, (number * 7 + number / LOCKS) % LOCKS);
                        let _lower = locks[one.min(other)].lock().await;
                        tokio::task::yield_now().await;
                        if one != other {
                            *locks[one.max(other)].lock().await += 1;
                        }
                    })
                })
                .collect();
            for task in wanting {
                task.await.expect("it does not panic");
            }
        }
    };
    let pair = repeat(batch, 10_000);
    let busy = auditor_ns() - before;
    (pair, busy * 100.0 / since.elapsed().as_nanos() as f64)
}

/// The time on a CPU of the thread that the audit has put into this process; 0
/// where there is none.
fn auditor_ns() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("procfs is there");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    let mut paths = threads.flatten().map(|thread| thread.path());
    let auditor = paths.find(|path| read(&path.join("comm")).trim() == "concaudit");
    let on_cpu = auditor.map(|path| read(&path.join("schedstat")));
    on_cpu.and_then(|stat| stat.split(' ').next()?.parse().ok()).unwrap_or(0.0)
}

/// One spawn and join of a task that is ready at once.
pub fn spawn() -> f64 {
    let batch = || async {
        for _ in 0..200 {
            tokio::spawn(async {}).await.expect("it does not panic");
        }
    };
    repeat(batch, 200)
}

/// One message through a bounded channel between two tasks.
pub fn message() -> f64 {
    let batch = || async {
        let (sender, mut receiver) = mpsc::channel(64);
        let sending = tokio::spawn(async move {
            for number in 0..2000_u32 {
                sender.send(number).await.expect("the receiver is there");
            }
        });
        while receiver.recv().await.is_some() {}
        sending.await.expect("it does not panic");
    };
    repeat(batch, 2000)
}

/// Peak resident memory in MiB of this process after so many tasks have run and
/// finished, a thousand at a time.
pub fn memory(tasks: u32) -> f64 {
    runtime().block_on(async {
        for _ in 0..tasks / 1000 {
            let batch: Vec<_> =
                (0..1000).map(|number| tokio::spawn(async move { number })).collect();
            for task in batch {
                task.await.expect("it does not panic");
            }
        }
    });
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs is there");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.expect("the kernel tells the peak") / 1024.0
}
