//! Where a socket is: see the auditor's own `telemetry::address`.

use std::{
    fmt,
    io::{self, Write},
    os::unix::net::{SocketAddr, UnixListener, UnixStream},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The address of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A name that the kernel keeps, written `@name`.
    Abstract(String),
    /// A path.
    Path(PathBuf),
}

impl Address {
    /// Reads a list of them, separated by tabs.
    pub(crate) fn list(text: &str) -> Vec<Self> {
        text.split('\t')
            .filter(|text| !text.is_empty())
            .map(|text| match text.strip_prefix('@') {
                Some(name) => Self::Abstract(name.to_owned()),
                None => Self::Path(text.into()),
            })
            .collect()
    }

    fn socket_address(&self) -> io::Result<SocketAddr> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Abstract(name) => {
                use std::os::linux::net::SocketAddrExt;
                SocketAddr::from_abstract_name(name)
            }
            #[cfg(not(target_os = "linux"))]
            Self::Abstract(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Path(path) => SocketAddr::from_pathname(path),
        }
    }

    /// Connects there.
    pub(crate) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&self.socket_address()?)
    }

    /// Connects there, to leave a message.
    pub(crate) fn tell(&self, message: &str) -> io::Result<()> {
        self.connect()?.write_all(message.as_bytes())
    }

    /// Listens beside this one, the registry. The time tells apart the images of one
    /// process id: a process that `exec`s is announced once per image.
    pub(crate) fn bind_beside(&self) -> io::Result<(Self, UnixListener)> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let own = format!("{}-{:x}", std::process::id(), now.as_nanos());
        let address = match self {
            Self::Abstract(name) => Self::Abstract(format!("{name}-{own}")),
            Self::Path(path) => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                Self::Path(folder.join(format!("{own}.sock")))
            }
        };
        let listener = UnixListener::bind_addr(&address.socket_address()?)?;
        Ok((address, listener))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The user whose process this is now.
pub(crate) fn user() -> u32 {
    // SAFETY: cannot fail, touches nothing.
    unsafe { libc::geteuid() }
}
