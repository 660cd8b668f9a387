use std::sync::{Mutex, RwLock};

static DEFAULT: Mutex<u8> = Default::default(); //~ E0015
static FROM: RwLock<u8> = RwLock::from(1); //~ E0015
static ALLOCATED: Mutex<String> = Mutex::new("text".to_owned()); //~ E0015
static SHARED: Mutex<*const u8> = Mutex::new(std::ptr::null()); //~ E0277

const fn locked(lock: &Mutex<u8>) -> bool {
    lock.try_lock().is_ok() //~ E0015 E0493
}

const LOCKED: u8 = *RwLock::new(1).read().unwrap(); //~ E0015 E0493

fn main() {}
