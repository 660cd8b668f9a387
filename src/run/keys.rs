//! Lines that are typed while tests run.
//!
//! The terminal stays as it is: no raw mode, which a crash would leave behind. Nothing
//! is read while another process has the terminal, since the system would stop us for
//! that.

use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::{getpgrp, read, tcgetpgrp},
};
use tokio::sync::mpsc;

use super::interrupts::Request;

/// What asks for a look at the tests that run.
const LOOK: &[u8] = b"d";
/// How often it is looked whether anybody listens still.
const PERIOD: Duration = Duration::from_millis(250);

/// Whether lines are heard: standard input is a terminal.
pub fn are_heard() -> bool {
    io::stdin().is_terminal()
}

/// Listens until nobody wants to hear of it, on a thread of its own. Where there is no
/// terminal or no thread to be had, nothing is heard.
pub fn listen(sender: mpsc::UnboundedSender<Request>) {
    if are_heard() {
        let thread = thread::Builder::new().name("concaudit-keys".to_owned());
        let _ = thread.stack_size(64 * 1024).spawn(move || hear(&sender));
    }
}

fn hear(sender: &mpsc::UnboundedSender<Request>) {
    let stdin = io::stdin();
    let timeout = PollTimeout::try_from(PERIOD).unwrap_or(PollTimeout::MAX);
    while !sender.is_closed() {
        let mut descriptors = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let is_there = matches!(poll(&mut descriptors, timeout), Ok(1..));
        if !is_there {
            continue;
        }
        if tcgetpgrp(&stdin).ok() != Some(getpgrp()) {
            thread::sleep(PERIOD);
            continue;
        }
        let mut line = [0; 256];
        match read(&stdin, &mut line) {
            Ok(length @ 1..) if line[..length].trim_ascii() == LOOK => {
                let _ = sender.send(Request::Look);
            }
            Ok(1..) => {}
            // The terminal has gone, or Ctrl-D was typed.
            Ok(0) | Err(_) => return,
        }
    }
}
