//! Which digests there are.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::tasks::operations::fault::Fault;

/// The polynomial of zip, PNG and Python's `zlib.crc32`, its lowest bit first.
const POLYNOMIAL: u32 = 0xEDB8_8320;
/// What each byte does to the remainder.
static TABLE: [u32; 256] = table();

/// A digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// That of zip, PNG and Python's `zlib.crc32`.
    Crc32,
    /// SHA-256.
    Sha256,
}

/// A digest that is under way.
#[derive(Clone)]
pub(super) enum Digesting {
    Crc32(u32),
    Sha256(Sha256),
}

impl Algorithm {
    pub(super) fn of(arguments: &Map<String, Value>) -> Result<Self, Fault> {
        match arguments.get("algorithm").map(Value::as_str) {
            None | Some(Some("sha256")) => Ok(Self::Sha256),
            Some(Some("crc32")) => Ok(Self::Crc32),
            Some(_) => Err(Fault::malformed("`args.algorithm` must be sha256 or crc32")),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Sha256 => "sha256",
        }
    }

    /// How many characters its text has.
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Crc32 => 8,
            Self::Sha256 => 64,
        }
    }

    pub(super) fn begin(self) -> Digesting {
        match self {
            Self::Crc32 => Digesting::Crc32(u32::MAX),
            Self::Sha256 => Digesting::Sha256(Sha256::new()),
        }
    }
}

impl Digesting {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(remainder) => {
                for byte in bytes {
                    let [low, ..] = remainder.to_le_bytes();
                    let step = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
                    *remainder = step ^ (*remainder >> 8);
                }
            }
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    /// Its text: hex digits.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Crc32(remainder) => format!("{:08x}", !remainder),
            Self::Sha256(digest) => digest.finalize().iter().fold(String::new(), |mut text, byte| {
                // Writing to a text does not fail.
                let _ = write!(text, "{byte:02x}");
                text
            }),
        }
    }
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut number = 0_u32;
    while number < 256 {
        let mut remainder = number;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { (remainder >> 1) ^ POLYNOMIAL } else { remainder >> 1 };
            bit += 1;
        }
        table[number as usize] = remainder;
        number += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_others_have() {
        let of = |algorithm: Algorithm, pieces: &[&[u8]]| {
            let mut digest = algorithm.begin();
            pieces.iter().for_each(|piece| digest.add(piece));
            digest.finish()
        };
        assert_eq!(of(Algorithm::Crc32, &[b"1234", b"56789"]), "cbf43926");
        assert_eq!(of(Algorithm::Crc32, &[]), "00000000");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of(Algorithm::Sha256, &[b""]), empty);
        assert_eq!(of(Algorithm::Sha256, &[b"ab", b"c"]).len(), Algorithm::Sha256.length());
    }
}
