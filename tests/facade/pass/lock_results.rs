// Generic code over what locking returns.

use std::error::Error;
use std::fmt::Debug;
use std::ops::{Deref, DerefMut};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{
    LockResult, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError,
    TryLockResult,
};

static LOCK: Mutex<u8> = Mutex::new(1);
static SHARED: RwLock<Vec<u8>> = RwLock::new(Vec::new());

fn unpoison<G>(result: LockResult<G>) -> G {
    match result {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

fn attempt<G>(result: TryLockResult<G>) -> Option<G> {
    match result {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn question_mark() -> Result<u8, Box<dyn Error>> {
    let value = *LOCK.lock()?;
    let length = SHARED.read()?.len();
    drop(LOCK.try_lock()?);
    Ok(value + u8::try_from(length)?)
}

fn own_error(lock: &Mutex<u8>) -> Result<u8, Failed> {
    Ok(*lock.lock()?)
}

#[derive(Debug)]
struct Failed(String);

impl<T> From<PoisonError<T>> for Failed {
    fn from(error: PoisonError<T>) -> Self {
        Failed(error.to_string())
    }
}

impl<'a, T> From<TryLockError<MutexGuard<'a, T>>> for Failed {
    fn from(error: TryLockError<MutexGuard<'a, T>>) -> Self {
        Failed(format!("{error:?}"))
    }
}

trait Lock {
    type Value;
    type Guard<'a>: Deref<Target = Self::Value> + DerefMut
    where
        Self: 'a;
    fn exclusive(&self) -> LockResult<Self::Guard<'_>>;
}

impl<T> Lock for Mutex<T> {
    type Value = T;
    type Guard<'a>
        = std::sync::MutexGuard<'a, T>
    where
        T: 'a;
    fn exclusive(&self) -> LockResult<MutexGuard<'_, T>> {
        self.lock()
    }
}

impl<T> Lock for RwLock<T> {
    type Value = T;
    type Guard<'a>
        = std::sync::RwLockWriteGuard<'a, T>
    where
        T: 'a;
    fn exclusive(&self) -> LockResult<std::sync::RwLockWriteGuard<'_, T>> {
        self.write()
    }
}

fn add<L: Lock<Value = u8>>(lock: &L) -> u8 {
    let mut guard = unpoison(lock.exclusive());
    *guard += 1;
    *guard
}

fn show(error: &(dyn Error + 'static)) -> String {
    let kind = if error.is::<PoisonError<MutexGuard<'static, u8>>>() {
        "poison"
    } else if error.is::<TryLockError<MutexGuard<'static, u8>>>() {
        "try"
    } else if error.is::<PoisonError<RwLockReadGuard<'static, Vec<u8>>>>() {
        "read"
    } else {
        "other"
    };
    format!("{kind} {error} {:?}", error.source().is_some())
}

fn keep<T: Debug>(lock: &Mutex<T>) -> LockResult<MutexGuard<'_, T>> {
    lock.lock().map(|guard| {
        println!("{guard:?}");
        guard
    })
}

fn main() {
    println!("{:?} {:?}", question_mark().unwrap(), own_error(&LOCK));
    println!("{} {}", add(&LOCK), add(&RwLock::new(1)));
    println!("{:?}", attempt(LOCK.try_lock()));
    let held = keep(&LOCK).unwrap();
    println!("{:?}", attempt(LOCK.try_lock()));
    println!("{:?}", LOCK.try_lock().map_err(Failed::from));
    println!("{}", show(&LOCK.try_lock().unwrap_err()));
    println!("{}", matches!(LOCK.try_lock(), Err(TryLockError::WouldBlock)));
    drop(held);

    for poison in [
        (|| {
            let _guard = LOCK.lock().unwrap();
            panic!()
        }) as fn(),
        || {
            let _guard = SHARED.write().unwrap();
            panic!()
        },
    ] {
        catch_unwind(poison).unwrap_err();
    }
    println!("{:?} {:?}", own_error(&LOCK), LOCK.try_lock().map_err(Failed::from).map(|_| ()));
    println!("{:?}", question_mark().map_err(|error| show(&*error)));
    println!("{}", show(&SHARED.read().unwrap_err()));
    println!("{}", show(&LOCK.try_lock().unwrap_err()));
    println!("{:?}", attempt(LOCK.try_lock()));
    println!("{:?}", keep(&LOCK));
    let mut poisoned = LOCK.lock().unwrap_err();
    **poisoned.get_mut() += 1;
    println!("{}", **poisoned.get_ref());
    let error = TryLockError::from(poisoned);
    println!("{error:?} {error}");
    drop(error);
    println!("{}", add(&LOCK));
    let made: PoisonError<MutexGuard<'_, u8>> = PoisonError::new(unpoison(LOCK.lock()));
    println!("{made:?}");
    drop(made);
    println!("{:?}", catch_unwind(AssertUnwindSafe(|| *LOCK.lock().unwrap())).is_err());
    LOCK.clear_poison();
    SHARED.clear_poison();
    println!("{:?}", question_mark().unwrap());
    println!("{}", LOCK.lock().is_ok_and(|guard| *guard > 1));
    println!("{:?}", LOCK.lock().as_deref().copied().ok());
    if let (Ok(mut one), Ok(other)) = (LOCK.lock(), SHARED.read()) {
        *one += other.len() as u8;
    }
    let Ok(guard) = LOCK.lock() else { unreachable!() };
    println!("{guard}");
}
