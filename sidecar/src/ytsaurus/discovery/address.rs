//! `host:port`, as clusters and users write it.

use std::net::IpAddr;

/// The longest host.
const MAX_HOST: usize = 253;

/// A host and a port.
///
/// Invariant: the host is an IP address or a name of letters, digits, `-`, `_` and `.`, in lower case; the
/// port is not 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// The host, an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Reads `host:port` or `[ipv6]:port`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse::<u16>().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?;
        let host = match host.strip_prefix('[') {
            Some(literal) => {
                let literal = literal.strip_suffix(']')?;
                literal.parse::<std::net::Ipv6Addr>().ok()?.to_string()
            }
            // YTsaurus itself may write an IPv6 address without brackets.
            None if host.contains(':') => host.parse::<std::net::Ipv6Addr>().ok()?.to_string(),
            None => name(host)?,
        };
        (port != 0).then_some(Self { host, port })
    }

    /// Reads `http://host:port`, or `host:port`; a path after it does not matter.
    #[must_use]
    pub fn of_url(text: &str) -> Option<Self> {
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return None,
            None => text,
        };
        Self::parse(rest.split(['/', '?', '#']).next()?)
    }

    /// The host, where it is an IP address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

fn name(host: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty() && host.len() <= MAX_HOST && host.bytes().all(plain)).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(read: Option<HostPort>) -> Option<String> {
        read.map(|read| format!("{} {}", read.host, read.port))
    }

    #[test]
    fn reads_names_and_addresses() {
        for (written, expected) in [
            ("Node-1.example.test:9012", "node-1.example.test 9012"),
            ("10.0.0.1:80", "10.0.0.1 80"),
            ("[2001:DB8::1]:9012", "2001:db8::1 9012"),
            ("2001:db8::1:9012", "2001:db8::1 9012"),
            ("node.:1", "node 1"),
        ] {
            assert_eq!(text(HostPort::parse(written)).as_deref(), Some(expected), "{written}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for written in [
            "", ":", "a", "a:", ":1", "a:0", "a:65536", "a:+1", "a b:1", "a@b:1", "[::1]", "[a]:1", "a/b:1", "a:1:2",
            "é:1",
        ] {
            assert_eq!(HostPort::parse(written), None, "{written}");
        }
    }

    #[test]
    fn reads_urls() {
        assert_eq!(text(HostPort::of_url("http://a:1/x?y#z")).as_deref(), Some("a 1"));
        assert_eq!(text(HostPort::of_url("a:1")).as_deref(), Some("a 1"));
        for written in ["https://a:1", "http://a", "http://u:p@a:1", "http://u@a:1", "ftp://a:1", "http:///a:1"] {
            assert_eq!(HostPort::of_url(written), None, "{written}");
        }
    }
}
