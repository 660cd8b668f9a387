// Guards and handles within types of one's own.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug, Display};
use std::future::Future;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

struct Entry<'a> {
    guard: MutexGuard<'a, HashMap<u8, String>>,
    key: u8,
}

impl Deref for Entry<'_> {
    type Target = String;
    fn deref(&self) -> &String {
        &self.guard[&self.key]
    }
}

impl DerefMut for Entry<'_> {
    fn deref_mut(&mut self) -> &mut String {
        self.guard.entry(self.key).or_default()
    }
}

struct Mapped<G, T: ?Sized, F: Fn(&<G as Deref>::Target) -> &T>
where
    G: Deref,
{
    guard: G,
    map: F,
    target: PhantomData<fn() -> Box<T>>,
}

impl<G: Deref, T: ?Sized, F: Fn(&G::Target) -> &T> Deref for Mapped<G, T, F> {
    type Target = T;
    fn deref(&self) -> &T {
        (self.map)(&self.guard)
    }
}

enum Either<'a, T> {
    Read(RwLockReadGuard<'a, T>),
    Write(RwLockWriteGuard<'a, T>),
}

impl<T> Deref for Either<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        match self {
            Either::Read(guard) => guard,
            Either::Write(guard) => guard,
        }
    }
}

// A guard and the Arc that keeps its lock alive.
struct Owned<T: 'static> {
    guard: Option<MutexGuard<'static, T>>,
    _lock: Arc<Mutex<T>>,
}

impl<T> Owned<T> {
    fn new(lock: Arc<Mutex<T>>) -> Self {
        let guard = unsafe { &*Arc::as_ptr(&lock) }.lock().unwrap();
        Self { guard: Some(guard), _lock: lock }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        drop(self.guard.take());
    }
}

#[derive(Debug)]
struct Newtype<T>(Mutex<T>);

impl<T> Newtype<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }
}

impl<T: Copy> Clone for Newtype<T> {
    fn clone(&self) -> Self {
        Newtype(Mutex::new(*self.lock()))
    }
}

impl<T: PartialEq> PartialEq for Newtype<T> {
    fn eq(&self, other: &Self) -> bool {
        *self.lock() == *other.lock()
    }
}

struct Cache<K, V> {
    shards: Vec<RwLock<BTreeMap<K, Arc<Mutex<V>>>>>,
}

impl<K: Ord + Clone, V: Default> Cache<K, V> {
    fn entry(&self, shard: usize, key: &K) -> Arc<Mutex<V>> {
        if let Some(found) = self.shards[shard].read().unwrap().get(key) {
            return found.clone();
        }
        self.shards[shard].write().unwrap().entry(key.clone()).or_default().clone()
    }
}

impl<K: Debug, V: Debug> fmt::Display for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.shards.iter().map(|shard| shard.read().unwrap())).finish()
    }
}

fn swap<T>(one: &mut MutexGuard<'_, T>, other: &mut MutexGuard<'_, T>) {
    std::mem::swap(&mut **one, &mut **other);
}

fn text(value: impl Display) -> String {
    value.to_string()
}

async fn within_a_future(lock: &Mutex<u8>) -> u8 {
    let value = {
        let mut guard = lock.lock().unwrap();
        *guard += 1;
        *guard
    };
    std::future::ready(value).await
}

fn send<F: Future + Send>(future: F) -> F {
    future
}

fn main() {
    let map = Mutex::new(HashMap::new());
    let mut entry = Entry { guard: map.lock().unwrap(), key: 1 };
    entry.push_str("text");
    println!("{} {}", *entry, entry.len());
    drop(entry);
    let lock = Mutex::new((1, "two"));
    let mapped = Mapped { guard: lock.lock().unwrap(), map: |pair| pair.1, target: PhantomData };
    println!("{}", &*mapped);
    drop(mapped);
    let shared = RwLock::new(5);
    println!(
        "{}",
        *Either::Read(shared.read().unwrap()) + *Either::Write(RwLock::new(1).write().unwrap())
    );
    let arc = Arc::new(Mutex::new(6));
    let owned = Owned::new(arc.clone());
    println!("{:?} {}", owned.guard.as_deref(), arc.try_lock().is_err());
    drop(owned);
    println!("{}", arc.try_lock().is_ok());
    let newtype = Newtype(Mutex::new(1));
    println!("{:?} {}", newtype.clone(), newtype == newtype.clone());

    let cache: Cache<&str, u8> = Cache { shards: (0..2).map(|_| RwLock::default()).collect() };
    *cache.entry(0, &"key").lock().unwrap() += 3;
    *cache.entry(0, &"key").lock().unwrap() += 4;
    println!("{cache}");

    let (one, other) = (Mutex::new(1), Mutex::new(2));
    swap(&mut one.lock().unwrap(), &mut other.lock().unwrap());
    std::mem::swap(&mut *one.lock().unwrap(), &mut 7);
    println!("{one:?} {other:?}");
    let guards: Vec<MutexGuard<'_, u8>> =
        [&one, &other].iter().map(|lock| lock.lock().unwrap()).collect();
    println!("{guards:?} {}", guards.iter().map(|guard| **guard).sum::<u8>());
    drop(guards);
    println!("{}", text(one.lock().unwrap()));
    let mut option = Some(one.lock().unwrap());
    **option.as_mut().unwrap() = 9;
    let taken: Option<MutexGuard<'_, u8>> = option.take();
    println!("{:?} {}", taken.as_deref(), option.is_none());
    drop(taken);

    let mut replaced = Mutex::new(1);
    let old = std::mem::replace(&mut replaced, Mutex::new(2));
    println!("{old:?} {replaced:?} {:?}", std::mem::take(&mut replaced));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let future = std::pin::pin!(send(within_a_future(&one)));
    println!("{:?}", future.poll(&mut context));
}
