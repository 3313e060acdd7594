//! A host and a port as operators write them.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// The most bytes of a name.
const MAX_NAME: usize = 253;
/// The most bytes between two dots.
const MAX_LABEL: usize = 63;

/// A name of the DNS.
///
/// Invariant: labels of 1 to 63 letters, digits, `-` and `_` in lower case, none with a `-` at either end, the last
/// one not of digits alone (so no mistyped address is one); at most 253 bytes. It is whole: nothing is added to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<str>);

/// Where a job listens, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address.
    Address(SocketAddr),
    /// A name that has addresses, and a port.
    Name(DnsName, u16),
}

impl DnsName {
    /// Reads a name, with or without a dot at its end.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let last = text.rsplit('.').next()?;
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
        (text.len() <= MAX_NAME && !is_number && text.split('.').all(is_label))
            .then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// The name, without a dot at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Place {
    /// Reads `ip:port`, `[ipv6]:port` or `name:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse() {
            return Some(Self::Address(address));
        }
        let (host, port) = text.rsplit_once(':')?;
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| is_number && *port != 0)?;
        Some(Self::Name(DnsName::parse(host)?, port))
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_LABEL).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_names() {
        let named = |text: &str| match Place::parse(text) {
            Some(Place::Name(name, port)) => format!("{name} {port}"),
            other => panic!("{text} is no name: {other:?}"),
        };
        assert_eq!(named("Model.Example.test:8080"), "model.example.test 8080");
        assert_eq!(named("model.example.test.:80"), "model.example.test 80");
        assert_eq!(named("web_1:80"), "web_1 80");
        assert_eq!(named("4.model:80"), "4.model 80");
        for text in ["10.0.0.1:80", "[2001:db8::1]:80", "127.0.0.1:0"] {
            assert_eq!(Place::parse(text), Some(Place::Address(text.parse().expect(text))));
        }
    }

    #[test]
    fn refuses_everything_else() {
        let long = format!("{}.test:80", ["a"; 130].join("."));
        let label = format!("{}.test:80", "a".repeat(64));
        for text in [
            "",
            ":80",
            "model",
            "model:",
            "model:0",
            "model:65536",
            "model:+1",
            "a..b:80",
            ".a:80",
            "-a.test:80",
            "a-.test:80",
            "a b:80",
            "a/b:80",
            "a@b:80",
            "é.test:80",
            "*.test:80",
            "10.0.0.300:80",
            "10.0.0:80",
            "::1:80",
            "[a]:80",
            "a:b:80",
            "a\0:80",
            &long,
            &label,
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
