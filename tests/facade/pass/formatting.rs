use std::fmt::Debug;
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::thread;

fn show<T: Debug + ?Sized>(value: &T) {
    println!("{value:?}");
    println!("{value:#?}");
    println!("{value:5?}");
}

#[derive(Debug)]
#[allow(dead_code)]
struct Point {
    x: f32,
    y: f32,
}

fn poison<T: Send + Sync + 'static>(value: T, with: fn(&T)) -> T {
    let value = Arc::new(value);
    let own = value.clone();
    thread::spawn(move || with(&own)).join().unwrap_err();
    Arc::into_inner(value).unwrap()
}

fn main() {
    let mutex = Mutex::new(Point { x: 1.0, y: 2.5 });
    show(&mutex);
    let guard = mutex.lock().unwrap();
    show(&mutex);
    show(&guard);
    show(&mutex.try_lock());
    show(&mutex.try_lock().unwrap_err());
    println!("{}", mutex.try_lock().unwrap_err());
    drop(guard);
    show(&mutex.lock());
    show(&mutex.try_lock());

    let lock = RwLock::new(vec!["a", "b"]);
    show(&lock);
    let read = lock.read().unwrap();
    show(&lock);
    show(&read);
    show(&lock.try_write());
    drop(read);
    let write = lock.write().unwrap();
    show(&lock);
    show(&write);
    show(&lock.try_read());
    drop(write);

    let text = Mutex::new("text".to_owned());
    let guard = text.lock().unwrap();
    println!("{guard} {guard:>6} {guard:.2} {guard:?}");
    drop(guard);
    let number = RwLock::new(255);
    println!("{:05}", number.read().unwrap());
    println!("{:+}", number.write().unwrap());
    println!("{:x?} {:?}", number, number.read().unwrap());

    let poisoned = poison(Mutex::new(1), |lock| {
        let _guard = lock.lock();
        panic!();
    });
    show(&poisoned);
    show(&poisoned.lock());
    show(&poisoned.try_lock());
    println!("{} {}", poisoned.lock().unwrap_err(), poisoned.try_lock().unwrap_err());
    let poisoned = poison(RwLock::new(1), |lock| {
        let _guard = lock.write();
        panic!();
    });
    show(&poisoned);
    show(&poisoned.read());
    show(&poisoned.write());
    show(&poisoned.into_inner());

    show(&Condvar::new());
    show(&Barrier::new(3));
    show(&Barrier::new(1).wait());
    show(&Once::new());
    let (sender, receiver) = channel::<u8>();
    show(&sender);
    show(&receiver);
    show(&receiver.iter());
    show(&receiver.try_iter());
    show(&receiver.into_iter());
    let (sender, receiver) = sync_channel::<Point>(1);
    show(&sender);
    show(&receiver);
    show(&sender.try_send(Point { x: 0.0, y: 0.0 }));
    show(&sender.try_send(Point { x: 0.0, y: 0.0 }));

    show(&thread::Builder::new());
    show(&thread::Builder::new().name("some".to_owned()).stack_size(123_456));
    let handle = thread::spawn(|| ());
    show(&handle);
    handle.join().unwrap();
    thread::scope(|scope| {
        // The rest is the id of this thread, which is not 1 where another came first.
        let text = format!("{scope:?}");
        println!("{:?}", text.split_once("ThreadId").map(|(text, _)| text));
        let handle = scope.spawn(|| ());
        show(&handle);
    });
    show(&Mutex::new(Mutex::new(RwLock::new(1))));
    let erased: Box<dyn Debug> = Box::new(Arc::new(Mutex::new([1, 2])));
    show(&*erased);
}
