// What is covariant in std is covariant here; what is not is in `fail/invariance.rs`.

use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::sync::{Barrier, Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::ScopedJoinHandle;

fn mutex_guard<'short, 'long: 'short, T>(guard: MutexGuard<'long, T>) -> MutexGuard<'short, T> {
    guard
}

fn write_guard<'short, 'long: 'short, T>(
    guard: RwLockWriteGuard<'long, T>,
) -> RwLockWriteGuard<'short, T> {
    guard
}

// The read guard is, in its lock and in its value.
fn read_guard<'short, 'long: 'short>(
    guard: RwLockReadGuard<'long, &'long str>,
) -> RwLockReadGuard<'short, &'short str> {
    guard
}

fn reference<'short, 'long: 'short, T>(lock: &'long Mutex<T>) -> &'short Mutex<T> {
    lock
}

fn pick<'a, T>(one: MutexGuard<'a, T>, other: MutexGuard<'a, T>, first: bool) -> MutexGuard<'a, T> {
    if first {
        one
    } else {
        other
    }
}

struct Holds<'a, T> {
    lock: &'a RwLock<T>,
    guard: RwLockReadGuard<'a, T>,
}

fn holds<'short, 'long: 'short, T>(of: Holds<'long, T>) -> Holds<'short, T> {
    of
}

static GLOBAL: Mutex<u8> = Mutex::new(1);
static TEXT: RwLock<&'static str> = RwLock::new("text");

#[allow(dead_code)]
fn compile_only<'short, 'long: 'short>(
    _: &'short (Condvar, Barrier),
    handle: &'short ScopedJoinHandle<'long, u8>,
    channel: &'short (Sender<u8>, SyncSender<u8>, Receiver<u8>),
) -> (&'short ScopedJoinHandle<'long, u8>, &'short Receiver<u8>) {
    (handle, &channel.2)
}

fn main() {
    let local = Mutex::new(2);
    println!("{}", pick(GLOBAL.lock().unwrap(), local.lock().unwrap(), true));
    println!("{}", mutex_guard(GLOBAL.lock().unwrap()));
    println!("{}", write_guard(TEXT.write().unwrap()));
    let text = String::from("local");
    let mut longest = read_guard(TEXT.read().unwrap());
    let other = RwLock::new(text.as_str());
    if longest.len() < text.len() {
        longest = other.read().unwrap();
    }
    println!("{longest} {}", reference(&GLOBAL).lock().unwrap());
    drop(longest);
    let held = holds(Holds { lock: &TEXT, guard: TEXT.read().unwrap() });
    println!("{} {:?}", held.guard, held.lock);
}
