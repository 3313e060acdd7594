//! Ports, and who holds them.

use std::fmt;

use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;
use thiserror::Error;

use crate::digest::Digest;
use crate::discovery::inventory::ServiceKey;

/// The lowest port that may be handed out: those below are for the system (RFC 6335, section 6; Determined has the
/// same bounds).
pub const LOWEST: u16 = 1025;

/// The ports that may be handed out, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    start: u16,
    end: u16,
}

/// Why two numbers are no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidRange {
    /// Below [`LOWEST`].
    #[error("ports below {LOWEST} are not handed out")]
    TooLow,
    /// The start is above the end.
    #[error("the start of the range is above its end")]
    Reversed,
}

/// Who holds a port: one service, by its names. Never its id alone, which another service can get one day.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder(Box<str>);

/// A port that a service holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The port.
    pub port: u16,
    /// Who holds it.
    pub holder: Holder,
    /// The service's id when it was reserved: what its listener is called.
    pub service: Label,
    /// Tells this reservation of the port from every other one: whoever comes back with an old one changes nothing.
    pub generation: u64,
}

/// What is known of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A service holds it.
    Held(Lease),
    /// Nobody gets it before then: a client that was not told of the end of a service must never reach a stranger.
    Resting {
        /// The port.
        port: u16,
        /// Until when.
        until: UnixTime,
    },
}

impl PortRange {
    /// A range.
    ///
    /// # Errors
    /// [`InvalidRange`].
    pub const fn new(start: u16, end: u16) -> Result<Self, InvalidRange> {
        match (start, end) {
            (start, _) if start < LOWEST => Err(InvalidRange::TooLow),
            (start, end) if start > end => Err(InvalidRange::Reversed),
            (start, end) => Ok(Self { start, end }),
        }
    }

    /// The lowest.
    #[must_use]
    pub const fn start(self) -> u16 {
        self.start
    }

    /// The highest.
    #[must_use]
    pub const fn end(self) -> u16 {
        self.end
    }

    /// All its ports, from the lowest.
    pub fn ports(self) -> impl Iterator<Item = u16> {
        self.start..=self.end
    }

    /// Whether a port is one of them.
    #[must_use]
    pub fn has(self, port: u16) -> bool {
        (self.start..=self.end).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.start, self.end)
    }
}

impl Holder {
    /// The holder that a service is: 32 hexadecimal digits of the digest of its names.
    #[must_use]
    pub fn of(key: &ServiceKey) -> Self {
        let ServiceKey { operation, task, service } = key;
        let digest = Digest::of_parts(&[operation.as_bytes(), task.as_bytes(), service.as_bytes()]);
        let digits = digest.as_bytes().iter().take(16).map(|byte| format!("{byte:02x}"));
        Self(digits.collect::<String>().into())
    }

    /// Reads one that was kept. None where the text is no holder.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(is_digit)).then(|| Self(text.into()))
    }

    /// Nobody: what listens though no service holds the port.
    #[must_use]
    pub fn nobody() -> Self {
        Self("0".repeat(32).into())
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Holder({})", self.0)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Slot {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Held(lease) => lease.port,
            Self::Resting { port, .. } => *port,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_may_be_one_port_and_never_one_of_the_systems() {
        let one = PortRange::new(1025, 1025).expect("a range");
        assert_eq!(one.ports().collect::<Vec<_>>(), [1025]);
        assert!(PortRange::new(20_000, 65_535).is_ok_and(|range| range.has(65_535) && !range.has(19_999)));
        assert_eq!(PortRange::new(1024, 2000), Err(InvalidRange::TooLow));
        assert_eq!(PortRange::new(2001, 2000), Err(InvalidRange::Reversed));
    }

    #[test]
    fn a_holder_is_one_service_and_reads_back() {
        let key = |operation: &str, task: &str| ServiceKey {
            operation: operation.into(),
            task: task.into(),
            service: "tcp".into(),
        };
        let holder = Holder::of(&key("op", "web"));
        assert_ne!(holder, Holder::of(&key("o", "pweb")));
        assert_eq!(Holder::parse(holder.as_str()), Some(holder));
        for text in ["", "zz", &"g".repeat(32), &"A".repeat(32), &"a".repeat(33)] {
            assert_eq!(Holder::parse(text), None, "{text}");
        }
    }
}
