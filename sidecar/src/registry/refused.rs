//! Endpoints that no service may have: the sidecar's own listeners, and what operators add to them.
//!
//! A job that named one would lead its visitors, through the gate, to what only the machine itself is to reach. The
//! sidecar's own services are not asked about here.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use rustix::io::Errno;
use thiserror::Error;

use crate::arvados::network::{Network, plain};

/// An endpoint, or many, that operators refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedEndpoint {
    /// Whatever leads to a listener at that address; at the unspecified one: at all of this machine's.
    Listener(SocketAddr),
    /// Every port of a network.
    Network(Network),
}

/// Text that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is neither `:port` (of this machine), `ip:port` (IPv6 in brackets) nor a network, as in `10.1.0.0/16`")]
pub struct InvalidEndpoint;

/// Which endpoints no service may have.
#[derive(Debug)]
pub struct Refused {
    own: Vec<SocketAddr>,
    more: Vec<RefusedEndpoint>,
    is_local: fn(IpAddr) -> bool,
}

impl RefusedEndpoint {
    /// Reads one.
    ///
    /// # Errors
    /// [`InvalidEndpoint`].
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let listener = match text.strip_prefix(':') {
            Some(port) => port.parse().ok().map(|port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
            None => text.parse().ok(),
        };
        match listener {
            Some(listener) if listener.port() != 0 => Ok(Self::Listener(listener)),
            Some(_) => Err(InvalidEndpoint),
            None => Network::parse(text).map(Self::Network).map_err(|_| InvalidEndpoint),
        }
    }
}

impl Refused {
    /// The same, where somebody else knows the machine's addresses.
    #[cfg(test)]
    const fn with(own: Vec<SocketAddr>, more: Vec<RefusedEndpoint>, is_local: fn(IpAddr) -> bool) -> Self {
        Self { own, more, is_local }
    }

    /// Takes where the sidecar listens.
    pub fn set_own(&mut self, own: Vec<SocketAddr>) {
        self.own = own;
    }

    /// Takes what operators refuse; whether that is new.
    pub fn set_more(&mut self, more: Vec<RefusedEndpoint>) -> bool {
        let differs = self.more != more;
        self.more = more;
        differs
    }

    /// Why a service can't have that endpoint.
    #[must_use]
    pub fn reason(&self, address: SocketAddr) -> Option<String> {
        if self.own.iter().any(|listener| self.leads_to(address, *listener)) {
            return Some(format!("endpoint {address} is the sidecar itself"));
        }
        let is_refused = self.more.iter().any(|refused| match refused {
            RefusedEndpoint::Listener(listener) => self.leads_to(address, *listener),
            RefusedEndpoint::Network(network) => network.contains(plain(address.ip())),
        });
        is_refused.then(|| format!("endpoint {address} is refused by `discovery.refused_endpoints`"))
    }

    /// Whether who connects to that address gets to that listener.
    fn leads_to(&self, address: SocketAddr, listener: SocketAddr) -> bool {
        if listener.port() != address.port() {
            return false;
        }
        let (ip, at) = (plain(address.ip()), plain(listener.ip()));
        let is_here = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
        ip == at || is_here(ip) && is_here(at) || at.is_unspecified() && (self.is_local)(ip)
    }
}

impl Default for Refused {
    fn default() -> Self {
        Self { own: Vec::new(), more: Vec::new(), is_local }
    }
}

/// Whether an address is one of this machine's, or of what the process sees of it: only there a socket can be. It is
/// asked for endpoints alone whose port is that of a listener, and each time, since interfaces come and go.
fn is_local(address: IpAddr) -> bool {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => false,
        // The machine has none of this family. Where it can't be said, the address may be one.
        Err(error) => error.raw_os_error() != Some(Errno::AFNOSUPPORT.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 8, 7));

    fn refused(own: &[&str], more: &[&str]) -> Refused {
        let own = own.iter().map(|one| one.parse().expect(one)).collect();
        let more = more.iter().map(|one| RefusedEndpoint::parse(one).expect(one)).collect();
        Refused::with(own, more, |ip| ip == POD || ip == IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7]))
    }

    fn reason(refused: &Refused, address: &str) -> String {
        refused.reason(address.parse().expect(address)).unwrap_or_default()
    }

    #[test]
    fn a_listener_at_all_addresses_is_at_each_of_the_machine() {
        for listener in ["0.0.0.0:7011", "[::]:7011"] {
            let refused = refused(&[listener], &[]);
            for own in ["10.9.8.7:7011", "[::ffff:10.9.8.7]:7011", "[fd00::7]:7011", "127.0.0.3:7011", "[::1]:7011"] {
                assert!(reason(&refused, own).ends_with("is the sidecar itself"), "{listener} {own}");
            }
            for other in ["10.9.8.7:7012", "10.9.8.8:7011", "[fd00::8]:7011"] {
                assert_eq!(reason(&refused, other), "", "{listener}");
            }
        }
        let local = refused(&["127.0.0.1:7011"], &[]);
        assert_eq!(reason(&local, "10.9.8.7:7011"), "", "who listens on loopback is not there");
        assert_ne!(reason(&local, "[::ffff:127.0.0.1]:7011"), "");
    }

    #[test]
    fn operators_refuse_ports_of_the_machine_and_networks() {
        let refused = refused(&[], &[":9901", "192.0.2.1:80", "[fd00::9]:80", "198.51.100.0/24"]);
        for bad in ["127.0.0.1:9901", "10.9.8.7:9901", "192.0.2.1:80", "[fd00::9]:80", "198.51.100.77:5", "[::1]:9901"]
        {
            assert!(reason(&refused, bad).contains("`discovery.refused_endpoints`"), "{bad}");
        }
        for good in ["10.1.1.1:9901", "192.0.2.1:81", "198.51.101.1:5", "127.0.0.1:9900"] {
            assert_eq!(reason(&refused, good), "", "{good}");
        }
        for text in ["", ":", ":0", ":99999", "a:80", "192.0.2.1:0", "10.0.0.0/33", "fd00::9:http"] {
            assert_eq!(RefusedEndpoint::parse(text), Err(InvalidEndpoint), "{text}");
        }
    }

    #[test]
    fn the_machine_knows_its_addresses() {
        assert!(is_local([127, 0, 0, 1].into()) && is_local([127, 1, 2, 3].into()));
        // Addresses for documents are nobody's.
        assert!(!is_local([192, 0, 2, 1].into()) && !is_local([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()));
    }
}
