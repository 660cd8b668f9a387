// A lock may hold a reference to what is dropped before it; who drops what, and when.

use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, RwLock, RwLockWriteGuard};

struct Noisy(&'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        println!("drop {}", self.0);
    }
}

fn dangling() {
    let (lock, other, list);
    let value = 1;
    lock = Mutex::new(&value);
    other = RwLock::new(Some(&value));
    list = Mutex::new(vec![&value]);
    println!("{lock:?} {other:?} {list:?}");
}

fn to_itself() {
    struct Node<'a>(Mutex<Option<&'a Node<'a>>>);
    let node = Node(Mutex::new(None));
    println!("{}", node.0.lock().unwrap().is_none());
}

fn guard_and_lock(lock: &Mutex<u8>) -> u8 {
    let local = Mutex::new(*lock.lock().unwrap());
    let value = *local.lock().unwrap();
    let twice = value + *local.lock().unwrap();
    twice
}

fn match_on_a_temporary(lock: &Mutex<Option<u8>>) {
    match *lock.lock().unwrap() {
        Some(value) => println!("{value} {}", lock.try_lock().is_err()),
        None => println!("none"),
    }
    if let Some(value) = lock.lock().unwrap().as_mut() {
        *value += 1;
    }
    let taken = lock.lock().unwrap().take();
    println!("{taken:?} {}", lock.try_lock().is_ok());
}

struct Two<'a> {
    first: MutexGuard<'a, Noisy>,
    second: RwLockWriteGuard<'a, Noisy>,
}

fn main() {
    dangling();
    to_itself();
    println!("{}", guard_and_lock(&Mutex::new(2)));
    match_on_a_temporary(&Mutex::new(Some(1)));

    let first = Mutex::new(Noisy("first"));
    let second = RwLock::new(Noisy("second"));
    {
        let two = Two { first: first.lock().unwrap(), second: second.write().unwrap() };
        println!("{} {} {}", two.first.0, two.second.0, second.try_read().is_err());
        let Two { first: kept, .. } = two;
        println!("{} {}", first.try_lock().is_err(), second.try_read().is_ok());
        drop(kept);
    }
    *first.lock().unwrap() = Noisy("third");
    let inner = first.into_inner().unwrap();
    println!("inner {}", inner.0);
    std::mem::forget(second.read());
    println!("{}", second.try_write().is_err());
    let leaked = Mutex::new(Noisy("leaked"));
    std::mem::forget(leaked.lock());
    println!("{}", leaked.try_lock().is_err());

    let (sender, receiver) = channel();
    sender.send(Noisy("sent")).unwrap();
    drop(receiver);
    println!("receiver dropped");
}
