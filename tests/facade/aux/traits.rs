// A crate that others use: it has impls for the locks, and signatures with them.

use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::sync::{Arc, Condvar, LockResult, Mutex, MutexGuard, RwLock};
use std::thread::{self, JoinHandle};

pub trait Describe {
    fn describe(&self) -> String;
}

impl Describe for u8 {
    fn describe(&self) -> String {
        format!("u8 {}", self)
    }
}

impl<T: Describe + ?Sized> Describe for Mutex<T> {
    fn describe(&self) -> String {
        format!("mutex of {}", self.lock().unwrap().describe())
    }
}

impl<T: Describe + ?Sized> Describe for RwLock<T> {
    fn describe(&self) -> String {
        format!("lock of {}", self.read().unwrap().describe())
    }
}

impl<'a, T: Describe + ?Sized> Describe for MutexGuard<'a, T> {
    fn describe(&self) -> String {
        format!("guard of {}", (**self).describe())
    }
}

impl<T: Describe + ?Sized> Describe for Arc<T> {
    fn describe(&self) -> String {
        format!("arc of {}", (**self).describe())
    }
}

impl Describe for Condvar {
    fn describe(&self) -> String {
        format!("{:?}", self)
    }
}

impl<T> Describe for JoinHandle<T> {
    fn describe(&self) -> String {
        format!("thread {:?}", self.thread().name())
    }
}

#[derive(Debug, Default)]
pub struct Registry {
    pub names: Mutex<Vec<String>>,
}

pub type Shared<T> = Arc<RwLock<T>>;

pub static GLOBAL: Mutex<u8> = Mutex::new(5);

impl Registry {
    pub fn add(&self, name: &str) {
        self.names.lock().unwrap().push(name.to_string());
    }

    pub fn locked(&self) -> LockResult<MutexGuard<'_, Vec<String>>> {
        self.names.lock()
    }
}

pub fn increase(shared: &Shared<u8>) {
    *shared.write().unwrap() += 1;
}

pub fn global() -> u8 {
    *GLOBAL.lock().unwrap()
}

pub fn channel() -> (SyncSender<u8>, Receiver<u8>) {
    sync_channel(1)
}

pub fn receive(receiver: Receiver<u8>) -> Vec<u8> {
    receiver.try_iter().collect()
}

pub fn in_thread<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(f: F) -> JoinHandle<T> {
    thread::spawn(f)
}

pub fn with_guard<T: Copy>(guard: MutexGuard<T>) -> T {
    *guard
}

#[macro_export]
macro_rules! locked {
    ($lock:expr, $f:expr) => {{
        let mut guard = ::std::sync::Mutex::lock(&$lock).unwrap();
        let f: fn(&mut _) = $f;
        f(&mut *guard)
    }};
}
