use std::fmt;
use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, MutexGuard};

impl<T> fmt::Display for Mutex<T> { //~ E0117
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl Mutex<u8> { //~ E0116
    fn own(&self) {}
}

impl Clone for Condvar { //~ E0117
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Iterator for Receiver<u8> { //~ E0117
    type Item = u8;
    fn next(&mut self) -> Option<u8> {
        None
    }
}

impl PartialEq for MutexGuard<'static, u8> { //~ E0117
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

fn main() {}
