// editions: 2018 2021 2024

use std::sync::mpsc::{self, Receiver, RecvError, SendError, SyncSender};
use std::sync::{Arc, Barrier, Condvar, LockResult, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

fn call<A, R>(f: fn(A) -> R, argument: A) -> R {
    f(argument)
}

fn main() {
    let new: fn(u8) -> Mutex<u8> = Mutex::new;
    println!("{:?} {:?}", new(1), call(RwLock::new, "text"));
    let locks: Vec<Mutex<u8>> = vec![1, 2, 3].into_iter().map(Mutex::new).collect();
    println!("{:?}", locks);
    let shared: Vec<_> = (0..3).map(RwLock::new).map(Arc::new).collect();
    println!("{:?}", shared);
    println!("{:?} {:?}", Some(1).map(Mutex::from), Some(2).map(RwLock::from));
    println!("{:?}", Some(3).map(Into::<Mutex<_>>::into));
    let values: LockResult<Vec<u8>> = locks
        .into_iter()
        .map(Mutex::into_inner)
        .collect::<Result<_, _>>()
        .map_err(|poisoned: PoisonError<u8>| PoisonError::new(vec![poisoned.into_inner()]));
    println!("{:?}", values);
    println!("{:?}", None.unwrap_or_else(Mutex::<String>::default));
    println!("{:?} {:?}", Option::<RwLock<u8>>::None.unwrap_or_default(), call(Barrier::new, 1));
    let condvar: fn() -> Condvar = Condvar::new;
    condvar().notify_all();

    let lock: for<'a> fn(&'a Mutex<u8>) -> LockResult<MutexGuard<'a, u8>> = Mutex::lock;
    let mutex = Mutex::new(5);
    println!("{:?}", lock(&mutex));
    println!(
        "{:?}",
        [&mutex, &mutex]
            .iter()
            .map(|lock| lock.lock().map(|guard| *guard))
            .collect::<Result<Vec<_>, _>>()
    );
    println!("{}", Mutex::is_poisoned(&mutex));
    println!("{:?}", Some(&mutex).map(Mutex::lock).map(Result::unwrap));
    println!("{:?}", Some(&RwLock::new(1)).map(RwLock::read).map(|result| result.is_ok()));
    println!("{:?}", Some(&mutex).map(Mutex::try_lock).map(|result| result.is_ok()));

    let (sender, receiver) = mpsc::sync_channel(2);
    let send: fn(&SyncSender<u8>, u8) -> Result<(), SendError<u8>> = SyncSender::send;
    let recv: fn(&Receiver<u8>) -> Result<u8, RecvError> = std::sync::mpsc::Receiver::recv;
    println!("{:?} {:?}", send(&sender, 1), recv(&receiver));
    send(&sender, 2).unwrap();
    drop(sender);
    println!("{:?}", std::iter::from_fn(|| Receiver::recv(&receiver).ok()).collect::<Vec<_>>());
    println!("{:?}", Some(receiver).map(Receiver::into_iter).map(Iterator::count));
    let channel: fn() -> (mpsc::Sender<u8>, Receiver<u8>) = mpsc::channel;
    println!("{:?}", channel().1.try_recv());

    let spawn: fn(fn() -> u8) -> JoinHandle<u8> = thread::spawn;
    println!("{:?}", spawn(|| 7).join().unwrap());
    let threads: Vec<JoinHandle<u8>> =
        (0..3).map(|number| move || number).map(thread::spawn).collect();
    println!(
        "{:?}",
        threads.into_iter().map(JoinHandle::join).map(Result::unwrap).collect::<Vec<_>>()
    );
    let sleep: fn(Duration) = thread::sleep;
    vec![Duration::ZERO, Duration::from_millis(1)].into_iter().for_each(sleep);
    Some(Duration::from_millis(1)).map(thread::park_timeout);
    let boxed: Box<dyn Fn(u8) -> Arc<RwLock<u8>>> = Box::new(|byte| Arc::new(RwLock::new(byte)));
    println!("{:?}", boxed(3));
    let twice = |make: &dyn Fn(u8) -> Mutex<u8>| (make(1), make(2));
    println!("{:?}", twice(&Mutex::new));
    let scoped: Vec<u8> = thread::scope(|scope| {
        vec![1, 2]
            .into_iter()
            .map(|number| scope.spawn(move || number))
            .collect::<Vec<_>>()
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .map(Result::unwrap)
            .collect()
    });
    println!("{:?}", scoped);
}
