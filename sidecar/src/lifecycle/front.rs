//! The public listener, and where the proxies are that bring requests to it.
//!
//! What the sidecar itself serves behind the gate is published at an address to which proxies connect. Where the
//! listener is on loopback or at every address, what can be told from it is right for proxies of this machine alone. To
//! any other one loopback is its own machine, and whatever listens there would get what is meant for the sidecar,
//! sessions and credentials included. So where proxies may be elsewhere somebody has to say the address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::lifecycle::address::Listen;

/// The public listener, as the gate's proxies see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    listen: Listen,
    /// Which listener is open to proxies of other machines, if any is.
    open: Option<&'static str>,
}

impl Front {
    /// The public listener, with those that proxies ask, by their keys.
    #[must_use]
    pub fn new(listen: Listen, asked: &[(&'static str, &Listen)]) -> Self {
        let open = asked.iter().find(|(_, asked)| !asked.is_local()).map(|(key, _)| *key);
        Self { listen, open }
    }

    /// Why it has to be said where proxies reach it; none where the listener says it.
    #[must_use]
    pub fn why_unknown(&self) -> Option<String> {
        const SAY: &str = "say where they reach `public.listen`, as in `10.0.0.5:7012` or `taskgate.example.test:7012`";
        let address = match &self.listen {
            Listen::Unix { .. } => return Some(format!("proxies bring no requests to a `unix:` listener: {SAY}")),
            Listen::Tcp(address) => address,
        };
        let key = self.open.filter(|_| at(*address).ip().to_canonical().is_loopback())?;
        Some(format!(
            "`{key}` lets proxies of other machines in, and {address} leads those to themselves: {SAY} \
             (`127.0.0.1:{port}` if all of them are on this machine after all)",
            port = address.port()
        ))
    }
}

/// Where this machine reaches a listener.
#[must_use]
pub fn at(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(public: &str, asked: &str) -> Option<String> {
        let listen = |text| Listen::parse(text, "0600").expect("a listener");
        let local = listen("127.0.0.1:7010");
        Front::new(listen(public), &[("internal.listen", &local), ("forward_auth.listen", &listen(asked))])
            .why_unknown()
    }

    #[test]
    fn proxies_of_this_machine_reach_it_wherever_it_listens() {
        for asked in ["127.0.0.1:7013", "[::1]:7013", "unix:/run/decide.sock"] {
            for public in ["127.0.0.1:7012", "0.0.0.0:7012", "[::]:7012", "10.0.0.5:7012"] {
                assert_eq!(unknown(public, asked), None, "{public} {asked}");
            }
            assert!(unknown("unix:/run/public.sock", asked).is_some_and(|reason| reason.contains("unix:")));
        }
    }

    #[test]
    fn nobody_else_is_sent_to_their_own_machine() {
        for asked in ["0.0.0.0:7013", "[::]:7013", "10.0.0.5:7013"] {
            for public in ["127.0.0.1:7012", "0.0.0.0:7012", "[::]:7012", "[::1]:7012"] {
                let reason = unknown(public, asked).unwrap_or_default();
                assert!(reason.contains("`forward_auth.listen`") && reason.contains(public), "{public}: {reason}");
            }
            assert_eq!(unknown("10.0.0.5:7012", asked), None, "it says where it is");
        }
    }

    #[test]
    fn every_address_is_one_of_this_machine() {
        let reached = |text: &str| at(text.parse().expect("an address")).to_string();
        assert_eq!(reached("0.0.0.0:7012"), "127.0.0.1:7012");
        assert_eq!(reached("[::]:7012"), "[::1]:7012");
        assert_eq!(reached("10.0.0.5:7012"), "10.0.0.5:7012");
    }
}
