//! The digest of one request's bytes, as the header `Upload-Checksum` of tus has it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use sha2::digest::DynDigest;
use thiserror::Error;

/// The digest that the bytes of one request must have, and the one that they have so far.
pub struct ChunkDigest {
    hash: Box<dyn DynDigest + Send>,
    expected: Vec<u8>,
}

/// Text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a checksum is one of `{}`, a space, and a digest of that kind in base64", ChunkDigest::ALGORITHMS)]
pub struct InvalidChunkDigest;

impl ChunkDigest {
    /// The algorithms that can be used, as tus lists them.
    pub const ALGORITHMS: &str = "md5,sha1,sha256";

    /// Reads an algorithm and a digest in base64.
    ///
    /// # Errors
    /// [`InvalidChunkDigest`].
    pub fn parse(text: &str) -> Result<Self, InvalidChunkDigest> {
        let (algorithm, digest) = text.split_once(' ').ok_or(InvalidChunkDigest)?;
        let hash: Box<dyn DynDigest + Send> = match algorithm {
            "md5" => Box::new(Md5::default()),
            "sha1" => Box::new(Sha1::default()),
            "sha256" => Box::new(Sha256::default()),
            _ => return Err(InvalidChunkDigest),
        };
        let expected = STANDARD.decode(digest).map_err(|_| InvalidChunkDigest)?;
        if expected.len() == hash.output_size() { Ok(Self { hash, expected }) } else { Err(InvalidChunkDigest) }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    pub(super) fn holds(mut self) -> bool {
        let mut digest = vec![0; self.expected.len()];
        self.hash.finalize_into_reset(&mut digest).is_ok() && digest == self.expected
    }
}

impl fmt::Debug for ChunkDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ChunkDigest").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_each_kind_are_checked() {
        for text in [
            "md5 kAFQmDzST7DWlj99KOF/cg==",
            "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
            "sha256 ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        ] {
            for (bytes, is_right) in [(&b"abc"[..], true), (b"abd", false), (b"", false)] {
                let mut digest = ChunkDigest::parse(text).expect("a digest");
                bytes.chunks(2).for_each(|bytes| digest.add(bytes));
                assert_eq!(digest.holds(), is_right, "{text}");
            }
        }
        for text in [
            "",
            "md5",
            "md5 ",
            "md5 AAAA",
            "MD5 kAFQmDzST7DWlj99KOF/cg==",
            "md5  kAFQmDzST7DWlj99KOF/cg==",
            "sha1 kAFQmDzST7DWlj99KOF/cg==",
            "crc32 AAAAAA==",
            "md5 kAFQmDzST7DWlj99KOF_cg==",
        ] {
            assert!(ChunkDigest::parse(text).is_err(), "{text}");
        }
    }
}
