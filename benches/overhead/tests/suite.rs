//! Forty tests of an ordinary kind: tasks, messages, a shared lock, a little
//! waiting.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, mpsc},
    time::sleep,
};

async fn work() {
    let total = Arc::new(Mutex::new(0_u64));
    let (sender, mut receiver) = mpsc::channel(16);
    let tasks: Vec<_> = (0..20_u64)
        .map(|number| {
            let (total, sender) = (Arc::clone(&total), sender.clone());
            tokio::spawn(async move {
                for _ in 0..50 {
                    *total.lock().await += number;
                    sender.send(number).await.expect("the receiver is there");
                }
                sleep(Duration::from_millis(20)).await;
            })
        })
        .collect();
    drop(sender);
    let mut received = 0;
    while let Some(number) = receiver.recv().await {
        received += number;
    }
    for task in tasks {
        task.await.expect("it does not panic");
    }
    assert_eq!(received, *total.lock().await);
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() { work().await; })*
    };
}

tests! {
    s00 s01 s02 s03 s04 s05 s06 s07 s08 s09 s10 s11 s12 s13 s14 s15 s16 s17 s18 s19
    s20 s21 s22 s23 s24 s25 s26 s27 s28 s29 s30 s31 s32 s33 s34 s35 s36 s37 s38 s39
}
