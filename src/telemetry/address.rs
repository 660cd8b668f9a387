//! Where a socket is: in the kernel alone, or in a folder.
//!
//! An abstract name cannot be deleted by a test that empties the temporary folder, and
//! goes with whoever bound it, however that one ends. A path is for whoever cannot use
//! the other: `tokio-console`, a process in a network of its own, and systems without
//! abstract names.

use std::{ffi::OsStr, fmt, io, os::unix::ffi::OsStrExt, path::PathBuf};

use nix::unistd::geteuid;
use tokio::net::{UnixListener, UnixStream};

/// The address of a socket. Its [`Display`](fmt::Display) form is what the protocol and
/// the environment have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A name that the kernel keeps: `@name`.
    Abstract(String),
    /// A path.
    Path(PathBuf),
}

impl Address {
    /// Reads the written form.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            [b'@', name @ ..] => Some(Self::Abstract(std::str::from_utf8(name).ok()?.to_owned())),
            [b'/', ..] => Some(Self::Path(PathBuf::from(OsStr::from_bytes(text)))),
            _ => None,
        }
    }

    /// As tokio wants it: a name in the kernel begins with a zero byte.
    fn path(&self) -> PathBuf {
        match self {
            Self::Abstract(name) => format!("\0{name}").into(),
            Self::Path(path) => path.clone(),
        }
    }

    /// Listens there.
    pub fn bind(&self) -> io::Result<UnixListener> {
        UnixListener::bind(self.path())
    }

    /// Connects, to none but a process of this user.
    pub async fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(self.path()).await?;
        if is_trusted(&stream) { Ok(stream) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

/// Whether the other end is a process of this user, or root's: everybody may connect to
/// an abstract name.
pub fn is_trusted(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == geteuid().as_raw())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}
