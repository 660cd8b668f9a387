use std::sync::{Condvar, Mutex, MutexGuard, RwLock, WaitTimeoutResult};
use std::thread::{Builder, JoinHandle};

fn fields(mutex: Mutex<u8>, rwlock: RwLock<u8>, condvar: Condvar, handle: JoinHandle<u8>) {
    let _ = mutex.inner; //~ E0616
    let _ = rwlock.inner; //~ E0616
    let _ = condvar.inner; //~ E0616
    let _ = handle.nothing; //~ E0609
}

fn methods(mutex: &Mutex<u8>, guard: MutexGuard<'static, u8>) {
    mutex.unlock(); //~ E0599
    guard.unlock(); //~ E0599
    mutex.read(); //~ E0599
    MutexGuard::nothing(guard); //~ E0599
    Builder::new().nothing(); //~ E0599
    Builder::default(); //~ E0599
    let _ = WaitTimeoutResult(true); //~ E0423
}

fn main() {}
