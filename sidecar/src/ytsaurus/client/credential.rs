//! A visitor's credential, in the form in which the cluster takes it.

use std::fmt;

use reqwest::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use taskgate_core::verdict::{self, Scheme};

/// One credential of one visitor: exactly one header, and nothing else of theirs.
///
/// Invariant: the header is a whole `Authorization`, or a `Cookie` with one cookie. `Debug` shows
/// neither.
#[derive(Clone)]
pub struct Credential {
    name: HeaderName,
    value: HeaderValue,
}

impl Credential {
    /// Takes what a visitor showed; none where it can't be for the cluster: a cookie that is not one
    /// of `cookies`, or a value that would be more than one credential. The scheme is written as the
    /// cluster wants it, whatever the visitor wrote.
    #[must_use]
    pub fn of(shown: &verdict::Credential, cookies: &[String]) -> Option<Self> {
        let text = &shown.value;
        let (name, value) = match shown.scheme {
            Scheme::Bearer | Scheme::Query => (AUTHORIZATION, format!("Bearer {text}")),
            Scheme::Cookie => {
                let cookie = shown.name.as_deref().filter(|name| cookies.iter().any(|ours| ours == name))?;
                if text.bytes().any(|byte| matches!(byte, b';' | b',' | b'"' | b'\\') || byte <= b' ') {
                    return None;
                }
                (COOKIE, format!("{cookie}={text}"))
            }
            Scheme::Oauth => (AUTHORIZATION, format!("OAuth {text}")),
            // Our own is nobody else's.
            Scheme::Session | Scheme::Peer => return None,
        };
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some(Self { name, value })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credential({}: ****)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(scheme: Scheme, name: Option<&str>, value: &str) -> Option<String> {
        let shown = verdict::Credential { scheme, name: name.map(ToOwned::to_owned), value: value.into() };
        let (name, value) = Credential::of(&shown, &["YTCypressCookie".into()])?.header();
        Some(format!("{name}: {}", value.to_str().expect("text")))
    }

    #[test]
    fn one_credential_is_one_header() {
        assert_eq!(header(Scheme::Bearer, None, "t").as_deref(), Some("authorization: Bearer t"));
        assert_eq!(header(Scheme::Oauth, None, "t").as_deref(), Some("authorization: OAuth t"));
        assert_eq!(header(Scheme::Query, Some("token"), "t").as_deref(), Some("authorization: Bearer t"));
        assert_eq!(
            header(Scheme::Cookie, Some("YTCypressCookie"), "a=b").as_deref(),
            Some("cookie: YTCypressCookie=a=b")
        );
    }

    #[test]
    fn what_is_not_for_the_cluster_does_not_go_there() {
        assert_eq!(header(Scheme::Cookie, Some("other"), "t"), None);
        assert_eq!(header(Scheme::Cookie, None, "t"), None);
        assert_eq!(header(Scheme::Cookie, Some("YTCypressCookie"), "t; admin=1"), None);
        assert_eq!(header(Scheme::Bearer, None, "t\r\nx: y"), None);
    }

    #[test]
    fn it_does_not_show_itself() {
        let shown = verdict::Credential { scheme: Scheme::Bearer, name: None, value: "hunter2".into() };
        let credential = Credential::of(&shown, &[]).expect("a credential");
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}
