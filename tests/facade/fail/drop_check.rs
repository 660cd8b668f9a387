// What looks at its value when it is dropped must not outlive what the value borrows.

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Mutex, RwLock};

struct Looks<'a>(&'a u8);

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

fn in_a_mutex() {
    let (lock, value);
    value = 1;
    lock = Mutex::new(Looks(&value)); //~ E0597
    let _ = &lock;
}

fn in_a_rwlock() {
    let (lock, value);
    value = 1;
    lock = RwLock::new(vec![Looks(&value)]); //~ E0597
    let _ = &lock;
}

fn guard_in_an_option() {
    let (mut guard, lock) = (None, Mutex::new(1));
    guard.replace(lock.lock()); //~ E0597
}

fn channel_of_references() {
    let (pair, value);
    value = 1;
    pair = channel();
    pair.0.send(&value).unwrap(); //~ E0597
}

fn bounded_channel_of_references() {
    let (pair, value);
    value = 1;
    pair = sync_channel(1);
    pair.0.send(&value).unwrap(); //~ E0597
}

fn tail() -> u8 {
    let lock = Mutex::new(1);
    *lock.lock().unwrap() //~ E0597
}

fn main() {}
