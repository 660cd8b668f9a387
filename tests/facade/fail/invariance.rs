use std::sync::mpsc::{Receiver, Sender, SyncSender};
use std::sync::{Mutex, MutexGuard, RwLock, RwLockWriteGuard};
use std::thread::{JoinHandle, Scope, ScopedJoinHandle};

fn mutex<'short, 'long: 'short>(lock: Mutex<&'long u8>) -> Mutex<&'short u8> {
    lock //~ ERROR
}

fn rwlock<'short, 'long: 'short>(lock: RwLock<&'long u8>) -> RwLock<&'short u8> {
    lock //~ ERROR
}

fn guard<'a, 'short, 'long: 'short>(guard: MutexGuard<'a, &'long u8>) -> MutexGuard<'a, &'short u8> {
    guard //~ ERROR
}

fn write<'a, 'short, 'long: 'short>(
    guard: RwLockWriteGuard<'a, &'long u8>,
) -> RwLockWriteGuard<'a, &'short u8> {
    guard //~ ERROR
}

fn receiver<'short, 'long: 'short>(receiver: Receiver<&'long u8>) -> Receiver<&'short u8> {
    receiver //~ ERROR
}

fn sender<'short, 'long: 'short>(sender: Sender<&'short u8>) -> Sender<&'long u8> {
    sender //~ ERROR
}

fn sync_sender<'short, 'long: 'short>(sender: SyncSender<&'long u8>) -> SyncSender<&'short u8> {
    sender //~ ERROR
}

fn handle<'short, 'long: 'short>(handle: JoinHandle<&'long u8>) -> JoinHandle<&'short u8> {
    handle //~ ERROR
}

fn scoped<'a, 'short, 'long: 'short>(
    handle: ScopedJoinHandle<'a, &'long u8>,
) -> ScopedJoinHandle<'a, &'short u8> {
    handle //~ ERROR
}

fn scope<'scope, 'short: 'scope, 'long: 'short>(
    scope: &'scope Scope<'scope, 'long>,
) -> &'scope Scope<'scope, 'short> {
    scope //~ ERROR
}

fn main() {}
