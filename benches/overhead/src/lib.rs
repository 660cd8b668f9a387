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
