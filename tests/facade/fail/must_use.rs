#![deny(unused_must_use)]

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Barrier, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, Builder};

fn guard<'a>(lock: &'a Mutex<u8>) -> MutexGuard<'a, u8> {
    lock.lock().unwrap()
}

fn read<'a>(lock: &'a RwLock<u8>) -> RwLockReadGuard<'a, u8> {
    lock.read().unwrap()
}

fn write<'a>(lock: &'a RwLock<u8>) -> RwLockWriteGuard<'a, u8> {
    lock.write().unwrap()
}

fn main() {
    let lock = Mutex::new(1);
    lock.lock(); //~ unused_must_use
    lock.try_lock(); //~ unused_must_use
    guard(&lock); //~ unused_must_use
    let lock = RwLock::new(1);
    lock.read(); //~ unused_must_use
    lock.write(); //~ unused_must_use
    read(&lock); //~ unused_must_use
    write(&lock); //~ unused_must_use
    lock.into_inner(); //~ unused_must_use
    Condvar::new(); //~ unused_must_use
    Barrier::new(1); //~ unused_must_use
    channel::<u8>(); //~ unused_must_use
    sync_channel::<u8>(1); //~ unused_must_use
    Builder::new(); //~ unused_must_use
    Builder::new().spawn(|| ()); //~ unused_must_use
    let thread = thread::spawn(|| ());
    thread.thread(); //~ unused_must_use
    thread.join(); //~ unused_must_use
    // These may be ignored.
    Mutex::new(1);
    RwLock::new(1);
    thread::spawn(|| ());
    Barrier::new(1).wait();
}
