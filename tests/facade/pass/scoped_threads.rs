use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Condvar, Mutex};
use std::thread::{self, Builder, Scope, ScopedJoinHandle};

fn spawn_in<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    numbers: &'env [u32],
) -> ScopedJoinHandle<'scope, u32> {
    scope.spawn(move || {
        // A thread may spawn further ones in the scope that it is of.
        let half = scope.spawn(move || numbers[..numbers.len() / 2].iter().sum::<u32>());
        numbers[numbers.len() / 2..].iter().sum::<u32>() + half.join().unwrap()
    })
}

struct Pool<'scope, 'env: 'scope> {
    scope: &'scope Scope<'scope, 'env>,
    handles: Vec<ScopedJoinHandle<'scope, usize>>,
}

impl<'scope, 'env> Pool<'scope, 'env> {
    fn run(&mut self, text: &'env str) {
        self.handles.push(self.scope.spawn(|| text.len()));
    }
}

fn main() {
    let mut list = vec![1, 2, 3];
    let mut count = 0;
    let text = String::from("borrowed");
    let result = thread::scope(|scope| {
        scope.spawn(|| list.push(4));
        let handle = scope.spawn(|| {
            count += text.len();
            &text
        });
        handle.join().unwrap().as_str()
    });
    println!("{result} {list:?} {count}");

    println!("{}", thread::scope(|scope| spawn_in(scope, &[1, 2, 3, 4]).join().unwrap()));

    let words = ["a".to_owned(), "bc".to_owned()];
    let lengths: Vec<usize> = thread::scope(|scope| {
        let mut pool = Pool { scope, handles: Vec::new() };
        for word in &words {
            pool.run(word);
        }
        pool.handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    println!("{lengths:?}");

    thread::scope(|scope| {
        let handle = Builder::new()
            .name("scoped".to_owned())
            .stack_size(1 << 18)
            .spawn_scoped(scope, || thread::current().name().map(str::to_owned))
            .unwrap();
        println!("{:?}", handle.thread().name());
        println!("{:?}", handle.join().unwrap());
        let handle = scope.spawn(|| ());
        while !handle.is_finished() {
            thread::yield_now();
        }
        println!("{:?}", handle.join());
    });

    // The scope waits for all, and locks of the stack are seen by all.
    let pair = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                *pair.0.lock().unwrap() += 1;
                pair.1.notify_all();
            });
        }
        let guard = pair.1.wait_while(pair.0.lock().unwrap(), |count| *count < 4).unwrap();
        println!("{guard}");
    });

    let joined = thread::scope(|scope| scope.spawn(|| panic!("joined")).join().is_err());
    println!("{joined}");
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|scope| {
            scope.spawn(|| panic!("not joined"));
        });
    }));
    println!("{:?}", outcome.unwrap_err().downcast_ref::<&str>());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        thread::scope(|scope| {
            scope.spawn(|| ());
            panic!("in the scope");
        })
    }));
    println!("{:?}", outcome.map(|()| ()).unwrap_err().downcast_ref::<&str>());
    let nested = thread::scope(|outer| {
        outer
            .spawn(|| thread::scope(|inner| inner.spawn(|| list.len()).join().unwrap()))
            .join()
            .unwrap()
    });
    println!("{nested}");
}
