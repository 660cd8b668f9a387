//! Appends `name value` lines to the file that OVERHEAD_OUTPUT names. Without
//! one it does nothing, so that a whole-workspace run stays quick.

use std::{env, fs::OpenOptions, io::Write};

const MEASURES: [(&str, fn() -> f64); 10] = [
    ("std_mutex", locks::std_mutex),
    ("std_read", locks::std_read),
    ("std_write", locks::std_write),
    ("std_nested", locks::std_nested),
    ("parking_mutex", locks::parking_mutex),
    ("parking_read", locks::parking_read),
    ("parking_write", locks::parking_write),
    ("parking_nested", locks::parking_nested),
    ("std_contended", locks::std_contended),
    ("thread_spawn", locks::thread_spawn),
];

fn main() {
    let Some(output) = env::var_os("OVERHEAD_OUTPUT") else { return };
    let lines: String =
        MEASURES.iter().map(|(name, measure)| format!("{name} {:.1}\n", measure())).collect();
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(output)
        .expect("the output can be opened");
    file.write_all(lines.as_bytes()).expect("the output can be written");
}
