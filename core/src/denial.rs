//! Why a request is refused: one variant a reason, nothing else.

use crate::signed_url::SignedUrlError;

/// A reason to refuse a request.
///
/// What a client is told of it is decided in one place, [`crate::reply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Denial {
    /// The visitor is known but may not use the service.
    AccessDenied,
    /// Nothing in the request names a service.
    AddressMissing,
    /// The request names two different services.
    ConflictingAddress,
    /// Nothing in the request says who is asking.
    CredentialMissing,
    /// The credential is wrong, expired or revoked.
    CredentialRejected,
    /// A page of another origin asks for something with the visitor's cookies.
    CrossOrigin,
    /// A header that names the service comes more than once.
    DuplicateAddress,
    /// What an ingress would have to be told of the request does not fit into its answer's headers.
    HeadersTooLarge,
    /// Some headers of a name triple are missing.
    IncompleteAddress,
    /// A host or header that names a service can't be read.
    MalformedAddress,
    /// `Authorization` comes more than once.
    MalformedCredential,
    /// Another owner has the name now, and the request was meant for the one before.
    NameMoved,
    /// The service has no running job.
    NoEndpoint,
    /// The share link is for other paths of the service.
    OutsideShare,
    /// Too many requests are waiting for a verdict.
    Overloaded,
    /// The service is not spoken to over HTTP.
    ProtocolMismatch,
    /// The proxy did not hand over the request's headers, or did not change them as it was told.
    ProxyFailure,
    /// The session was ended, or its time is over.
    SessionEnded,
    /// The share link is over, or was not made for this service.
    ShareEnded,
    /// The sidecar has not confirmed the table for too long.
    TableExpired,
    /// The table has not arrived yet.
    TableLoading,
    /// No service has that name, or the visitor may not know of it.
    UnknownService,
    /// This ingress can't take a credential out of the query.
    UnsupportedCredential,
    /// The signed URL was good until an earlier time.
    UrlExpired,
    /// The URL is not as it was signed, not signed at all, or for another method.
    UrlRefused,
    /// The sidecar gave no verdict in time.
    VerdictUnavailable,
}

impl Denial {
    /// Every reason, in alphabetical order.
    pub const ALL: [Self; 26] = [
        Self::AccessDenied,
        Self::AddressMissing,
        Self::ConflictingAddress,
        Self::CredentialMissing,
        Self::CredentialRejected,
        Self::CrossOrigin,
        Self::DuplicateAddress,
        Self::HeadersTooLarge,
        Self::IncompleteAddress,
        Self::MalformedAddress,
        Self::MalformedCredential,
        Self::NameMoved,
        Self::NoEndpoint,
        Self::OutsideShare,
        Self::Overloaded,
        Self::ProtocolMismatch,
        Self::ProxyFailure,
        Self::SessionEnded,
        Self::ShareEnded,
        Self::TableExpired,
        Self::TableLoading,
        Self::UnknownService,
        Self::UnsupportedCredential,
        Self::UrlExpired,
        Self::UrlRefused,
        Self::VerdictUnavailable,
    ];

    /// The stable name: in the header `x-taskgate-denial`, in bodies, logs and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access-denied",
            Self::AddressMissing => "address-missing",
            Self::ConflictingAddress => "conflicting-address",
            Self::CredentialMissing => "credential-missing",
            Self::CredentialRejected => "credential-rejected",
            Self::CrossOrigin => "cross-origin",
            Self::DuplicateAddress => "duplicate-address",
            Self::HeadersTooLarge => "headers-too-large",
            Self::IncompleteAddress => "incomplete-address",
            Self::MalformedAddress => "malformed-address",
            Self::MalformedCredential => "malformed-credential",
            Self::NameMoved => "name-moved",
            Self::NoEndpoint => "no-endpoint",
            Self::OutsideShare => "outside-share",
            Self::Overloaded => "overloaded",
            Self::ProtocolMismatch => "protocol-mismatch",
            Self::ProxyFailure => "proxy-failure",
            Self::SessionEnded => "session-ended",
            Self::ShareEnded => "share-ended",
            Self::TableExpired => "table-expired",
            Self::TableLoading => "table-loading",
            Self::UnknownService => "unknown-service",
            Self::UnsupportedCredential => "unsupported-credential",
            Self::UrlExpired => "url-expired",
            Self::UrlRefused => "url-refused",
            Self::VerdictUnavailable => "verdict-unavailable",
        }
    }
}

impl From<crate::verdict::Refusal> for Denial {
    fn from(refusal: crate::verdict::Refusal) -> Self {
        match refusal {
            crate::verdict::Refusal::AccessDenied => Self::AccessDenied,
            crate::verdict::Refusal::CredentialRejected => Self::CredentialRejected,
            crate::verdict::Refusal::UnknownService => Self::UnknownService,
        }
    }
}

impl From<SignedUrlError> for Denial {
    fn from(error: SignedUrlError) -> Self {
        match error {
            SignedUrlError::Expired => Self::UrlExpired,
            SignedUrlError::Forged
            | SignedUrlError::Malformed
            | SignedUrlError::NotSigned
            | SignedUrlError::UnknownKey
            | SignedUrlError::WrongMethod => Self::UrlRefused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_names_in_kebab_case_in_order() {
        let kebab = |denial: &Denial| {
            let mut text = String::new();
            for letter in format!("{denial:?}").chars() {
                if letter.is_ascii_uppercase() && !text.is_empty() {
                    text.push('-');
                }
                text.push(letter.to_ascii_lowercase());
            }
            text
        };
        let codes: Vec<&str> = Denial::ALL.iter().map(|denial| denial.code()).collect();
        assert_eq!(codes, Denial::ALL.iter().map(kebab).collect::<Vec<_>>());
        assert!(codes.is_sorted());
    }
}
