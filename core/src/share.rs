//! Share links: who has one may use a service, or some paths of it, until a time.
//!
//! The link carries a sealed token that a worker believes without asking anyone: `?taskgate_share=<token>` at any path
//! of the service. What must be counted, or is for one person alone, is no such token: those links lead to the
//! sidecar, which gives a session ([`crate::session::SharedAccess`]).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::identity::{Identity, WireIdentity};
use crate::key::{KeyRing, Purpose};
use crate::time::UnixTime;
use crate::token::{self, Opened, SealError, TokenId};

/// The query parameter that carries a share.
pub const SHARE_PARAMETER: &str = "taskgate_share";
/// The most bytes of a scope's path.
pub const MAX_SCOPE: usize = 512;

/// What a share link says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareClaims {
    /// What it is called where it is taken back.
    pub id: TokenId,
    /// The canonical id of the one service it is for.
    pub service: String,
    /// The service's owner when it was made ([`crate::service::Service::origin`]): it is over with another one.
    pub origin: u32,
    /// The paths that it is for.
    pub scope: PathScope,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// The paths that a share is for: one path and what is below it.
///
/// Invariant: begins with `/`, at most [`MAX_SCOPE`] visible ASCII characters, without `?`, `#`, `\`, `%`, `//` and
/// dot segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathScope(String);

/// Text that is no scope of a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "must be a path such as `/reports`: at most {MAX_SCOPE} visible characters, without `?`, `#`, `%`, `\\`, `//`, `.` or `..`"
)]
pub struct InvalidScope;

impl PathScope {
    /// Every path.
    #[must_use]
    pub fn everything() -> Self {
        Self("/".into())
    }

    /// Reads a scope.
    ///
    /// # Errors
    /// [`InvalidScope`].
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%\\".contains(&byte));
        let is_scope = text.starts_with('/') && text.len() <= MAX_SCOPE && visible && is_plain(text.as_bytes());
        if is_scope { Ok(Self(text.into())) } else { Err(InvalidScope) }
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request's path, as it came, is one of these. A job may read `..` and `%2e` as it likes, so a path
    /// with anything of that is in no scope but [`PathScope::everything`].
    #[must_use]
    pub fn has(&self, path: &[u8]) -> bool {
        if self.0 == "/" {
            return true;
        }
        let path = path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let Some(rest) = path.strip_prefix(self.0.as_bytes()) else { return false };
        let is_below = rest.is_empty() || rest.starts_with(b"/") || self.0.ends_with('/');
        is_below && is_plain(path)
    }
}

/// Whether a path means the same to everybody: no empty and no dot segments, nothing that could be read as a `/` or a
/// dot (`%2f`, `%5c`, `%2e`, `\`, `;`), whose escapes may be nested (`%25`).
fn is_plain(path: &[u8]) -> bool {
    let escapes = |escape: &[u8; 3]| path.windows(3).any(|found| found.eq_ignore_ascii_case(escape));
    let ambiguous = [b"%2f", b"%5c", b"%2e", b"%25", b"%3b", b"%00"].into_iter().any(escapes);
    let inner = path.strip_prefix(b"/").unwrap_or(path);
    let inner = inner.strip_suffix(b"/").unwrap_or(inner);
    let is_segment = |segment: &[u8]| !matches!(segment, b"." | b".." | b"");
    let segments = inner.is_empty() || inner.split(|byte| *byte == b'/').all(is_segment);
    !ambiguous && segments && !path.contains(&b'\\') && !path.contains(&b';')
}

impl TryFrom<String> for PathScope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        Self::parse(&text)
    }
}

impl From<PathScope> for String {
    fn from(scope: PathScope) -> Self {
        scope.0
    }
}

/// Why a token is no share of this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShareError {
    /// A known key, but not what that key sealed.
    #[error("share token is forged")]
    Forged,
    /// No token of ours, or under a key that is gone: as good as none.
    #[error("not a share token")]
    NotOurs,
    /// Made for another service, or for it under another owner.
    #[error("share is for another service")]
    OtherService,
}

