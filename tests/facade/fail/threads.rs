use std::sync::Mutex;
use std::thread::{self, Builder, JoinHandle};

fn borrows() -> JoinHandle<()> {
    let value = 1;
    thread::spawn(|| println!("{value}")) //~ E0373
}

fn borrows_for_a_while() {
    let value = String::new();
    let reference = &value; //~ E0597
    thread::spawn(move || println!("{reference}"));
}

fn of_a_parameter<'a>(value: &'a Mutex<u8>) {
    thread::spawn(move || value.lock().is_ok()); //~ E0521
}

fn moved(handle: JoinHandle<u8>) {
    let _ = handle.join();
    let _ = handle.is_finished(); //~ E0382
}

fn used_up(builder: Builder) {
    let _ = builder.spawn(|| 1);
    let _ = builder.spawn(|| 2); //~ E0382
}

fn unchecked(builder: Builder) {
    let _ = builder.spawn_unchecked(|| 1); //~ E0133
}

fn main() {}
