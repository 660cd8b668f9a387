// editions: 2015 2018 2021 2024

use std::*;
use std::{
    sync::{self, *},
    thread::{self as threads, *},
};

mod own {
    // An item of one's own shadows that of a glob.
    use std::sync::*;
    use std::thread::*;

    #[derive(Debug)]
    pub struct Mutex(pub u8);

    pub fn spawn() -> (Mutex, RwLock<u8>, JoinHandle<u8>) {
        (Mutex(1), RwLock::new(2), Builder::new().spawn(|| 3).unwrap())
    }

    pub mod prelude {
        pub use std::prelude::v1::*;
        pub use std::sync::mpsc::*;
        pub use std::sync::{self, atomic::*, Arc, Mutex, MutexGuard};
    }
}

mod reexports {
    pub extern crate std as standard;
    pub use std::sync as locks;
    pub use std::sync::Mutex as Lock;
    pub use std::thread;

    #[macro_export]
    macro_rules! make_lock {
        ($value:expr) => {
            $crate::reexports::standard::sync::RwLock::new($value)
        };
    }
}

mod glob_of_globs {
    use super::own;
    pub use own::prelude::*;

    pub fn count() -> usize {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        COUNT.fetch_add(1, Ordering::SeqCst);
        let (sender, receiver): (Sender<u8>, Receiver<u8>) = channel();
        sender.send(1).unwrap();
        let list: Arc<Mutex<Vec<u8>>> = Arc::new(sync::Mutex::new(vec![receiver.recv().unwrap()]));
        let guard: MutexGuard<Vec<u8>> = list.lock().unwrap();
        guard.len() + COUNT.load(Ordering::SeqCst)
    }
}

fn main() {
    let lock: sync::Mutex<u8> = Mutex::new(1);
    let other: std::sync::Mutex<u8> = lock;
    println!("{:?} {}", other, mem::size_of::<u8>());
    let handle: threads::JoinHandle<()> = spawn(|| sleep(time::Duration::from_millis(1)));
    handle.join().unwrap();
    let (own, read, thread) = own::spawn();
    println!("{:?} {:?} {:?}", own, read, thread.join());
    println!("{:?} {:?}", reexports::Lock::new(1), reexports::locks::Condvar::new());
    println!("{:?}", make_lock!(5).read());
    println!("{}", glob_of_globs::count());
    println!("{:?}", reexports::thread::spawn(|| 1).join());
    {
        use std::sync::mpsc::*;
        println!("{:?}", sync_channel::<u8>(1).1);
    }
    println!("{:?}", current().name());
}
