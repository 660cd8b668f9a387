use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::Duration;

fn main() {
    let mut lock = RwLock::new(vec![1]);
    {
        let one = lock.read().unwrap();
        let other: RwLockReadGuard<'_, Vec<u8>> = lock.try_read().unwrap();
        println!("{} {}", one.len() + other.len(), lock.try_write().is_err());
    }
    {
        let mut guard: RwLockWriteGuard<'_, Vec<u8>> = lock.write().unwrap();
        guard.push(2);
        guard[0] = 7;
        println!("{:?} {:?}", lock.try_read().is_err(), lock.try_write().is_err());
    }
    lock.try_write().unwrap().extend([3, 4]);
    lock.get_mut().unwrap().push(5);
    println!("{:?}", lock);

    let guard = lock.write().unwrap();
    let guard: RwLockReadGuard<'_, Vec<u8>> = RwLockWriteGuard::downgrade(guard);
    println!("{:?} {:?} {}", guard, lock.try_read().is_ok(), lock.try_write().is_err());
    drop(guard);
    println!("{:?}", lock.try_write().is_ok());
    println!("{:?}", lock.into_inner());

    // A downgrade lets waiting readers in, and keeps writers out.
    let lock = Arc::new(RwLock::new(0));
    let writer = lock.write().unwrap();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let lock = lock.clone();
            thread::spawn(move || *lock.read().unwrap())
        })
        .collect();
    thread::sleep(Duration::from_millis(10));
    let mut writer = writer;
    *writer = 9;
    let reader = RwLockWriteGuard::downgrade(writer);
    for reader in readers {
        println!("{:?}", reader.join().unwrap());
    }
    let other = lock.clone();
    let writer = thread::spawn(move || *other.write().unwrap() += 1);
    thread::sleep(Duration::from_millis(10));
    println!("{reader}");
    drop(reader);
    writer.join().unwrap();
    println!("{:?}", lock);

    let threads: Vec<_> = (0..4)
        .map(|number| {
            let lock = lock.clone();
            thread::spawn(move || {
                for _ in 0..1000 {
                    if number % 2 == 0 {
                        *lock.write().unwrap() += 1;
                    } else {
                        assert!(*lock.read().unwrap() >= 10);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{:?}", lock);
}
