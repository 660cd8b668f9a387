// Traits on the locks whose methods are called as std's own unstable or newer ones, or as
// those of the types that the facade wraps.

use std::borrow::Borrow;
use std::ops::Deref;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, LockResult, Mutex, MutexGuard, PoisonError, RwLock};

trait Ignore<'a> {
    type Guard;
    fn locked(&'a self) -> Self::Guard;
}

impl<'a, T: 'a> Ignore<'a> for Mutex<T> {
    type Guard = MutexGuard<'a, T>;
    fn locked(&'a self) -> MutexGuard<'a, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

trait Accessors<T> {
    fn update(&self, with: impl FnOnce(&mut T)) -> T;
    fn into_value(self) -> T;
}

impl<T: Clone> Accessors<T> for Mutex<T> {
    fn update(&self, with: impl FnOnce(&mut T)) -> T {
        let mut guard = self.lock().unwrap();
        with(&mut guard);
        guard.clone()
    }
    fn into_value(self) -> T {
        self.into_inner().unwrap()
    }
}

trait Unwrapped<G> {
    fn force(self) -> G;
}

impl<G> Unwrapped<G> for LockResult<G> {
    fn force(self) -> G {
        self.unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

trait Named {
    fn name(&self) -> &'static str;
}

impl<T: ?Sized> Named for Mutex<T> {
    fn name(&self) -> &'static str {
        "mutex"
    }
}
impl<T: ?Sized> Named for RwLock<T> {
    fn name(&self) -> &'static str {
        "rwlock"
    }
}
impl Named for Condvar {
    fn name(&self) -> &'static str {
        "condvar"
    }
}
impl<T> Named for Receiver<T> {
    fn name(&self) -> &'static str {
        "receiver"
    }
}
impl<T: Named + ?Sized> Named for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
}

// By value and by reference: the first that fits is taken.
trait Which {
    fn which(self) -> &'static str;
}
impl<T> Which for &Mutex<T> {
    fn which(self) -> &'static str {
        "reference"
    }
}
impl<T> Which for Mutex<T> {
    fn which(self) -> &'static str {
        "value"
    }
}

fn target<D: Deref>(of: D) -> usize
where
    D::Target: Sized,
{
    let _: &D::Target = &of;
    std::mem::size_of::<D::Target>()
}

struct Wrapper(Mutex<Vec<u8>>);

impl Deref for Wrapper {
    type Target = Mutex<Vec<u8>>;
    fn deref(&self) -> &Mutex<Vec<u8>> {
        &self.0
    }
}

fn main() {
    let lock = Mutex::new(1);
    *lock.locked() += 1;
    println!("{} {}", lock.update(|value| *value += 1), lock.lock().force());
    println!("{} {}", (&lock).which(), Mutex::new(1).which());
    println!("{}", lock.into_value());
    println!("{}", Arc::new(Mutex::new(1)).name());
    println!("{} {}", RwLock::new([1]).name(), Condvar::new().name());
    println!("{}", std::sync::mpsc::channel::<u8>().1.name());
    println!("{}", target(Mutex::new(1_u64).lock().unwrap()));

    let wrapper = Wrapper(Mutex::new(vec![1]));
    wrapper.lock().unwrap().push(2);
    println!("{:?} {}", wrapper.lock(), wrapper.is_poisoned());
    let borrowed: &Mutex<Vec<u8>> = wrapper.0.borrow();
    println!("{}", borrowed.lock().unwrap().len());

    // Closures and bounds over guards.
    fn apply<'a, T: 'a, G: Deref<Target = T> + 'a>(guard: G, f: impl Fn(&T) -> usize) -> usize {
        f(&*guard)
    }
    println!("{}", apply(wrapper.lock().unwrap(), |list: &Vec<u8>| list.len()));
    println!("{}", apply(RwLock::new("text").read().unwrap(), |text| text.len()));
}
