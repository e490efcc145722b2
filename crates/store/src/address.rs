//! Where a daemon listens: a Unix socket or a loopback port.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::StoreError;

/// The place of a daemon. Neither kind asks who calls: the socket's file mode guards it, and a loopback port is open
/// to every user of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `unix:PATH`.
    Unix(PathBuf),
    /// `tcp:127.0.0.1:PORT`; port 0 lets the system choose.
    Tcp(SocketAddr),
}

impl FromStr for Address {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = |why: &str| StoreError::Address { address: text.to_owned(), why: why.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(bad("the path is empty")) } else { Ok(Self::Unix(path.into())) };
        }
        let Some(place) = text.strip_prefix("tcp:") else {
            return Err(bad("it begins neither with unix: nor with tcp:"));
        };
        let place: SocketAddr = place.parse().map_err(|_| bad("no IP address and port after tcp:"))?;
        if !place.ip().is_loopback() {
            return Err(bad(
                "the port would be open to other machines, and the daemon asks nobody for a key",
            ));
        }
        Ok(Self::Tcp(place))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(place) => write!(out, "tcp:{place}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sockets_or_loopback_ports() {
        for (text, expected) in [
            ("unix:/run/store.sock", "unix:/run/store.sock"),
            ("tcp:127.0.0.1:7411", "tcp:127.0.0.1:7411"),
            ("tcp:[::1]:7411", "tcp:[::1]:7411"),
            ("tcp:0.0.0.0:7411", "open to other machines"),
            ("tcp:localhost", "no IP address"),
            ("unix:", "path is empty"),
            ("/run/store.sock", "begins neither"),
        ] {
            let found =
                text.parse::<Address>().map_or_else(|error| error.to_string(), |place| place.to_string());
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}
