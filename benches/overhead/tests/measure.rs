//! Appends `name value` lines to the file that OVERHEAD_OUTPUT names. Without
//! one it does nothing, so that a whole-workspace run stays quick.

use std::{env, fs::OpenOptions, io::Write};

fn main() {
    let Some(output) = env::var_os("OVERHEAD_OUTPUT") else { return };
    #[cfg(feature = "console")]
    let _server = {
        // Nobody connects: this is what having it in the process costs.
        console_subscriber::ConsoleLayer::builder().server_addr(([127, 0, 0, 1], 0)).init();
    };
    let mut lines = String::new();
    match env::var("OVERHEAD_TASKS") {
        Ok(tasks) => {
            let tasks = tasks.parse().expect("OVERHEAD_TASKS is a number");
            lines += &format!("memory {:.1}\n", overhead::memory(tasks));
        }
        Err(_) => {
            lines += &format!("mutex {:.1}\n", overhead::mutex());
            lines += &format!("contended {:.1}\n", overhead::contended());
            let (pair, auditor) = overhead::crowd();
            lines += &format!("crowd {pair:.1}\nauditor {auditor:.2}\n");
            lines += &format!("spawn {:.1}\n", overhead::spawn());
            lines += &format!("message {:.1}\n", overhead::message());
        }
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(output)
        .expect("the output can be opened");
    file.write_all(lines.as_bytes()).expect("the output can be written");
}
