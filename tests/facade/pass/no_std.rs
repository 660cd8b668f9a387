// editions: 2015 2018 2021 2024

#![no_std]

#[macro_use]
extern crate std;
extern crate alloc;

use alloc::sync::Arc;
use core::time::Duration;
use std::prelude::v1::*;
use std::sync::{Mutex, RwLock};

mod inner {
    pub extern crate std as renamed;

    pub type Lock<T> = self::renamed::sync::Mutex<T>;
}

thread_local!(static OWN: Mutex<u8> = Mutex::new(1));

fn main() {
    let lock: Arc<inner::Lock<Vec<u8>>> = Arc::new(Mutex::new(vec![1]));
    let own = lock.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1));
        own.lock().unwrap().push(2);
    });
    thread.join().unwrap();
    println!("{:?} {:?}", lock, RwLock::new(format!("{}", 1)));
    OWN.with(|own| println!("{}", own.lock().unwrap()));
    assert_eq!(lock.lock().unwrap().len(), 2);
}
