//! What the user wants while tests run: to stop, or to look.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::keys;

/// What the user may want while tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// To stop.
    Stop,
    /// To see what the tests that run are about.
    Look,
}

/// Delivers Ctrl-C and its like, and requests to look at what runs. While one exists,
/// these signals no longer end this process by themselves.
#[derive(Debug)]
pub struct Interrupts {
    receiver: mpsc::UnboundedReceiver<Request>,
}

impl Interrupts {
    /// Listens to SIGINT, SIGTERM and SIGHUP, except those that whoever started
    /// us had us ignore (`nohup`); to SIGQUIT; and, on a terminal, to lines of one `d`.
    /// Must be called within a Tokio runtime; fails where the signal handlers cannot
    /// be installed.
    pub fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let status = ignored_signals();
        let stops = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let stops = stops.into_iter().filter(|kind| !is_ignored(&status, *kind));
        let stops = stops.map(|kind| (kind, Request::Stop));
        // To be asked does no harm, so this one is heard in any case.
        for (kind, request) in stops.chain([(SignalKind::quit(), Request::Look)]) {
            let mut signals = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() && sender.send(request).is_ok() {}
            });
        }
        keys::listen(sender);
        Ok(Self { receiver })
    }

    /// Interrupts on command.
    #[cfg(test)]
    pub fn by_hand() -> (mpsc::UnboundedSender<Request>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self { receiver })
    }

    /// Whether one has come that [`Self::next`] has not returned.
    pub fn is_pending(&self) -> bool {
        !self.receiver.is_empty()
    }

    /// Returns at the next one; never where there will be none.
    pub async fn next(&mut self) -> Request {
        match self.receiver.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }
}

/// What says which signals whoever started us had us ignore.
pub fn ignored_signals() -> String {
    fs_err::read_to_string("/proc/self/status").unwrap_or_default()
}

/// Whether `/proc/self/status` says that a signal is ignored.
pub fn is_ignored(status: &str, kind: SignalKind) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_nohup_had_us_ignore_stays_ignored() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(status, SignalKind::hangup()));
        assert!(!is_ignored(status, SignalKind::interrupt()));
        assert!(!is_ignored("", SignalKind::hangup()));
    }
}
