// editions: 2015 2018 2021 2024

use std::nothing; //~ E0432
use std::sync::mutex; //~ E0432
use std::sync::rwlock::RwLock; //~ E0432
use std::sync::mpsc::Nothing; //~ E0432
use std::thread::hook; //~ E0432
use std::thread::Mutex; //~ E0432
use std::Mutex as Other; //~ E0432
use std::concaudit_core; //~ E0432
use std::concaudit_server; //~ E0432

fn main() {}
