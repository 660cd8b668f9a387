// editions: 2015 2018 2021 2024
// aux: traits

extern crate traits;

use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::thread;

use traits::{Describe, Registry, Shared};

struct Own;

impl Describe for Own {
    fn describe(&self) -> String {
        "own".to_string()
    }
}

fn main() {
    let lock = Mutex::new(1u8);
    println!("{} {}", lock.describe(), RwLock::new(2u8).describe());
    println!("{} {}", lock.lock().unwrap().describe(), Arc::new(Mutex::new(Own)).describe());
    println!("{}", Mutex::new(RwLock::new(Mutex::new(Own))).describe());
    println!("{}", Condvar::new().describe());
    println!("{}", thread::spawn(|| 1).describe());

    // Types of that crate hold std's, and give them away.
    let registry = Registry::default();
    registry.names.lock().unwrap().push("here".to_string());
    registry.add("there");
    println!("{:?} {:?}", registry.locked().map(|names| names.clone()).unwrap(), registry);
    let mine: Shared<u8> = Arc::new(RwLock::new(3));
    traits::increase(&mine);
    println!("{:?}", mine.read().map(|value| *value).unwrap());
    println!("{:?}", traits::GLOBAL.lock().unwrap());
    *traits::GLOBAL.lock().unwrap() = 6;
    println!("{:?}", traits::global());
    let (sender, receiver) = traits::channel();
    sender.send(8).unwrap();
    println!("{:?}", traits::receive(receiver));
    println!("{:?}", traits::in_thread(|| 9).join().unwrap());
    traits::locked!(lock, |value| *value += 1);
    println!("{:?}", lock);
    println!("{:?}", traits::with_guard(lock.lock().unwrap()));
}
