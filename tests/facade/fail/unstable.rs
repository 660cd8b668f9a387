use std::sync::nonpoison::Mutex as Other; //~ E0658
use std::sync::poison::Mutex as Poison; //~ E0658
use std::sync::{Condvar, Mutex, MappedMutexGuard, ReentrantLock, RwLock}; //~ E0658

fn main() {
    let lock = Mutex::new(1);
    let _ = lock.get_cloned(); //~ E0658
    let _ = lock.set(2); //~ E0658
    let _ = lock.data_ptr(); //~ E0658
    let _ = RwLock::new(1).replace(2); //~ E0658
    std::thread::sleep_until(std::time::Instant::now()); //~ E0658
    let _ = std::sync::mpsc::channel::<u8>().1.recv_deadline(std::time::Instant::now()); //~ E0658
    let _ = Condvar::new();
}
