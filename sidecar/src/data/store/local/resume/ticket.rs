//! What a URL of an upload permits.

use std::fmt::Write as _;

use taskgate_core::signed_url::{Claims, SignedMethod};
use taskgate_core::time::UnixTime;

use crate::data::path::Key;
use crate::data::store::WriteMode;
use crate::data::store::local::write::Expected;
use crate::random::{self, NoRandomness};

/// An upload's id: random, and in its URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::data::store::local) struct ResumeId([u8; 16]);

/// What a URL of an upload permits: to write this one object, which must be so, until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub(super) id: ResumeId,
    pub(super) key: Key,
    pub(super) expected: Expected,
    pub(super) mode: WriteMode,
    pub(super) expires: UnixTime,
}

impl ResumeId {
    /// One that there was never before.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub(in crate::data::store::local) fn new() -> Result<Self, NoRandomness> {
        random::bytes().map(Self)
    }

    /// The one that a name is of.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let is_hex = name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = is_hex.then(|| u128::from_str_radix(name, 16).ok())?;
        number.map(|number| Self(number.to_be_bytes()))
    }

    /// The name of its file: hex digits.
    pub(in crate::data::store::local) fn name(self) -> String {
        self.0.iter().fold(String::with_capacity(32), |mut name, byte| {
            // Text takes everything.
            let _ = write!(name, "{byte:02x}");
            name
        })
    }

    /// As it is signed.
    pub(in crate::data::store::local) const fn method(self) -> SignedMethod {
        SignedMethod::Resume(self.0)
    }
}

impl Ticket {
    /// Reads what was signed; none where it is not for an upload that can be resumed.
    #[must_use]
    pub fn of(key: &Key, claims: &Claims<'_>) -> Option<Self> {
        let SignedMethod::Resume(id) = claims.method else { return None };
        let Claims { size, max_size, md5, sha256, md5_metadata, create_only, expires, .. } = *claims;
        Some(Self {
            id: ResumeId(id),
            key: key.clone(),
            expected: Expected { size, max_size, md5, sha256, md5_metadata },
            mode: if create_only { WriteMode::Create } else { WriteMode::Replace },
            expires,
        })
    }

    /// The object's key.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// From when on nothing more can be uploaded.
    #[must_use]
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }

    /// What the object must be.
    #[must_use]
    pub const fn expected(&self) -> &Expected {
        &self.expected
    }
}
