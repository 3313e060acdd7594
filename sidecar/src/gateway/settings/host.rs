//! What people connect to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::dns::name::DnsName;

/// The host that is told to people, with the port that a service has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayHost {
    /// An address.
    Address(IpAddr),
    /// A name, which the machine's resolver knows.
    Name(DnsName),
}

impl GatewayHost {
    /// Reads one. None where the text is neither an address nor a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() || address.is_multicast() => None,
            Ok(address) => Some(Self::Address(address)),
            Err(_) => DnsName::parse(text).map(Self::Name),
        }
    }

    /// What is told to people: `host:port`, with an IPv6 address in brackets.
    #[must_use]
    pub fn at(&self, port: u16) -> String {
        match self {
            Self::Address(address) => SocketAddr::new(*address, port).to_string(),
            Self::Name(name) => format!("{name}:{port}"),
        }
    }
}

impl fmt::Display for GatewayHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_and_never_a_port() {
        let at = |text: &str| GatewayHost::parse(text).map(|host| host.at(20_000));
        assert_eq!(at("192.0.2.7").as_deref(), Some("192.0.2.7:20000"));
        assert_eq!(at("2001:db8::7").as_deref(), Some("[2001:db8::7]:20000"));
        assert_eq!(at("[2001:db8::7]").as_deref(), Some("[2001:db8::7]:20000"));
        assert_eq!(at("TCP.example.test.").as_deref(), Some("tcp.example.test:20000"));
        for none in ["", "0.0.0.0", "::", "192.0.2.7:80", "tcp.example.test:80", "https://x", "224.0.0.1", "a b"] {
            assert_eq!(at(none), None, "{none}");
        }
    }
}
