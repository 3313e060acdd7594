//! Who is at the other end of a connection that has no headers: a client certificate, or an address.
//!
//! The proxy has verified the certificate; what is in it is all that this module knows. A peer travels as a
//! [`Credential`] of its own scheme, in one canonical text, so that what is asked, cached and asked again about a
//! connection is what came with it: a certificate that is revoked is never asked about under another name.

use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::time::UnixTime;
use crate::verdict::{Credential, Scheme};

/// The longest name in a certificate that counts, in bytes.
pub const MAX_CERTIFICATE_NAME: usize = 1024;
/// How many bytes the digest of a certificate has.
pub const DIGEST: usize = 32;
/// What the proxy's own text about the end of a handshake begins with (`envoy-config/tcp.yaml`).
const HANDSHAKE_VERSION: &str = "v1";
/// What the proxy writes where it has nothing to say.
const NOTHING: &str = "-";

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Whoever is at that address; an IPv4 address is never one within IPv6.
    Address(IpAddr),
    /// The holder of a client certificate.
    Certificate(PeerCertificate),
}

/// A client certificate that the proxy has verified.
///
/// Invariant: each name is not empty, has at most [`MAX_CERTIFICATE_NAME`] bytes and no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    sha256: [u8; DIGEST],
    ends_at: UnixTime,
    uri: Option<Box<str>>,
    dns: Option<Box<str>>,
    subject: Option<Box<str>>,
}

/// What the proxy says of a connection's handshake once it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The client showed a certificate with that digest, which ends then.
    Certificate([u8; DIGEST], UnixTime),
    /// The client showed none, or there is no TLS.
    Nothing,
}

impl Handshake {
    /// Reads the text that the proxy makes when a handshake is over: `v1`, the certificate's digest and its end in
    /// seconds. None where it is no such text.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let mut parts = core::str::from_utf8(text).ok()?.split(' ');
        let (version, digest, end, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        match (version, digest, end, rest) {
            (HANDSHAKE_VERSION, NOTHING, NOTHING, None) => Some(Self::Nothing),
            (HANDSHAKE_VERSION, digest, end, None) => Some(Self::Certificate(unhex(digest)?, seconds(end)?)),
            _ => None,
        }
    }
}

impl Peer {
    /// The peer at an address, as the proxy writes it: with a port. None where it is none.
    #[must_use]
    pub fn at(address: &[u8]) -> Option<Self> {
        let address: SocketAddr = core::str::from_utf8(address).ok()?.parse().ok()?;
        Some(Self::Address(address.ip().to_canonical()))
    }

    /// The credential that stands for it.
    #[must_use]
    pub fn credential(&self) -> Credential {
        let mut value = String::new();
        // Writing to a string does not fail.
        match self {
            Self::Address(address) => {
                let _ = write!(value, "address\n{address}");
            }
            Self::Certificate(certificate) => {
                let PeerCertificate { sha256, ends_at, uri, dns, subject } = certificate;
                let end = ends_at.as_millis().checked_div(1000).unwrap_or_default();
                let _ = write!(value, "certificate\n{}\n{end}", hex(sha256));
                for name in [uri, dns, subject] {
                    let _ = write!(value, "\n{}", name.as_deref().unwrap_or_default());
                }
            }
        }
        Credential { scheme: Scheme::Peer, name: None, value }
    }

    /// The peer that a credential stands for. None where it stands for none.
    #[must_use]
    pub fn of(credential: &Credential) -> Option<Self> {
        if credential.scheme != Scheme::Peer || credential.name.is_some() {
            return None;
        }
        let mut lines = credential.value.split('\n');
        let peer = match (lines.next()?, lines.next()?) {
            ("address", address) => {
                let address: IpAddr = address.parse().ok()?;
                Self::Address(address.to_canonical())
            }
            ("certificate", digest) => {
                let (sha256, ends_at) = (unhex(digest)?, seconds(lines.next()?)?);
                let mut name = || lines.next();
                let (uri, dns, subject) = (name()?, name()?, name()?);
                let some = |name: &str| (!name.is_empty()).then(|| is_name(name).then(|| name.into()));
                // A name that is none is no peer, not a peer without a name.
                let (uri, dns, subject) = (turn(some(uri))?, turn(some(dns))?, turn(some(subject))?);
                Self::Certificate(PeerCertificate { sha256, ends_at, uri, dns, subject })
            }
            _ => return None,
        };
        // One text for each peer: what is written otherwise is nobody's.
        (lines.next().is_none() && peer.credential().value == credential.value).then_some(peer)
    }

    /// When its certificate ends.
    #[must_use]
    pub const fn ends_at(&self) -> Option<UnixTime> {
        match self {
            Self::Address(_) => None,
            Self::Certificate(certificate) => Some(certificate.ends_at),
        }
    }
}

impl PeerCertificate {
    /// A certificate by its digest and end, with no names yet.
    #[must_use]
    pub const fn new(sha256: [u8; DIGEST], ends_at: UnixTime) -> Self {
        Self { sha256, ends_at, uri: None, dns: None, subject: None }
    }

    /// With its first URI, DNS name and subject, as the proxy shows them. One that can't be told from another, for it
    /// is too long or no text, is left out.
    #[must_use]
    pub fn named(self, uri: Option<Vec<u8>>, dns: Option<Vec<u8>>, subject: Option<Vec<u8>>) -> Self {
        let name = |bytes: Option<Vec<u8>>| {
            let text = String::from_utf8(bytes?).ok()?;
            is_name(&text).then(|| text.into())
        };
        Self { uri: name(uri), dns: name(dns), subject: name(subject), ..self }
    }

