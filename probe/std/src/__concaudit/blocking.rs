//! The functions of [`real::thread`] that block.

use core::time::Duration;

use super::hook;

/// As [`real::thread::sleep`].
pub fn sleep(dur: Duration) {
    let _blocking = hook::blocking("thread::sleep");
    real::thread::sleep(dur);
}

/// As [`real::thread::sleep_ms`].
#[deprecated(since = "1.6.0", note = "replaced by `std::thread::sleep`")]
pub fn sleep_ms(ms: u32) {
    sleep(Duration::from_millis(u64::from(ms)));
}

/// As [`real::thread::park`].
pub fn park() {
    let _blocking = hook::blocking("thread::park");
    real::thread::park();
}

/// As [`real::thread::park_timeout`].
pub fn park_timeout(dur: Duration) {
    let _blocking = hook::blocking("thread::park_timeout");
    real::thread::park_timeout(dur);
}

/// As [`real::thread::park_timeout_ms`].
#[deprecated(since = "1.6.0", note = "replaced by `std::thread::park_timeout`")]
pub fn park_timeout_ms(ms: u32) {
    park_timeout(Duration::from_millis(u64::from(ms)));
}
