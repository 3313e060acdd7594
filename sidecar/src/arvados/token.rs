//! Tokens of visitors, in the forms in which they come.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use reqwest::header::HeaderValue;
use taskgate_core::verdict::{Credential, Scheme};

use crate::secret::SecretText;

/// The cookie, and the parameter of a query, in which Arvados has a token.
pub const TOKEN_NAME: &str = "arvados_api_token";
/// The longest token.
const MAX_TOKEN: usize = 1_024;

/// A token of Arvados.
///
/// Invariant: 1 to 1024 characters of letters, digits and `/`, `-`, `_`, `.`, so it can stand in a header.
#[derive(Clone, Debug)]
pub struct Token(SecretText);

impl Token {
    /// Reads a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
        let is_token = !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(plain);
        is_token.then(|| Self(text.to_owned().into()))
    }

    /// Reads a token of the form `v2/UUID/SECRET`: no program of a job's has such a one of its own.
    #[must_use]
    pub fn parse_v2(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let is_v2 = parts.next() == Some("v2") && parts.next().is_some_and(|uuid| uuid.contains("-gj3su-"));
        Self::parse(text).filter(|_| is_v2)
    }

    /// What a visitor showed; none where it can't be for Arvados. `cookies` are those that have tokens.
    #[must_use]
    pub fn of(shown: &Credential, cookies: &[String]) -> Option<Self> {
        match shown.scheme {
            Scheme::Bearer | Scheme::Oauth | Scheme::Query => Self::parse(&shown.value),
            Scheme::Cookie => {
                let name = shown.name.as_deref()?;
                cookies.iter().any(|ours| ours == name).then(|| Self::of_cookie(&shown.value))?
            }
            Scheme::Session | Scheme::Peer => None,
        }
    }

    /// A token as a cookie has it: in base64, or as it is.
    #[must_use]
    pub fn of_cookie(value: &str) -> Option<Self> {
        let bytes =
            URL_SAFE.decode(value).or_else(|_| STANDARD.decode(value)).or_else(|_| URL_SAFE_NO_PAD.decode(value));
        match bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(text) => Self::parse_v2(&text),
            None => Self::parse_v2(value),
        }
    }

    /// As `Authorization` has it.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0.expose())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// As a cookie has it.
    #[must_use]
    pub fn cookie(&self) -> String {
        format!("{TOKEN_NAME}={}", URL_SAFE.encode(self.0.expose()))
    }

    /// The token itself.
    #[must_use]
    pub fn secret(&self) -> &SecretText {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(scheme: Scheme, name: Option<&str>, value: &str) -> Option<String> {
        let shown = Credential { scheme, name: name.map(ToOwned::to_owned), value: value.into() };
        Token::of(&shown, &[TOKEN_NAME.to_owned()]).map(|token| token.secret().expose().to_owned())
    }

    #[test]
    fn tokens_come_in_headers_queries_and_cookies() {
        let v2 = "v2/zzzzz-gj3su-000000000000001/abc";
        for scheme in [Scheme::Bearer, Scheme::Oauth, Scheme::Query] {
            assert_eq!(shown(scheme, None, v2).as_deref(), Some(v2), "{scheme:?}");
        }
        assert_eq!(shown(Scheme::Cookie, Some(TOKEN_NAME), &URL_SAFE.encode(v2)).as_deref(), Some(v2));
        assert_eq!(shown(Scheme::Cookie, Some("other"), &URL_SAFE.encode(v2)), None);
        assert_eq!(shown(Scheme::Session, None, v2), None);
        for value in ["", "a b", "a\r\nb", "a;b", "é", &"a".repeat(1_025)] {
            assert_eq!(shown(Scheme::Bearer, None, value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_v2_token_may_be_a_jobs_own() {
        assert!(Token::parse_v2("v2/zzzzz-gj3su-000000000000001/abc").is_some());
        for text in ["abc", "v2/abc", "v1/zzzzz-gj3su-000000000000001/abc", "v2"] {
            assert!(Token::parse_v2(text).is_none(), "{text}");
        }
    }
}
