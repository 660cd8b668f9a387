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
    /// Listens to SIGINT, SIGTERM and SIGHUP. Must be called within a Tokio
    /// runtime; fails where the signal handlers cannot be installed.
    pub fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
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
            std::future::pending().await
        }
    }
}
