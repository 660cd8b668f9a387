#![deny(deprecated)]

use std::sync::{Condvar, Mutex};
use std::thread;

fn main() {
    thread::sleep_ms(1); //~ deprecated
    thread::park_timeout_ms(1); //~ deprecated
    let lock = Mutex::new(1);
    let _ = Condvar::new().wait_timeout_ms(lock.lock().unwrap(), 1); //~ deprecated
    let f: fn(u32) = std::thread::sleep_ms; //~ deprecated
    f(1);
}
