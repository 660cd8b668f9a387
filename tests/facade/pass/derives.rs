// editions: 2015 2018 2021 2024

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread::{Builder, JoinHandle};

#[derive(Debug, Default)]
struct Settings {
    names: Mutex<Vec<String>>,
    limits: RwLock<HashMap<u8, u8>>,
    changed: Condvar,
    shared: Arc<Mutex<Option<u8>>>,
    tuple: (Mutex<u8>, RwLock<bool>),
    boxed: Box<RwLock<String>>,
}

#[derive(Debug, Default)]
struct Generic<T, U>(Mutex<T>, RwLock<U>);

#[derive(Debug, Clone)]
struct Shared<'a, T: 'a> {
    own: Arc<RwLock<T>>,
    borrowed: &'a Mutex<T>,
}

#[derive(Debug)]
enum State {
    Idle(Builder),
    Running(JoinHandle<()>),
    Channel { sender: SyncSender<u8>, receiver: Receiver<u8> },
    Waiting(Barrier),
}

fn main() {
    let settings = Settings::default();
    settings.names.lock().unwrap().push("a".to_string());
    settings.limits.write().unwrap().insert(1, 2);
    *settings.shared.lock().unwrap() = Some(3);
    settings.boxed.write().unwrap().push('b');
    settings.changed.notify_all();
    println!("{:?}", settings);
    println!("{:#?}", settings);
    println!("{:?}", settings.tuple);
    println!("{:?}", Generic::<Vec<u8>, Option<Mutex<u8>>>::default());

    let lock = Mutex::from(vec![1]);
    let other: RwLock<Vec<u8>> = vec![2].into();
    let shared = Shared { own: Arc::new(other), borrowed: &lock };
    println!("{:?}", shared.clone());
    println!("{}", shared.own.read().unwrap().len() + shared.borrowed.lock().unwrap().len());

    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    sender.send(1).unwrap();
    let states = [
        State::Idle(Builder::new().name("named".to_string()).stack_size(1 << 20)),
        State::Running(std::thread::spawn(|| ())),
        State::Channel { sender: sender, receiver: receiver },
        State::Waiting(Barrier::new(2)),
    ];
    println!("{:?}", states);
    for state in <Vec<_> as From<_>>::from(states) {
        match state {
            State::Running(thread) => thread.join().unwrap(),
            State::Idle(builder) => builder.spawn(|| ()).unwrap().join().unwrap(),
            State::Channel { sender, receiver } => {
                println!("{:?} {:?}", sender.try_send(2), receiver.recv());
            }
            State::Waiting(barrier) => println!("{:?}", barrier),
        }
    }
    println!("{:?} {:?}", Mutex::<String>::default(), RwLock::<u8>::default());
}
