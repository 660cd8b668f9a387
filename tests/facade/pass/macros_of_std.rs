// editions: 2018 2021 2024

use std::sync::{LazyLock, Mutex, OnceLock, RwLock};

std::thread_local! {
    static OWN: Mutex<Vec<u8>> = const { std::sync::Mutex::new(std::vec::Vec::new()) };
}

thread_local!(static OTHER: RwLock<std::cell::Cell<u8>> = RwLock::new(Default::default()));

static LAZY: LazyLock<Mutex<String>> = LazyLock::new(|| Mutex::new(std::format!("{}", 1)));
static ONCE: OnceLock<RwLock<u8>> = OnceLock::new();

#[derive(
    std::fmt::Debug, std::clone::Clone, std::cmp::PartialEq, std::hash::Hash, std::default::Default,
)]
struct Derived {
    field: u8,
}

#[std::prelude::v1::derive(Debug)]
struct Attributed;

fn main() -> std::result::Result<(), std::boxed::Box<dyn std::error::Error>> {
    OWN.with(|own| own.lock().unwrap().push(1));
    OTHER.with(|other| other.read().unwrap().set(2));
    std::println!(
        "{:?} {:?}",
        OWN.with(|own| own.lock().unwrap().clone()),
        OTHER.with(|other| other.read().unwrap().get())
    );
    LAZY.lock().unwrap().push('2');
    std::assert_eq!(ONCE.get_or_init(|| RwLock::new(3)).read().map(|value| *value).ok(), Some(3));
    std::assert!(std::matches!(ONCE.get(), Some(_)), "{}", std::line!() > 0);
    println!("{:?} {:?}", LAZY, ONCE);
    println!("{:?} {:?}", Derived::default(), Attributed);
    let list = std::vec![std::concat!("a", 1), std::stringify!(b)];
    std::eprintln!("{}", std::module_path!());
    println!("{list:?} {}", std::format_args!("{}", std::file!().ends_with("macros_of_std.rs")));
    std::debug_assert_ne!(1, 2);
    let text = std::write_to(&Mutex::new(String::new()));
    println!("{text} {:?} {:?}", std::option_env!("SURELY_NOT_SET"), std::cfg!(unix));
    let result = std::panic::catch_unwind(|| {
        std::panic!("{}", 1);
    });
    println!("{}", result.is_err());
    let mut out = std::string::String::new();
    std::fmt::Write::write_fmt(&mut out, std::format_args!("{}", 5))?;
    println!("{out} {}", std::include_str!("macros_of_std.rs").len() > 1);
    let pinned = std::pin::pin!(async { *LAZY.lock().unwrap() == "12" });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    println!("{:?}", std::future::Future::poll(pinned, &mut context));
    std::process::exit(if std::is_ok() { 0 } else { 1 })
}

// A crate may have modules called as std's items.
mod std_like {
    pub fn is_ok() -> bool {
        true
    }
}

mod std {
    pub use super::std_like::is_ok;
    pub use ::std::*;

    pub fn write_to(lock: &sync::Mutex<String>) -> String {
        let mut guard = lock.lock().unwrap();
        guard.push_str("written");
        guard.clone()
    }
}