impl ShareClaims {
    /// Seals the claims. Equal claims make equal tokens.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, ring: &KeyRing) -> Result<String, SealError> {
        let payload = postcard::to_allocvec(self).map_err(|_| SealError::TooLong)?;
        token::seal_anew(ring, Purpose::Share, &payload)
    }

    /// As whom a visitor with the link is known to the job: nobody in particular.
    #[must_use]
    pub fn visitor(&self) -> WireIdentity {
        visitor(self.id)
    }
}

/// As whom a visitor with that link is known, where nobody else vouches for them. No platform has names with a colon
/// that begin so.
#[must_use]
pub fn visitor(id: TokenId) -> WireIdentity {
    WireIdentity { actor: format!("share:{id}"), ..WireIdentity::default() }
}

/// Opens a share for one service and its owner. Whether it still holds is for others to say.
///
/// # Errors
/// [`ShareError`].
pub fn open(ring: &KeyRing, text: &[u8], service: &str, origin: u32) -> Result<(ShareClaims, Identity), ShareError> {
    let payload = match token::open(ring, Purpose::Share, text) {
        Opened::Payload(payload) => payload,
        Opened::Forged => return Err(ShareError::Forged),
        Opened::NotOurs => return Err(ShareError::NotOurs),
    };
    let claims: ShareClaims = postcard::from_bytes(&payload).map_err(|_| ShareError::Forged)?;
    if claims.service != service || claims.origin != origin {
        return Err(ShareError::OtherService);
    }
    let identity = Identity::try_from(claims.visitor()).map_err(|_| ShareError::Forged)?;
    Ok((claims, identity))
}

#[cfg(test)]
mod tests {
    use crate::key::{KeyId, Secret};

    use super::*;

    fn has(scope: &str, path: &str) -> bool {
        PathScope::parse(scope).expect("a scope").has(path.as_bytes())
    }

    #[test]
    fn a_scope_is_a_path_and_what_is_below() {
        for path in ["/reports", "/reports/", "/reports/a", "/reports?x=/..", "/reports/a%20b?y#z"] {
            assert!(has("/reports", path), "{path}");
        }
        for path in ["/", "/report", "/reportsx", "/Reports", "reports", "/a/reports", "?/reports", "//reports"] {
            assert!(!has("/reports", path), "{path}");
        }
        assert!(has("/a/", "/a/") && has("/a/", "/a/b") && !has("/a/", "/a"));
        assert!(has("/", "//%2e/..") && has("/", ""));
    }

    #[test]
    fn nothing_climbs_out_of_a_scope() {
        for tail in
            ["/..", "/../x", "/%2e%2e/x", "/.%2E/x", "/./x", "//x", "/%2fx", "/\\x", "/%5cx", "/..;/x", "/%252e/"]
        {
            assert!(!has("/reports", &format!("/reports{tail}")), "{tail}");
        }
    }

    #[test]
    fn refuses_what_is_no_scope() {
        for text in [
            "",
            "a",
            "/a?b",
            "/a#b",
            "/a b",
            "/a\\b",
            "/a/../b",
            "/a//b",
            "/%61",
            "/\u{e9}",
            &format!("/{}", "a".repeat(512)),
        ] {
            assert_eq!(PathScope::parse(text), Err(InvalidScope), "{text}");
        }
    }

    #[test]
    fn opens_for_its_service_and_owner_alone() {
        let ring = KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))]);
        let (issued_at, expires_at) = (UnixTime::from_millis(1), UnixTime::from_millis(2));
        let (id, scope, service) = (TokenId::new(0xa), PathScope::everything(), "ae5cf6f5".to_owned());
        let claims = ShareClaims { id, service, origin: 5, scope, issued_at, expires_at };
        let token = claims.seal(&ring).expect("seals");
        let opened = open(&ring, token.as_bytes(), "ae5cf6f5", 5).expect("opens");
        assert_eq!((&opened.0, opened.1.actor()), (&claims, "share:000000000000000a"));
        assert_eq!(open(&ring, token.as_bytes(), "ae5cf6f5", 6), Err(ShareError::OtherService));
        assert_eq!(open(&ring, token.as_bytes(), "2ef4261c", 5), Err(ShareError::OtherService));
        assert_eq!(open(&ring, token.replacen(".h.", ".s.", 1).as_bytes(), "ae5cf6f5", 5), Err(ShareError::NotOurs));
    }
}
