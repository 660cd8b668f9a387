use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

static BARRIER: Barrier = Barrier::new(2);

fn main() {
    let barrier = Arc::new(Barrier::new(3));
    let leaders = Arc::new(AtomicUsize::new(0));
    for _ in 0..4 {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (barrier, leaders) = (barrier.clone(), leaders.clone());
                thread::spawn(move || {
                    if barrier.wait().is_leader() {
                        leaders.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }
    println!("{} {barrier:?}", leaders.load(Ordering::SeqCst));

    let other = thread::spawn(|| BARRIER.wait().is_leader());
    let own = BARRIER.wait().is_leader();
    println!("{}", own != other.join().unwrap());

    let result = Barrier::new(1).wait();
    println!("{result:?} {}", Barrier::new(0).wait().is_leader());
}
