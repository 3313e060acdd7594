//! Why services refuse, by the codes in their answers: what is wrong with the configuration, in words that say what
//! to change.

use std::fmt;

use crate::data::store::StoreError;

/// Why a service refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such bucket or container.
    Bucket,
    /// The clocks are too far apart.
    Clock,
    /// The key is not known.
    Key,
    /// Something else.
    Other,
    /// It may not be done with that credential.
    Permission,
    /// It is another region's, or another service's.
    Region,
    /// The signature is wrong.
    Signature,
    /// It must be asked with TLS.
    Tls,
    /// The token of the session is wrong, or has ended.
    Token,
}

impl Refusal {
    /// What a code of S3, Google Cloud Storage or Azure means.
    pub(crate) fn of(code: &str) -> Self {
        match code {
            "NoSuchBucket" | "InvalidBucketName" | "ContainerNotFound" | "ContainerBeingDeleted" => Self::Bucket,
            "RequestTimeTooSkewed" | "RequestExpired" => Self::Clock,
            "InvalidAccessKeyId" | "NotSignedUp" => Self::Key,
            "AccessDenied"
            | "AccountProblem"
            | "AllAccessDisabled"
            | "AuthorizationFailure"
            | "AuthorizationPermissionMismatch"
            | "AuthorizationResourceTypeMismatch"
            | "AuthorizationServiceMismatch"
            | "InsufficientAccountPermissions" => Self::Permission,
            "AuthorizationHeaderMalformed"
            | "AuthorizationQueryParametersError"
            | "PermanentRedirect"
            | "TemporaryRedirect" => Self::Region,
            "SignatureDoesNotMatch" | "AuthenticationFailed" => Self::Signature,
            "AuthorizationProtocolMismatch" | "AccountRequiresHttps" => Self::Tls,
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => Self::Token,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bucket => "there is no such bucket or container",
            Self::Clock => "this machine's clock and the store's are too far apart",
            Self::Key => "the store does not know the key",
            Self::Other => "it does not do it",
            Self::Permission => "a permission is missing",
            Self::Region => "the region is wrong, or the endpoint is that of another one",
            Self::Signature => {
                "the signature is not accepted: the key's secret is wrong, or the clock, or something on the way \
                 changes the host or the path"
            }
            Self::Tls => "it must be asked with TLS: write `https://` in its endpoint",
            Self::Token => "the token of the session has ended, or is another key's",
        })
    }
}

/// That a service refuses with this code, where it says one; the permission that it takes is named where that is
/// what is missing.
pub(crate) fn denied(permission: &str, code: Option<&str>) -> StoreError {
    let reason = match code.map_or(Refusal::Permission, Refusal::of) {
        Refusal::Permission | Refusal::Other => format!("{permission} is needed"),
        reason => reason.to_string(),
    };
    StoreError::Denied(format!("{reason}{}", code.map_or_else(String::new, |code| format!(" ({code})"))))
}

/// The code in an answer, in XML or in JSON: a word.
pub(crate) fn code(text: &str) -> Option<&str> {
    let xml = || text.split_once("<Code>")?.1.split_once("</Code>");
    let json = || text.split_once("\"code\":\"")?.1.split_once('"');
    let (code, _) = xml().or_else(json)?;
    let is_word =
        (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_word.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_named_only_where_it_is_missing() {
        for (code, text) in [
            (None, "s3:PutObject is needed"),
            (Some("AccessDenied"), "s3:PutObject is needed (AccessDenied)"),
            (Some("Odd"), "s3:PutObject is needed (Odd)"),
            (Some("InvalidAccessKeyId"), "the store does not know the key (InvalidAccessKeyId)"),
        ] {
            assert_eq!(denied("s3:PutObject", code), StoreError::Denied(text.to_owned()));
        }
    }

    #[test]
    fn a_code_is_a_word() {
        assert_eq!(code("<Error><Code>AccessDenied</Code><Message>m</Message></Error>"), Some("AccessDenied"));
        assert_eq!(code(r#"{"status":507,"code":"no-room","detail":"d"}"#), Some("no-room"));
        for text in ["", "<Code></Code>", "<Code>a b</Code>", "<Code>x", r#"{"code":"a\nb"}"#] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
