use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;

struct LocksOnDrop<'a>(&'a Mutex<u8>);

impl Drop for LocksOnDrop<'_> {
    fn drop(&mut self) {
        // Taken and released while panicking: that poisons nothing.
        *self.0.lock().unwrap() += 1;
    }
}

fn main() {
    let lock = Arc::new(Mutex::new(1));
    let own = lock.clone();
    let error = thread::spawn(move || {
        let mut guard = own.lock().unwrap();
        *guard = 2;
        panic!("with the guard");
    })
    .join()
    .unwrap_err();
    println!("{:?} {:?}", error.downcast_ref::<&str>(), lock.is_poisoned());
    println!("{:?} {:?}", lock.lock().is_err(), lock.try_lock().is_err());
    println!("{}", *lock.lock().unwrap_err().into_inner());
    lock.clear_poison();
    println!("{:?} {:?}", lock.is_poisoned(), lock.lock());

    let mut lock = Mutex::new(vec![1]);
    catch_unwind(AssertUnwindSafe(|| {
        let _guard = lock.try_lock();
        panic!();
    }))
    .unwrap_err();
    println!("{:?}", lock.get_mut().is_err());
    lock.get_mut().unwrap_err().into_inner().push(2);
    println!("{:?} {:?}", lock, lock.is_poisoned());
    println!("{:?}", lock.into_inner().unwrap_err().into_inner());

    // Readers do not poison, writers do.
    let lock = RwLock::new(1);
    catch_unwind(|| {
        let _guard = lock.read();
        panic!();
    })
    .unwrap_err();
    println!("{:?}", lock.is_poisoned());
    catch_unwind(|| {
        *lock.write().unwrap() = 3;
        let _guard = lock.write();
        panic!();
    })
    .unwrap_err();
    println!("{:?} {:?}", lock.is_poisoned(), *lock.read().unwrap_err().into_inner());
    println!("{:?} {:?}", lock.try_read().is_err(), lock.try_write().is_err());
    lock.clear_poison();
    *lock.write().unwrap() += 1;
    println!("{:?}", lock.into_inner());

    let lock = Mutex::new(0);
    catch_unwind(AssertUnwindSafe(|| {
        let _locks = LocksOnDrop(&lock);
        panic!();
    }))
    .unwrap_err();
    println!("{:?}", lock);
    let kept = catch_unwind(AssertUnwindSafe(|| {
        let guard = lock.lock().unwrap();
        let result = catch_unwind(|| panic!());
        (guard, result.is_err())
    }));
    println!("{:?} {:?}", kept.map(|(guard, is_err)| (*guard, is_err)).ok(), lock.is_poisoned());
    thread::scope(|scope| {
        let result = scope
            .spawn(|| {
                let _guard = lock.lock();
                panic!();
            })
            .join();
        println!("{}", result.is_err());
    });
    println!("{:?}", lock);
}
