//! Ids of objects: operations, jobs, nodes, transactions, locks.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::yson::Yson;

/// An id as YTsaurus writes it: four hexadecimal numbers, as in `a6e04b98-bf982394-5103e8-55754a49`.
/// Ordered as the server orders ids, by the last two numbers first.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Guid([u32; 4]);

/// A text that is no id.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an id is four hexadecimal numbers with dashes between them")]
pub struct MalformedGuid;

/// What an id is given to; it shows in the id.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Document = 0x197,
    Job = 0x384,
    Lock = 0xc8,
    Map = 0x12f,
    Operation = 0x3e8,
    Scalar = 0x12c,
    Table = 0x191,
    Transaction = 0x1,
}

/// Gives ids that nothing has yet.
#[derive(Debug, Default)]
pub(super) struct Guids(u32);

// === impl Guid ===

impl Guid {
    /// What stands for "no transaction".
    pub const NULL: Self = Self([0; 4]);

    /// The id that comes `count` ids after this one.
    pub(super) fn after(self, count: u32) -> Self {
        let [a, b, c, d] = self.0;
        Self([a, b, c, d.wrapping_add(count)])
    }

    fn key(self) -> [u32; 4] {
        let [a, b, c, d] = self.0;
        [c, d, a, b]
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(formatter, "{a:x}-{b:x}-{c:x}-{d:x}")
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Guid {
    type Err = MalformedGuid;

    fn from_str(text: &str) -> Result<Self, MalformedGuid> {
        let mut parts = text.split('-').map(|part| u32::from_str_radix(part, 16).map_err(|_| MalformedGuid));
        let mut next = || parts.next().unwrap_or(Err(MalformedGuid));
        let guid = Self([next()?, next()?, next()?, next()?]);
        if parts.next().is_some() { Err(MalformedGuid) } else { Ok(guid) }
    }
}

impl Ord for Guid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Guid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<Guid> for Yson {
    fn from(guid: Guid) -> Self {
        guid.to_string().into()
    }
}

// === impl Guids ===

impl Guids {
    /// The next id. Ids look random, and are the same in every run.
    pub(super) fn next(&mut self, kind: Kind) -> Guid {
        self.0 = self.0.wrapping_add(1);
        let mut state = u64::from(self.0);
        let mut random = || {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed >> 32) as u32
        };
        Guid([random(), self.0, 0x51_0000 | kind as u32, random()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let guid: Guid = "a6e04b98-bf982394-5103e8-55754a49".parse().unwrap();
        assert_eq!(guid.to_string(), "a6e04b98-bf982394-5103e8-55754a49");
        assert_eq!("0-0-0-0".parse(), Ok(Guid::NULL));
        for bad in ["", "1-2-3", "1-2-3-4-5", "g-1-1-1", "123456789-0-0-0"] {
            assert_eq!(bad.parse::<Guid>(), Err(MalformedGuid), "{bad}");
        }
    }

    #[test]
    fn orders_as_the_server_does() {
        let guid = |text: &str| text.parse::<Guid>().unwrap();
        assert!(guid("9-9-1-1") < guid("1-1-1-2"));
        assert!(guid("9-9-1-9") < guid("1-1-2-1"));
        assert!(guid("1-9-1-1") < guid("2-1-1-1"));
    }
}
