use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, RwLock};

trait Own {}

impl<T: Deref> Own for T {}
impl<T> Own for Mutex<T> {} //~ E0119
impl Own for Condvar {} //~ E0119
impl<T> Own for MutexGuard<'_, T> {} //~ E0119

trait Other {}
impl<T: Clone> Other for T {}
impl<T> Other for RwLock<T> {} //~ E0119

trait Twice {}
impl<T> Twice for Mutex<T> {}
impl Twice for std::sync::Mutex<u8> {} //~ E0119

fn main() {}
