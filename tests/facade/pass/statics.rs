// editions: 2018 2021 2024

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::sync::{Arc, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, Weak};
use std::thread;

static NUMBER: Mutex<u32> = Mutex::new(1);
static TABLE: RwLock<Option<HashMap<&'static str, u32>>> = RwLock::new(None);
static READY: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
static LAZY: LazyLock<Mutex<Vec<u32>>> = LazyLock::new(Default::default);
static LAZY_MAP: LazyLock<RwLock<HashMap<u32, Arc<Mutex<u32>>>>> =
    LazyLock::new(|| RwLock::new(HashMap::from([(1, Arc::new(Mutex::new(1)))])));
static ONCE_LOCK: OnceLock<Arc<RwLock<String>>> = OnceLock::new();
static QUEUE: Mutex<Vec<Receiver<u32>>> = Mutex::new(Vec::new());
static INIT: Once = Once::new();
static COUNT: AtomicU32 = AtomicU32::new(0);
static mut SINGLE: Option<Mutex<u8>> = None;

thread_local! {
    static CONST: Mutex<u32> = const { Mutex::new(0) };
    static OWN: RefCell<Mutex<u32>> = RefCell::new(Mutex::new(1));
    static SHARED: Arc<RwLock<u32>> = Arc::new(RwLock::new(COUNT.fetch_add(1, Ordering::SeqCst)));
    static DROPPED: OnDrop = OnDrop;
}

struct OnDrop;

impl Drop for OnDrop {
    fn drop(&mut self) {
        // Locks are used while a thread ends, too.
        *NUMBER.lock().unwrap() += 100;
    }
}

fn counter() -> u32 {
    static CALLS: Mutex<u32> = Mutex::new(0);
    let mut calls = CALLS.lock().unwrap();
    *calls += 1;
    *calls
}

fn instance() -> &'static Mutex<String> {
    static INSTANCE: OnceLock<Mutex<String>> = OnceLock::new();
    INSTANCE.get_or_init(|| Mutex::new("first".to_owned()))
}

fn main() {
    *NUMBER.lock().unwrap() += 1;
    TABLE.write().unwrap().get_or_insert_with(HashMap::new).insert("a", 1);
    println!("{NUMBER:?} {TABLE:?}");
    LAZY.lock().unwrap().push(3);
    println!("{:?} {:?}", LAZY, *LAZY_MAP.read().unwrap()[&1].lock().unwrap());
    ONCE_LOCK.get_or_init(Default::default).write().unwrap().push('x');
    println!("{ONCE_LOCK:?}");
    println!("{} {} {}", counter(), counter(), counter());
    instance().lock().unwrap().push('!');
    println!("{:?}", instance());
    INIT.call_once(|| *NUMBER.lock().unwrap() += 1);

    let thread = thread::spawn(|| {
        let guard = READY.1.wait_while(READY.0.lock().unwrap(), |ready| !*ready).unwrap();
        DROPPED.with(|_| *guard)
    });
    *READY.0.lock().unwrap() = true;
    READY.1.notify_one();
    println!("{:?} {NUMBER:?}", thread.join().unwrap());

    let own = |add: u32| {
        CONST.with(|lock| *lock.lock().unwrap() += add);
        OWN.with_borrow_mut(|lock| *lock.get_mut().unwrap() += add);
        SHARED.with(|lock| *lock.write().unwrap() += add);
        (
            CONST.with(|lock| *lock.lock().unwrap()),
            OWN.with(|lock| *lock.borrow().lock().unwrap()),
            SHARED.with(|lock| *lock.read().unwrap()),
        )
    };
    println!("{:?}", own(1));
    println!("{:?}", thread::spawn(move || own(5)).join().unwrap());
    println!("{:?}", own(1));

    let (sender, receiver) = channel();
    QUEUE.lock().unwrap().push(receiver);
    sender.send(4).unwrap();
    println!("{:?}", QUEUE.lock().unwrap().pop().unwrap().recv());
    let weak: Weak<Mutex<u8>> = Arc::downgrade(&Arc::new(Mutex::new(1)));
    println!("{:?}", weak.upgrade().is_none());
    let leaked: &'static RwLock<u8> = Box::leak(Box::new(RwLock::new(1)));
    thread::spawn(move || *leaked.write().unwrap() += 1).join().unwrap();
    println!("{leaked:?}");
    unsafe {
        SINGLE = Some(Mutex::new(1));
        println!("{:?}", (*std::ptr::addr_of!(SINGLE)).as_ref().map(Mutex::lock));
    }
}
