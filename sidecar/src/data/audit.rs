//! The record of what was signed and written: one line each.
//!
//! It says who, what and until when; never the query of a URL, which is the right to use it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::data::caller::Caller;
use crate::data::path::Key;

/// The target of audit lines.
pub use crate::tasks::audit::TARGET;

/// That somebody was let at an object.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// What was granted: `upload`, `multipart-begin`, `multipart-parts`, `multipart-complete`, `multipart-abort`,
    /// `download`, `inputs`, `action-data`, `logs`.
    pub event: &'static str,
    /// The store's name.
    pub store: &'a str,
    /// The object.
    pub key: &'a Key,
    /// The digest that the bytes are tied to.
    pub digest: Option<ContentDigest>,
    /// How many bytes there are, where that is known.
    pub size: Option<u64>,
    /// When it ends, in milliseconds since 1970; none: done at once.
    pub expires_at_ms: Option<u64>,
}

/// A digest of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentDigest {
    /// MD5.
    Md5([u8; 16]),
    /// SHA-256.
    Sha256([u8; 32]),
}

/// Records it.
pub fn grant(caller: &Caller, grant: &Grant<'_>) {
    let digest = match grant.digest {
        Some(ContentDigest::Md5(bytes)) => format!("md5:{}", STANDARD.encode(bytes)),
        Some(ContentDigest::Sha256(bytes)) => format!("sha256:{}", STANDARD.encode(bytes)),
        None => String::new(),
    };
    tracing::event!(
        target: TARGET,
        tracing::Level::INFO,
        actor.id = caller.user, data.event = grant.event, data.store = grant.store, data.key = %grant.key,
        data.digest = digest, data.size = grant.size, data.expires_at_ms = grant.expires_at_ms,
        request.id = caller.request_id,
        "data"
    );
}

#[cfg(test)]
mod tests;
