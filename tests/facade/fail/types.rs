use std::sync::mpsc::{channel, sync_channel, Receiver, Sender, SyncSender};
use std::sync::{Arc, Condvar, LockResult, Mutex, MutexGuard, RwLock};
use std::thread::{self, JoinHandle, ScopedJoinHandle};
use std::time::Duration;

fn main() {
    let lock = Mutex::new(1_u8);
    let _: MutexGuard<'_, u8> = lock.lock(); //~ E0308
    let _: LockResult<MutexGuard<'_, u16>> = lock.lock(); //~ E0308
    let _: Mutex<u16> = lock; //~ E0308
    let _: RwLock<u8> = Mutex::new(1_u8); //~ E0308
    let _: Arc<RwLock<u8>> = Arc::new(Mutex::new(1_u8)); //~ E0308
    let _: u8 = RwLock::new(1).read().unwrap(); //~ E0308
    let _: &mut u8 = &mut RwLock::new(1_u16).write().unwrap(); //~ E0308
    Mutex::<u8>::new(); //~ E0061
    Mutex::new(1_u8).lock(2); //~ E0061
    let condvar = Condvar::new();
    let _ = condvar.wait(RwLock::new(1).read().unwrap()); //~ E0308
    let _ = condvar.wait_timeout(Mutex::new(1).lock().unwrap(), 5); //~ E0308
    let _ = condvar.wait_while(Mutex::new(1_u8).lock().unwrap(), |value: &mut u16| *value > 1); //~ E0631
    let _: (Sender<u8>, Receiver<u8>) = sync_channel(1); //~ E0308
    let _: (SyncSender<u8>, Receiver<u8>) = channel(); //~ E0308
    let _: (Sender<u8>, Receiver<u16>) = channel(); //~ E0308
    let _: JoinHandle<u8> = thread::spawn(|| 1_u16); //~ E0308
    let _: u8 = thread::spawn(|| 1_u8).join(); //~ E0308
    let _: ScopedJoinHandle<'_, u8> = thread::spawn(|| 1_u8); //~ E0308
    thread::sleep(1); //~ E0308
    thread::park(Duration::ZERO); //~ E0061
    let _ = Mutex::<[u8]>::new([1]); //~ E0599
    let _ = lock as u8; //~ E0605
}
