//! What visitors show, in the forms in which the master takes it.
//!
//! Its API takes a session as `Authorization: Bearer`, in whichever cookie browsers have it.

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use taskgate_core::verdict::{Credential, Scheme};

use crate::secret::SecretText;

/// Cookies in which the master has sessions: its own, and those of a provider of identities.
const COOKIES: [&str; 2] = ["det_jwt", "auth"];
/// The parameter in which a token for one task comes.
const PARAMETER: &str = "token";

/// What a visitor shows to the master.
///
/// Invariant: it can stand in a header.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A session of a user.
    Session(SecretText),
    /// A token for one task.
    Task(SecretText),
}

impl Shown {
    /// What a credential is to the master; none where it is not for it.
    #[must_use]
    pub fn of(credential: &Credential) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'"' | b'\\');
        let is_plain = !credential.value.is_empty() && credential.value.bytes().all(plain);
        let value = || SecretText::from(credential.value.clone());
        match (credential.scheme, credential.name.as_deref()) {
            _ if !is_plain => None,
            (Scheme::Bearer, _) => Some(Self::Session(value())),
            (Scheme::Cookie, Some(name)) if COOKIES.contains(&name) => Some(Self::Session(value())),
            (Scheme::Query, Some(PARAMETER)) => Some(Self::Task(value())),
            _ => None,
        }
    }

    /// Whether it is for one task and nobody's.
    #[must_use]
    pub const fn is_of_task(&self) -> bool {
        matches!(self, Self::Task(_))
    }

    /// Whether it is the same, found out in a time that does not tell where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(own), Self::Session(other)) | (Self::Task(own), Self::Task(other)) => {
                own.matches(other.expose().as_bytes())
            }
            (Self::Session(_), Self::Task(_)) | (Self::Task(_), Self::Session(_)) => false,
        }
    }

    /// A request that shows it.
    pub fn on(&self, request: RequestBuilder) -> RequestBuilder {
        let text = match self {
            Self::Session(secret) => format!("Bearer {}", secret.expose()),
            Self::Task(secret) => format!("token {}", secret.expose()),
        };
        match HeaderValue::from_str(&text) {
            Ok(mut value) => {
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            // By the type's invariant there is none; without it the master knows nobody.
            Err(_) => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(scheme: Scheme, name: Option<&str>, value: &str) -> Option<String> {
        let credential = Credential { scheme, name: name.map(Into::into), value: value.into() };
        let request = Shown::of(&credential)?.on(reqwest::Client::new().get("http://a/")).build().expect("a request");
        request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
    }

    #[test]
    fn sessions_and_tokens_are_shown_as_what_they_are() {
        assert_eq!(shown(Scheme::Bearer, None, "s").as_deref(), Some("Bearer s"));
        assert_eq!(shown(Scheme::Cookie, Some("auth"), "s").as_deref(), Some("Bearer s"));
        assert_eq!(shown(Scheme::Cookie, Some("det_jwt"), "s").as_deref(), Some("Bearer s"));
        assert_eq!(shown(Scheme::Query, Some("token"), "v2.public.x-_").as_deref(), Some("token v2.public.x-_"));
    }

    #[test]
    fn one_is_the_same_in_the_same_form_alone() {
        let (session, task) = (Shown::Session("s".to_owned().into()), Shown::Task("s".to_owned().into()));
        assert!(session.is(&session.clone()) && task.is(&task.clone()));
        assert!(!session.is(&task) && !task.is(&session) && !session.is(&Shown::Session("t".to_owned().into())));
    }

    #[test]
    fn nothing_else_is_shown_to_the_master() {
        for (scheme, name, value) in [
            (Scheme::Cookie, Some("YTCypressCookie"), "s"),
            (Scheme::Cookie, Some("auth"), "a; det_jwt=b"),
            (Scheme::Query, Some("api_token"), "s"),
            (Scheme::Oauth, None, "s"),
            (Scheme::Session, None, "s"),
            (Scheme::Bearer, None, ""),
            (Scheme::Bearer, None, "a b"),
            (Scheme::Bearer, None, "a\r\nb"),
        ] {
            assert_eq!(shown(scheme, name, value), None, "{scheme:?} {value:?}");
        }
        let credential = Credential { scheme: Scheme::Bearer, name: None, value: "s3cret".into() };
        assert!(!format!("{:?}", Shown::of(&credential)).contains("s3cret"));
    }
}
