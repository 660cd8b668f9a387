use std::sync::mpsc::Receiver;
use std::sync::{Barrier, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

#[derive(Clone)]
struct Locks {
    mutex: Mutex<u8>,     //~ E0277
    rwlock: RwLock<u8>,   //~ E0277
    condvar: Condvar,     //~ E0277
    barrier: Barrier,     //~ E0277
    receiver: Receiver<u8>, //~ E0277
    thread: JoinHandle<u8>, //~ E0277
}

#[derive(PartialEq)]
struct Compared(
    Mutex<u8>, //~ E0369
);

#[derive(Hash)]
struct Hashed(
    RwLock<u8>, //~ E0277
);

#[derive(Clone, Copy)]
struct Copied<'a>(&'a Mutex<u8>, Mutex<()>); //~ E0204 E0277

#[derive(Default)]
struct Defaulted(
    Barrier, //~ E0277
    Mutex<Barrier>, //~ E0277
);

#[derive(Debug)]
struct NotDebug(
    Mutex<Opaque>, //~ E0277
);
struct Opaque;

fn read_guards_are_not(guard: RwLockReadGuard<'static, u8>) -> RwLockReadGuard<'static, u8> {
    guard.clone() //~ E0308
}

fn guards_are_not(guard: &MutexGuard<'static, u8>) -> MutexGuard<'static, u8> {
    guard.clone() //~ E0308
}

fn main() {}
