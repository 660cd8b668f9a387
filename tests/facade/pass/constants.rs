use std::collections::BTreeMap;
use std::sync::{Barrier, Condvar, Mutex, RwLock};

struct Pool<T> {
    idle: Mutex<Vec<T>>,
    limit: RwLock<usize>,
    returned: Condvar,
}

impl<T> Pool<T> {
    const EMPTY: Self = Self::new(4);

    const fn new(limit: usize) -> Self {
        Self { idle: Mutex::new(Vec::new()), limit: RwLock::new(limit), returned: Condvar::new() }
    }
}

const LOCK: Mutex<u8> = Mutex::new(7);
const LOCKS: [RwLock<Option<String>>; 2] = [RwLock::new(None), RwLock::new(None)];

static POOL: Pool<String> = Pool::EMPTY;
static SHARDS: [Mutex<BTreeMap<u8, u8>>; 8] = [const { Mutex::new(BTreeMap::new()) }; 8];
static NESTED: Mutex<Mutex<RwLock<(u8, Barrier)>>> =
    Mutex::new(Mutex::new(RwLock::new((3, Barrier::new(1)))));
static REFERENCE: &RwLock<u8> = {
    static REFERRED: RwLock<u8> = RwLock::new(9);
    &REFERRED
};
static OPTION: Option<Mutex<[u8; 2]>> = Some(Mutex::new([1, 2]));

const fn through_a_generic<T>(value: T) -> Mutex<T> {
    Mutex::new(value)
}

static GENERIC: Mutex<&str> = through_a_generic("text");

const _: () = {
    let lock = Mutex::new(1);
    std::mem::forget(lock);
};

trait HasLock {
    const LOCK: Mutex<u16>;
}

impl HasLock for u16 {
    const LOCK: Mutex<u16> = Mutex::new(16);
}

fn main() {
    POOL.idle.lock().unwrap().push("one".to_owned());
    println!("{:?} {:?} {:?}", POOL.idle, POOL.limit, POOL.returned);
    SHARDS[3].lock().unwrap().insert(1, 2);
    println!("{SHARDS:?}");
    println!("{NESTED:?} {REFERENCE:?} {OPTION:?} {GENERIC:?}");
    // Each use of a constant is another lock.
    let first = LOCK;
    *first.lock().unwrap() += 1;
    let second = LOCK;
    println!("{first:?} {second:?} {LOCKS:?} {:?}", u16::LOCK);
    let promoted: &Mutex<u8> = &LOCK;
    println!("{promoted:?}");
    *REFERENCE.write().unwrap() += 1;
    println!("{REFERENCE:?}");
}
