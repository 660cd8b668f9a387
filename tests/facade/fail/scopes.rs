use std::thread;

fn escapes() {
    let value = 1;
    let _ = thread::scope(|scope| scope.spawn(|| value)); //~ ERROR
}

fn handle_outlives() {
    let mut kept = None;
    thread::scope(|scope| {
        kept = Some(scope.spawn(|| 1)); //~ E0521
    });
    drop(kept);
}

fn twice_mutable() {
    let mut list = vec![1];
    thread::scope(|scope| {
        scope.spawn(|| list.push(1));
        scope.spawn(|| list.push(2)); //~ E0499
    });
}

fn local_of_the_scope() {
    thread::scope(|scope| {
        let local = 1;
        scope.spawn(|| println!("{local}")); //~ E0373
    });
}

fn borrowed_local_of_the_scope() {
    thread::scope(|scope| {
        let local = String::new();
        let reference = &local; //~ E0597
        scope.spawn(move || println!("{reference}"));
    });
}

fn used_meanwhile() {
    let mut count = 0;
    thread::scope(|scope| {
        scope.spawn(|| count += 1);
        println!("{count}"); //~ E0502
    });
}

fn main() {}
