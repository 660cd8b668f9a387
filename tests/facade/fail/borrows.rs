use std::sync::{Condvar, Mutex, MutexGuard, RwLock};

fn outlives() {
    let guard;
    {
        let lock = Mutex::new(1);
        guard = lock.lock(); //~ E0597
    }
    drop(guard);
}

fn moved(lock: Mutex<u8>) {
    let guard = lock.lock().unwrap();
    drop(lock); //~ E0505
    drop(guard);
}

fn into_inner(lock: RwLock<u8>) {
    let guard = lock.read();
    let _ = lock.into_inner(); //~ E0505
    drop(guard);
}

fn get_mut(mut lock: RwLock<u8>) {
    let guard = lock.write();
    let _ = lock.get_mut(); //~ E0502
    drop(guard);
}

fn value_outlives<'a>(lock: &'a Mutex<String>) -> &'a str {
    lock.lock().unwrap().as_str() //~ E0515
}

fn temporary() {
    let value: &u8 = &*Mutex::new(1).lock().unwrap(); //~ E0716
    println!("{value}");
}

fn waited(condvar: &Condvar, guard: MutexGuard<'_, u8>) {
    let again = condvar.wait(guard).unwrap();
    println!("{guard} {again}"); //~ E0382
}

fn read_only(lock: &RwLock<Vec<u8>>) {
    lock.read().unwrap().push(1); //~ E0596
}

fn not_mutable(lock: &Mutex<Vec<u8>>) {
    let guard = lock.lock().unwrap();
    guard.push(1); //~ E0596
}

fn out_of_a_guard(lock: &Mutex<String>) -> String {
    *lock.lock().unwrap() //~ E0507
}

fn exclusive(lock: &Mutex<u8>) {
    let _ = lock.get_mut(); //~ E0596
}

fn two_at_once(lock: &Mutex<(u8, u8)>) {
    let mut guard = lock.lock().unwrap();
    let one = &mut guard.0;
    let other = &mut guard.1; //~ E0499
    std::mem::swap(one, other);
}

fn main() {}
