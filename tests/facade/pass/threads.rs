// editions: 2015 2021 2024

#![allow(deprecated)]

use std::os::unix::thread::{JoinHandleExt, RawPthread};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Builder, JoinHandle, Thread, ThreadId};
use std::time::{Duration, Instant};

const MOMENT: Duration = Duration::from_millis(10);

struct Worker {
    thread: Option<JoinHandle<u8>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        println!("{:?}", self.thread.take().unwrap().join());
    }
}

fn slept(f: fn()) -> bool {
    let since = Instant::now();
    f();
    since.elapsed() >= MOMENT
}

fn main() {
    let handle: JoinHandle<String> = thread::spawn(|| "result".to_string());
    let thread: &Thread = handle.thread();
    let id: ThreadId = thread.id();
    println!("{:?} {}", thread.name(), id != thread::current().id());
    println!("{:?}", handle.join());

    let builder = Builder::new().name("named".to_string()).stack_size(1 << 20);
    let handle = builder.spawn(|| thread::current().name().map(|name| name.to_string())).unwrap();
    println!("{:?}", handle.thread().name());
    println!("{:?}", handle.join().unwrap());
    println!("{:?}", Builder::new().spawn(|| 1).unwrap().join().unwrap());
    let text = "borrowed".to_string();
    let handle = unsafe { Builder::new().spawn_unchecked(|| text.len()) }.unwrap();
    println!("{}", handle.join().unwrap());

    let error = thread::spawn(|| -> u8 { panic!("failed {}", 1) }).join().unwrap_err();
    println!("{:?}", error.downcast_ref::<String>());
    let error = thread::spawn(|| std::panic::resume_unwind(Box::new(5u8))).join().unwrap_err();
    println!("{:?}", error.downcast::<u8>());
    println!(
        "{:?}",
        std::panic::catch_unwind(|| {
            let _ = Builder::new().name("with a \0".to_string()).spawn(|| ());
        })
        .is_err()
    );

    let parked = Arc::new(AtomicBool::new(false));
    let flag = parked.clone();
    let handle = thread::spawn(move || {
        while !flag.load(Ordering::SeqCst) {
            thread::park();
        }
        "unparked"
    });
    println!("{}", handle.is_finished());
    parked.store(true, Ordering::SeqCst);
    handle.thread().unpark();
    println!("{}", handle.join().unwrap());
    thread::current().unpark();
    thread::park();
    thread::current().unpark();
    thread::park_timeout(Duration::from_secs(600));
    thread::park_timeout(MOMENT);
    thread::park_timeout_ms(5);

    println!("{}", slept(|| thread::sleep(MOMENT)));
    println!("{}", slept(|| thread::sleep_ms(10)));
    thread::sleep(Duration::new(0, 0));
    thread::yield_now();
    println!("{} {}", thread::panicking(), thread::available_parallelism().is_ok());

    let handle = thread::spawn(|| 3);
    let raw: RawPthread = handle.as_pthread_t();
    println!("{}", raw != 0);
    println!("{}", handle.join().unwrap());
    let handle = thread::spawn(|| ());
    let raw = handle.thread().id();
    println!("{}", handle.into_pthread_t() != 0 && raw == raw);

    let handle = thread::spawn(|| 4);
    while !handle.is_finished() {
        thread::yield_now();
    }
    println!("{:?}", handle.join());
    drop(Worker { thread: Some(thread::spawn(|| 6)) });

    // What the closure holds is dropped by the thread, and by nobody if it never starts.
    let lock = Arc::new(Mutex::new(0));
    let own = lock.clone();
    thread::spawn(move || {
        let own = own;
        *own.lock().unwrap() += 1;
    })
    .join()
    .unwrap();
    println!("{} {:?}", Arc::strong_count(&lock), lock);

    let nested =
        thread::spawn(|| thread::spawn(|| thread::spawn(|| 7).join().unwrap()).join().unwrap());
    println!("{:?}", nested.join());
    let result: thread::Result<()> = Ok(());
    println!("{:?}", result.is_ok());
    let handles = (0..50).map(|number| thread::spawn(move || number)).collect::<Vec<_>>();
    println!("{}", handles.into_iter().map(|handle| handle.join().unwrap()).sum::<u32>());
    // Detached, and still there when the process ends.
    thread::spawn(|| thread::sleep(Duration::from_secs(600)));
    println!("end of {:?}", thread::current().name());
}
