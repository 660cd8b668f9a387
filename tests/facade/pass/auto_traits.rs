// Which auto traits (and some others) which type has, as a table.

use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::mpsc::{IntoIter, Iter, Receiver, Sender, SyncSender, TryIter};
use std::sync::{
    Arc, Barrier, BarrierWaitResult, Condvar, LazyLock, LockResult, Mutex, MutexGuard, Once,
    OnceLock, OnceState, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockResult, WaitTimeoutResult,
};
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

macro_rules! has {
    ($type:ty: $($bound:path),*) => {$({
        struct Of<T: ?Sized>(#[allow(dead_code)] PhantomData<T>);
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Otherwise for Of<T> {}
        #[allow(dead_code)]
        impl<T: ?Sized + $bound> Of<T> {
            const HAS: bool = true;
        }
        println!("{}: {} {}", stringify!($type), stringify!($bound), <Of<$type>>::HAS);
    })*};
}

macro_rules! table {
    ($($type:ty),* $(,)?) => {$(
        has!($type: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Copy, Debug, Display, Default,
            PartialEq, Eq, Ord, std::hash::Hash, Iterator, IntoIterator);
    )*};
}

macro_rules! tables {
    ($($inner:ty),* $(,)?) => {$(
        table![
            Mutex<$inner>, MutexGuard<'static, $inner>,
            RwLock<$inner>, RwLockReadGuard<'static, $inner>, RwLockWriteGuard<'static, $inner>,
            &'static Mutex<$inner>, &'static mut RwLock<$inner>, Arc<Mutex<$inner>>, Rc<RwLock<$inner>>,
            LockResult<MutexGuard<'static, $inner>>, TryLockResult<RwLockReadGuard<'static, $inner>>,
            PoisonError<RwLockWriteGuard<'static, $inner>>,
        ];
    )*};
}

macro_rules! sized_tables {
    ($($inner:ty),* $(,)?) => {$(
        tables![$inner];
        table![
            Sender<$inner>, SyncSender<$inner>, Receiver<$inner>,
            Iter<'static, $inner>, TryIter<'static, $inner>, IntoIter<$inner>,
            JoinHandle<$inner>, ScopedJoinHandle<'static, $inner>,
            OnceLock<$inner>, LazyLock<$inner>, LazyLock<u8, $inner>,
        ];
    )*};
}

#[allow(dead_code)]
#[derive(Debug)]
struct Plain;

struct NotSafe(#[allow(dead_code)] PhantomData<&'static mut Cell<u8>>);

fn main() {
    sized_tables![
        u8,
        String,
        Plain,
        NotSafe,
        Cell<u8>,
        RefCell<u8>,
        Rc<u8>,
        *const u8,
        &'static Cell<u8>,
        &'static mut u8,
        MutexGuard<'static, u8>,
        Mutex<Cell<u8>>,
        std::marker::PhantomPinned,
        fn(u8),
        Box<dyn Fn()>,
        Box<dyn Fn() + Send>,
    ];
    tables![str, [u8], dyn Fn(), dyn Fn() + Send, dyn Fn() + Send + Sync, dyn Debug + Send + Sync];
    table![
        Barrier,
        BarrierWaitResult,
        Condvar,
        WaitTimeoutResult,
        Builder,
        Scope<'static, 'static>,
        std::thread::Thread,
        Once,
        OnceState,
    ];
    has!(Mutex<u8>: From<u8>);
    has!(RwLock<u8>: From<u8>);
    has!(Mutex<String>: From<u8>);
    has!(MutexGuard<'static, u8>: std::ops::Deref<Target = u8>);
    has!(MutexGuard<'static, u8>: std::ops::DerefMut<Target = u8>);
    has!(RwLockReadGuard<'static, u8>: std::ops::DerefMut<Target = u8>);
    has!(RwLockWriteGuard<'static, u8>: std::ops::DerefMut<Target = u8>);
    println!("{}", std::mem::needs_drop::<Mutex<u8>>());
    println!("{}", std::mem::needs_drop::<Mutex<String>>());
    println!("{}", std::mem::needs_drop::<RwLock<u8>>());
    println!("{}", std::mem::needs_drop::<Condvar>());
    println!("{}", std::mem::needs_drop::<MutexGuard<'static, u8>>());
}
