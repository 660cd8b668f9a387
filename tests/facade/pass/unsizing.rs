use std::any::Any;
use std::fmt::{Debug, Display};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};

trait Shape: Debug {
    fn area(&self) -> f64;
    fn grow(&mut self);
}

#[derive(Debug)]
struct Square(f64);

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
    fn grow(&mut self) {
        self.0 += 1.0;
    }
}

fn grow(shape: &Mutex<dyn Shape + Send>) -> f64 {
    let mut guard: MutexGuard<'_, dyn Shape + Send> = shape.lock().unwrap();
    guard.grow();
    guard.area()
}

fn sum(list: &RwLock<[u8]>) -> u8 {
    let guard: RwLockReadGuard<'_, [u8]> = list.read().unwrap();
    guard.iter().sum()
}

fn main() {
    let shape: Arc<Mutex<dyn Shape + Send>> = Arc::new(Mutex::new(Square(2.0)));
    println!("{} {shape:?}", grow(&shape));
    let other = shape.clone();
    println!("{}", std::thread::spawn(move || grow(&other)).join().unwrap());
    println!("{} {:?}", shape.is_poisoned(), shape.try_lock().map(|guard| guard.area()).ok());
    let weak: Weak<Mutex<dyn Shape + Send>> = Arc::downgrade(&shape);
    println!("{}", weak.upgrade().is_some());

    let boxed: Box<RwLock<dyn Display>> = Box::new(RwLock::new("text"));
    println!("{}", boxed.read().unwrap());
    let counted: Rc<Mutex<dyn Fn(u8) -> u8>> = Rc::new(Mutex::new(|byte| byte + 1));
    println!("{}", (counted.lock().unwrap())(1));
    let called: Arc<Mutex<Box<dyn FnMut() -> u8 + Send>>> = Arc::new(Mutex::new(Box::new(|| 3)));
    println!("{}", (called.lock().unwrap())());

    let list: Box<RwLock<[u8]>> = Box::new(RwLock::new([1, 2, 3]));
    list.write().unwrap()[0] = 9;
    println!("{} {list:?}", sum(&list));
    let borrowed: &Mutex<[u8]> = &Mutex::new([1, 2]);
    println!("{:?} {}", borrowed, borrowed.lock().unwrap().len());
    let unlocked: &mut Mutex<[u8]> = &mut Mutex::new([5, 4]);
    unlocked.get_mut().unwrap().sort();
    println!("{unlocked:?}");

    let any: Arc<Mutex<dyn Any + Send>> = Arc::new(Mutex::new(5_u32));
    *any.lock().unwrap().downcast_mut::<u32>().unwrap() += 1;
    println!("{:?}", any.lock().unwrap().downcast_ref::<u32>());
    let all: Vec<Arc<RwLock<dyn Shape>>> =
        vec![Arc::new(RwLock::new(Square(1.0))), Arc::new(RwLock::new(Square(2.0)))];
    println!("{}", all.iter().map(|shape| shape.read().unwrap().area()).sum::<f64>());
    let erased: Arc<dyn Any + Send + Sync> = Arc::new(Mutex::new(1_u8));
    println!("{:?}", erased.downcast::<Mutex<u8>>().unwrap());
    let guard: Box<dyn std::ops::Deref<Target = [u8]> + '_> =
        Box::new(list.read().unwrap_or_else(PoisonError::into_inner));
    println!("{:?}", &**guard);

    struct Tail<T: ?Sized> {
        _head: u8,
        tail: Mutex<T>,
    }
    let tail: Box<Tail<[u16]>> = Box::new(Tail { _head: 1, tail: Mutex::new([1, 2, 3]) });
    println!("{:?}", &tail.tail);
    println!("{}", std::mem::size_of::<&Mutex<dyn Shape>>() == 2 * std::mem::size_of::<usize>());
}
