//! Where to listen: an address and a port, or a Unix socket.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port; port 0 picks a free one.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

/// Text that says no place to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidListen {
    /// Neither an address and a port nor `unix:`.
    #[error("is neither `ip:port` nor `unix:/path`")]
    Address,
    /// A mode that is none.
    #[error("the socket's mode is no octal number such as 0660")]
    Mode,
    /// A path that is not absolute.
    #[error("the socket's path is not absolute")]
    Path,
}

impl Listen {
    /// Reads `ip:port` or `unix:/path`; `mode` is for the latter.
    ///
    /// # Errors
    /// [`InvalidListen`].
    pub fn parse(text: &str, mode: &str) -> Result<Self, InvalidListen> {
        let Some(path) = text.strip_prefix("unix:") else {
            return text.parse().map(Self::Tcp).map_err(|_| InvalidListen::Address);
        };
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            return Err(InvalidListen::Path);
        }
        let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o777).ok_or(InvalidListen::Mode)?;
        Ok(Self::Unix { path, mode })
    }

    /// Whether only this machine gets there.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix { .. } => true,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix { path, .. } => write!(formatter, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_sockets_are_local() {
        let local = |text| Listen::parse(text, "0660").map(|listen| listen.is_local());
        for text in ["127.0.0.1:0", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "unix:/run/a.sock"] {
            assert_eq!(local(text), Ok(true), "{text}");
        }
        for text in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80"] {
            assert_eq!(local(text), Ok(false), "{text}");
        }
        for text in ["", "localhost:80", "127.0.0.1", "unix:", "unix:a.sock"] {
            assert!(local(text).is_err(), "{text}");
        }
        assert_eq!(Listen::parse("unix:/a", "999"), Err(InvalidListen::Mode));
    }
}
