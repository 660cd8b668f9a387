//! The user's wish to stop.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// Delivers Ctrl-C and its like. While one exists, these signals no longer end
/// this process by themselves.
#[derive(Debug)]
pub struct Interrupts {
    receiver: mpsc::UnboundedReceiver<()>,
}

impl Interrupts {
    /// Listens to SIGINT, SIGTERM and SIGHUP, except those that whoever started
    /// us had us ignore (`nohup`). Must be called within a Tokio runtime; fails
    /// where the signal handlers cannot be installed.
    pub fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            if is_ignored(&status, kind) {
                continue;
            }
            let mut signals = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() && sender.send(()).is_ok() {}
            });
        }
        Ok(Self { receiver })
    }

    /// Interrupts on command.
    #[cfg(test)]
    pub fn by_hand() -> (mpsc::UnboundedSender<()>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self { receiver })
    }

    /// Whether one has come that [`Self::next`] has not returned.
    pub fn is_pending(&self) -> bool {
        !self.receiver.is_empty()
    }

    /// Returns at the next one; never where there will be none.
    pub async fn next(&mut self) {
        if self.receiver.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether `/proc/self/status` says that a signal is ignored.
fn is_ignored(status: &str, kind: SignalKind) -> bool {
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
