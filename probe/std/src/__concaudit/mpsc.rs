//! [`real::sync::mpsc`]: receiving blocks, and so does sending where there is a bound.

use core::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use concaudit_core::{is_active, lifecycle::happens_before::Route};
use real::sync::{
    Arc,
    mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError},
};

use super::hook;

/// As [`real::sync::mpsc::Sender`].
pub struct Sender<T> {
    inner: real::sync::mpsc::Sender<T>,
    route: Option<Arc<Route>>,
}

/// As [`real::sync::mpsc::Receiver`].
pub struct Receiver<T> {
    inner: real::sync::mpsc::Receiver<T>,
    route: Option<Arc<Route>>,
}

/// As [`real::sync::mpsc::SyncSender`].
pub struct SyncSender<T> {
    inner: real::sync::mpsc::SyncSender<T>,
    route: Option<Arc<Route>>,
}

fn route() -> Option<Arc<Route>> {
    is_active().then(Arc::default)
}

fn sends(route: Option<&Arc<Route>>) {
    if let Some(route) = route {
        route.sends();
    }
}

/// As [`real::sync::mpsc::Iter`].
#[derive(Debug)]
pub struct Iter<'a, T: 'a> {
    rx: &'a Receiver<T>,
}

/// As [`real::sync::mpsc::TryIter`].
#[derive(Debug)]
pub struct TryIter<'a, T: 'a> {
    rx: &'a Receiver<T>,
}

/// As [`real::sync::mpsc::IntoIter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    rx: Receiver<T>,
}

/// As [`real::sync::mpsc::channel`].
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, inner) = real::sync::mpsc::channel();
    let route = route();
    (Sender { inner: sender, route: route.clone() }, Receiver { inner, route })
}

/// As [`real::sync::mpsc::sync_channel`].
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (sender, receiver) = real::sync::mpsc::sync_channel(bound);
    let route = route();
    (SyncSender { inner: sender, route: route.clone() }, Receiver { inner: receiver, route })
}

impl<T> Sender<T> {
    /// As [`real::sync::mpsc::Sender::send`].
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        sends(self.route.as_ref());
        self.inner.send(t)
    }
}

impl<T> SyncSender<T> {
    /// As [`real::sync::mpsc::SyncSender::send`].
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        if !is_active() {
            return self.inner.send(t);
        }
        sends(self.route.as_ref());
        match self.inner.try_send(t) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected(t)) => Err(SendError(t)),
            Err(TrySendError::Full(t)) => {
                let _blocking = hook::blocking("SyncSender::send");
                self.inner.send(t)
            }
        }
    }

    /// As [`real::sync::mpsc::SyncSender::try_send`].
    pub fn try_send(&self, t: T) -> Result<(), TrySendError<T>> {
        let sent = self.inner.try_send(t);
        // Not before: a message that found no room is none.
        if sent.is_ok() {
            sends(self.route.as_ref());
        }
        sent
    }
}

impl<T> Receiver<T> {
    /// As [`real::sync::mpsc::Receiver::try_recv`].
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.received(self.inner.try_recv())
    }

    /// As [`real::sync::mpsc::Receiver::recv`].
    pub fn recv(&self) -> Result<T, RecvError> {
        if !is_active() {
            return self.inner.recv();
        }
        let received = match self.inner.try_recv() {
            Ok(t) => Ok(t),
            Err(TryRecvError::Disconnected) => Err(RecvError),
            Err(TryRecvError::Empty) => {
                let _blocking = hook::blocking("Receiver::recv");
                self.inner.recv()
            }
        };
        self.received(received)
    }

    /// What came with a message that was received.
    fn received<E>(&self, received: Result<T, E>) -> Result<T, E> {
        if let (Ok(_), Some(route)) = (&received, &self.route) {
            route.receives();
        }
        received
    }

    /// As [`real::sync::mpsc::Receiver::recv_timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        if !is_active() {
            return self.inner.recv_timeout(timeout);
        }
        let received = match self.inner.try_recv() {
            Ok(t) => Ok(t),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                let _blocking = hook::blocking("Receiver::recv_timeout");
                self.inner.recv_timeout(timeout)
            }
        };
        self.received(received)
    }

    /// As [`real::sync::mpsc::Receiver::iter`].
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// As [`real::sync::mpsc::Receiver::try_iter`].
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rx.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rx.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rx.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { rx: self }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        Sender { inner: self.inner.clone(), route: self.route.clone() }
    }
}

impl<T> Clone for SyncSender<T> {
    fn clone(&self) -> SyncSender<T> {
        SyncSender { inner: self.inner.clone(), route: self.route.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> Deref for Sender<T> {
    type Target = real::sync::mpsc::Sender<T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T> DerefMut for Sender<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<T> Deref for SyncSender<T> {
    type Target = real::sync::mpsc::SyncSender<T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T> DerefMut for SyncSender<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}

impl<T> Deref for Receiver<T> {
    type Target = real::sync::mpsc::Receiver<T>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T> DerefMut for Receiver<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
