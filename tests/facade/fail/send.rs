use std::rc::Rc;
use std::sync::mpsc::{Iter, Receiver, Sender, SyncSender};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, JoinHandle, ScopedJoinHandle};

fn send<T: Send>() {}

fn main() {
    send::<MutexGuard<'static, u8>>(); //~ E0277
    send::<RwLockReadGuard<'static, u8>>(); //~ E0277
    send::<RwLockWriteGuard<'static, u8>>(); //~ E0277
    send::<LockResult<MutexGuard<'static, u8>>>(); //~ E0277
    send::<Mutex<Rc<u8>>>(); //~ E0277
    send::<RwLock<*const u8>>(); //~ E0277
    send::<Arc<Mutex<Rc<u8>>>>(); //~ E0277
    send::<Arc<Mutex<dyn Fn()>>>(); //~ E0277
    send::<&Receiver<u8>>(); //~ E0277
    send::<Iter<'static, u8>>(); //~ E0277
    send::<Receiver<Rc<u8>>>(); //~ E0277
    send::<Sender<Rc<u8>>>(); //~ E0277
    send::<SyncSender<Rc<u8>>>(); //~ E0277
    send::<ScopedJoinHandle<'static, Rc<u8>>>(); //~ E0277
    // This one is.
    send::<JoinHandle<Rc<u8>>>();
}

fn moved_to_a_thread(lock: &'static Mutex<u8>) {
    let guard = lock.lock().unwrap();
    thread::spawn(move || drop(guard)); //~ E0277
}

fn shared_with_a_thread() {
    let shared = Rc::new(RwLock::new(1));
    thread::spawn(move || drop(shared)); //~ E0277
}

fn returned_by_a_thread() {
    thread::spawn(|| Rc::new(1)); //~ E0277
    thread::scope(|scope| {
        scope.spawn(|| Rc::new(1)); //~ E0277
    });
}

fn held_across_an_await(lock: &'static Mutex<u8>) {
    fn send<T: Send>(_: T) {}
    send(async { //~ ERROR
        let guard = lock.lock();
        std::future::ready(()).await;
        drop(guard);
    });
}
