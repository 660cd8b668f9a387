//! Finds out which of the newer methods this toolchain's `std` has.

use std::{env, process::Command};

/// `RwLockWriteGuard::downgrade` is stable since this minor version of Rust.
const DOWNGRADE: u32 = 92;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // A version that cannot be told counts as an old one: the method is then
    // std's own, and a program that uses it does not compile under the facade.
    if minor_version().is_some_and(|minor| minor >= DOWNGRADE) {
        println!("cargo::rustc-cfg=concaudit_has_downgrade");
    }
}

/// The 95 of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn minor_version() -> Option<u32> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}
