//! What happens to a permitted request on its way to the job.
//!
//! Edits are made from a [`crate::permit::Permit`] alone. They are a value; each host carries them out
//! in its own way (Envoy by header edits, NGINX by variables).

use core::fmt;
use core::net::SocketAddr;

use crate::audit::Audit;
use crate::identity::Identity;
use crate::service::Protocol;
use crate::standing::Standing;

/// How many addresses one request may try.
pub const CANDIDATES: usize = 3;

/// Headers that tell a job who the visitor is. From a client they are removed.
const IDENTITY_HEADERS: [&[u8]; 4] =
    [b"x-forwarded-user", b"x-forwarded-email", b"x-forwarded-groups", b"x-arvados-user-uuid"];
/// Headers that act on the platform with somebody else's name.
const IMPERSONATION_HEADERS: [&[u8]; 1] = [b"x-yt-user-name"];
/// Namespaces that are ours.
const RESERVED_PREFIXES: [&[u8]; 2] = [b"x-taskgate-", b"x-yt-taskproxy-"];

/// Whether no client may send a header of that name to a job. `name` is in lower case with `-` for `_`.
#[must_use]
pub fn is_reserved(name: &[u8]) -> bool {
    RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || IDENTITY_HEADERS.contains(&name)
        || IMPERSONATION_HEADERS.contains(&name)
}

/// What happens to one header.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum FieldEdit {
    /// It stays as it is.
    #[default]
    Keep,
    /// Every line of it goes.
    Remove,
    /// One line with this value takes the place of all.
    Set(Vec<u8>),
}

impl fmt::Debug for FieldEdit {
    /// Values of headers are not shown: the fields this is used for carry credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Keep => "Keep",
            Self::Remove => "Remove",
            Self::Set(_) => "Set(****)",
        })
    }
}

/// Where a request goes: the addresses to try, in order, all slots filled.
///
/// Invariant: every address is an endpoint of the one service that the request was authorised for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What the job speaks.
    pub protocol: Protocol,
    /// First choice and alternatives; repeated cyclically where there are fewer.
    pub candidates: [SocketAddr; CANDIDATES],
}

/// Everything that changes in a permitted request. Made by [`crate::plan::Plan::carry_out`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestEdits {
    /// Where it goes.
    pub upstream: Upstream,
    /// What happens to `Authorization`.
    pub authorization: FieldEdit,
    /// What happens to `Cookie`.
    pub cookie: FieldEdit,
    /// A new `:path`, where a credential was taken out of the query.
    pub path: Option<Vec<u8>>,
    /// Names, as they came, of headers that go.
    pub remove: Vec<Vec<u8>>,
    /// What vouches for that to the sidecar, on its own services and for tunnels ([`crate::visitor`]).
    pub vouch: Option<String>,
    /// Whether it becomes a tunnel: it goes to the sidecar, which speaks raw TCP to the job.
    pub is_tunnel: bool,
    /// What says who the visitor is to a job that wants a proof ([`crate::assertion`]).
    pub assertion: Option<std::sync::Arc<str>>,
    /// What the log is told.
    pub audit: Audit,
    /// What has to stay so for as long as the request lasts.
    pub standing: Standing,
}

impl RequestEdits {
    /// Who the visitor is; none on a public service.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.standing.who().identity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserves_our_names_and_identities_and_nothing_of_the_jobs() {
        for name in ["x-taskgate-up1", "x-yt-taskproxy-id", "x-forwarded-user", "x-arvados-user-uuid", "x-yt-user-name"]
        {
            assert!(is_reserved(name.as_bytes()), "{name}");
        }
        for name in
            ["x-taskgate", "authorization", "cookie", "x-forwarded-for", "x-forwarded-userx", "x-yt-header-format"]
        {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn debug_shows_no_cookie() {
        assert!(!format!("{:?}", FieldEdit::Set(b"secret".to_vec())).contains("secret"));
    }
}
