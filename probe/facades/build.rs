//! Passes what the wrapper passes: the version of the crate that a facade stands in for,
//! which these packages have as theirs.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=../build.rs");
    let get = |name: &str| env::var(name).expect("set by cargo");
    let package = get("CARGO_PKG_NAME");
    let facade = if package.contains("parking_lot") { "parking_lot" } else { "lock_api" };
    let (major, minor) = (get("CARGO_PKG_VERSION_MAJOR"), get("CARGO_PKG_VERSION_MINOR"));
    println!("cargo::rustc-cfg=concaudit_{facade}=\"{major}.{minor}\"");
}