    /// The SHA-256 digest of the certificate.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; DIGEST] {
        &self.sha256
    }

    /// When it ends.
    #[must_use]
    pub const fn ends_at(&self) -> UnixTime {
        self.ends_at
    }

    /// The first URI among its alternative names.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The first DNS name among its alternative names.
    #[must_use]
    pub fn dns(&self) -> Option<&str> {
        self.dns.as_deref()
    }

    /// Its subject, as in `CN=alice,O=Example`.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }
}

fn turn<T>(name: Option<Option<T>>) -> Option<Option<T>> {
    match name {
        Some(Some(name)) => Some(Some(name)),
        Some(None) => None,
        None => Some(None),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_CERTIFICATE_NAME && !text.chars().any(char::is_control)
}

fn seconds(text: &str) -> Option<UnixTime> {
    let seconds: u64 = text.parse().ok()?;
    Some(UnixTime::default().after(Duration::from_secs(seconds)))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads a digest in lower-case hexadecimal digits.
fn unhex(text: &str) -> Option<[u8; DIGEST]> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != DIGEST.saturating_mul(2) || !text.bytes().all(is_digit) {
        return None;
    }
    let mut bytes = [0; DIGEST];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::verdict::MAX_CREDENTIAL;

    fn certificate() -> PeerCertificate {
        PeerCertificate::new([0xab; DIGEST], UnixTime::from_millis(1_795_504_865_000))
    }

    fn text(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn reads_what_the_proxy_says_of_a_handshake() {
        let digest = "ab".repeat(DIGEST);
        let said = |text: String| Handshake::read(text.as_bytes());
        let end = UnixTime::from_millis(1_795_504_865_000);
        assert_eq!(said(format!("v1 {digest} 1795504865")), Some(Handshake::Certificate([0xab; DIGEST], end)));
        assert_eq!(said("v1 - -".into()), Some(Handshake::Nothing));
        for text in ["", "v1", "v1 - - -", "v2 - -", "v1 - 7", "v1 abcd 7", "v1  -"] {
            assert_eq!(said(text.into()), None, "{text}");
        }
        assert_eq!(said(format!("v1 {digest} -")), None, "an end is always there");
        assert_eq!(said(format!("v1 {} 7", digest.to_uppercase())), None);
    }

    #[test]
    fn an_address_within_ipv6_is_the_address() {
        let mapped = Peer::at(b"[::ffff:10.1.2.3]:4711").expect("an address");
        assert_eq!(Some(mapped.clone()), Peer::at(b"10.1.2.3:9"), "whatever the port");
        assert_eq!(mapped, Peer::Address([10, 1, 2, 3].into()));
        for text in [&b""[..], b"10.1.2.3", b"/run/socket", b"\xff"] {
            assert_eq!(Peer::at(text), None);
        }
    }

    #[test]
    fn a_peer_reads_back_and_nothing_else_does() {
        let alice = certificate().named(text("spiffe://x/alice"), None, text("CN=alice,O=x"));
        let peers = [Peer::Address([10, 1, 2, 3].into()), Peer::Certificate(alice.clone())];
        for peer in peers {
            let credential = peer.credential();
            assert!(credential.value.len() <= MAX_CREDENTIAL);
            assert_eq!(Peer::of(&credential), Some(peer.clone()));
            let bearer = Credential { scheme: Scheme::Bearer, ..credential.clone() };
            assert_eq!(Peer::of(&bearer), None, "another scheme");
            let longer = Credential { value: format!("{}\n", credential.value), ..credential };
            assert_eq!(Peer::of(&longer), None, "something behind it");
        }
        let of = |value: &str| Peer::of(&Credential { scheme: Scheme::Peer, name: None, value: value.into() });
        for value in
            ["", "address\n", "address\n::ffff:10.0.0.1", "address\n010.0.0.1", "other\n1", "certificate\nab\n7"]
        {
            assert_eq!(of(value), None, "{value:?}");
        }
    }

    #[test]
    fn names_that_could_be_taken_for_others_are_left_out() {
        let long = "n".repeat(MAX_CERTIFICATE_NAME + 1);
        let odd = certificate().named(text("spiffe://x/alice\nCN=root"), text(&long), Some(vec![0xff]));
        assert_eq!((odd.uri(), odd.dns(), odd.subject()), (None, None, None));
    }

    proptest! {
        #[test]
        fn no_two_peers_share_a_text(
            uri in proptest::option::of(".{0,40}"), dns in proptest::option::of(".{0,40}"), subject in ".{0,40}",
            other in proptest::option::of(".{0,40}"),
        ) {
            let bytes = |text: Option<String>| text.map(String::into_bytes);
            let one = Peer::Certificate(certificate().named(bytes(uri), bytes(dns.clone()), Some(subject.clone().into())));
            let two = Peer::Certificate(certificate().named(bytes(other), bytes(dns), Some(subject.into())));
            prop_assert_eq!(one == two, one.credential().value == two.credential().value);
            prop_assert_eq!(Peer::of(&one.credential()), Some(one));
        }

        #[test]
        fn reading_never_panics(value in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Peer::of(&Credential { scheme: Scheme::Peer, name: None, value });
            let _ = Handshake::read(&bytes);
            let _ = Peer::at(&bytes);
        }
    }
}
