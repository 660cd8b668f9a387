// editions: 2015 2018 2021 2024

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, RwLock};
use std::{fmt, thread};

static COUNTS: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

mod inner {
    pub fn lock() -> ::std::sync::Mutex<u8> {
        ::std::sync::Mutex::new(5)
    }

    pub mod deeper {
        use std::sync::*;

        pub fn once() -> u8 {
            static ONCE: Once = Once::new();
            static VALUE: RwLock<u8> = RwLock::new(0);
            ONCE.call_once(|| *VALUE.write().unwrap() += 1);
            *VALUE.read().unwrap()
        }
    }
}

struct Shown(Arc<RwLock<Vec<u8>>>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for byte in self.0.read().unwrap().iter() {
            write!(f, "{} ", byte)?;
        }
        Ok(())
    }
}

fn main() {
    *COUNTS.lock().unwrap() = Some(HashMap::new());
    let threads: Vec<thread::JoinHandle<()>> = (0..4)
        .map(|number| {
            thread::spawn(move || {
                let mut counts = COUNTS.lock().unwrap();
                *counts.as_mut().unwrap().entry(format!("{}", number % 2)).or_insert(0) += 1;
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let guard = COUNTS.lock().unwrap();
    let mut counts: Vec<_> = guard.as_ref().unwrap().iter().collect();
    counts.sort();
    println!("{:?}", counts);
    let shown = Shown(Arc::new(RwLock::new(vec![1, 2, 3])));
    shown.0.write().unwrap().push(4);
    println!("{}", shown);
    println!(
        "{} {} {}",
        inner::lock().lock().unwrap(),
        inner::deeper::once(),
        inner::deeper::once()
    );
    let mut out = io::stdout().lock();
    writeln!(out, "{}", std::mem::size_of::<u8>()).unwrap();
}
