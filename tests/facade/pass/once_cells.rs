// Cells that are initialised once: what they do, print and keep.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, LazyLock, Mutex, Once, OnceLock};
use std::thread;

static CALLS: Mutex<u32> = Mutex::new(0);
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    *CALLS.lock().unwrap() += 1;
    vec!["a".to_owned(), "b".to_owned()]
});
static LIMIT: OnceLock<u32> = OnceLock::new();
static START: Once = Once::new();
#[allow(deprecated)]
static OLD: Once = std::sync::ONCE_INIT;
const EMPTY: OnceLock<u8> = OnceLock::new();

fn panics<T>(f: impl FnOnce() -> T) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(f)).err()?;
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
}

fn once() {
    let mut calls = 0;
    START.call_once(|| calls += 1);
    START.call_once(|| calls += 1);
    println!("{calls} {} {:?} {:?}", START.is_completed(), START, Once::new());
    OLD.call_once_force(|state| println!("poisoned: {}", state.is_poisoned()));

    let once = Once::new();
    println!("{:?}", panics(|| once.call_once(|| panic!("no"))));
    println!("{:?}", panics(|| once.call_once(|| ())).is_some());
    once.call_once_force(|state| println!("poisoned: {}", state.is_poisoned()));
    println!("{}", once.is_completed());
}

fn once_lock() {
    println!("{:?} {:?}", LIMIT, LIMIT.get());
    println!("{:?} {:?} {}", LIMIT.set(3), LIMIT.set(4), LIMIT.get_or_init(|| 5));
    println!("{:?} {:?}", LIMIT, EMPTY.get());
    let mut cell = OnceLock::from(String::from("x"));
    cell.get_mut().unwrap().push('y');
    let copy = cell.clone();
    println!("{} {:?} {:?} {:?}", cell == copy, cell.take(), cell.get(), copy.into_inner());
    println!("{}", OnceLock::<u8>::default() == EMPTY);
    println!("{:?}", panics(|| cell.get_or_init(|| panic!("not yet"))));
    println!("{}", cell.get_or_init(|| "again".to_owned()));
    let nested: &OnceLock<Vec<OnceLock<u8>>> = &OnceLock::new();
    println!("{:?}", nested.get_or_init(|| vec![OnceLock::new()])[0].get_or_init(|| 7));
}

fn lazy_lock() {
    println!("{:?}", LazyLock::<u8>::new(|| 1));
    println!("{} {:?} {}", NAMES.len(), *NAMES, NAMES.iter().count());
    println!("{:?} {}", NAMES, CALLS.lock().unwrap());
    let text = String::from("moved");
    let lazy = LazyLock::new(move || text + "!");
    println!("{} {}", LazyLock::force(&lazy), *lazy);
    let default: LazyLock<Vec<u8>> = LazyLock::default();
    println!("{:?}", default.first());
    let bad = LazyLock::<u8>::new(|| panic!("never"));
    println!("{:?}", panics(|| *bad));
    println!("{:?}", panics(|| *bad));
    println!("{bad:?}");
}

fn among_threads() {
    let (cell, met, calls) = (OnceLock::new(), Barrier::new(4), Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                met.wait();
                let value = cell.get_or_init(|| {
                    *calls.lock().unwrap() += 1;
                    42
                });
                assert_eq!(*value, 42);
            });
        }
    });
    println!("{}", calls.lock().unwrap());
    let lazy = LazyLock::new(|| thread::scope(|scope| scope.spawn(|| 6).join().unwrap()));
    thread::scope(|scope| {
        let other = scope.spawn(|| *lazy);
        println!("{}", *lazy + other.join().unwrap());
    });
}

/// Dropped with what they are made of, initialised or not.
fn drops() {
    struct Loud(&'static str);
    impl Drop for Loud {
        fn drop(&mut self) {
            println!("drops {}", self.0);
        }
    }
    let unused = Loud("what was not needed");
    drop(LazyLock::new(move || unused));
    let used = LazyLock::new(|| Loud("the value"));
    println!("{}", used.0);
    drop(used);
    drop(OnceLock::from(Loud("the content")));
}

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    once();
    once_lock();
    lazy_lock();
    among_threads();
    drops();
}
