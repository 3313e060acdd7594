//! The credential that a request shows, and what the request is called.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use taskgate_core::token;
use taskgate_core::verdict::{Credential, MAX_CREDENTIAL, Scheme};

use crate::data::error::DataError;
use crate::random;

/// Taskgate's own header for credentials, which comes before `Authorization`.
const OWN_HEADER: &str = "x-taskgate-authorization";
/// What proxies and clients call a request in.
const REQUEST_ID: &str = "x-request-id";
/// The longest name of a request that is taken over.
const MAX_REQUEST_ID: usize = 128;

/// The credential of a request.
///
/// # Errors
/// [`DataError::Unauthenticated`] where there is none, or nobody can tell which one counts, or where it is a token of
/// ours, which is for gates and nobody else's to see.
pub(super) fn of(headers: &HeaderMap) -> Result<Credential, DataError> {
    let name = if headers.contains_key(OWN_HEADER) { OWN_HEADER } else { AUTHORIZATION.as_str() };
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(DataError::Unauthenticated) };
    let text = line.to_str().map_err(|_| DataError::Unauthenticated)?;
    let (scheme, value) = text.split_once(' ').ok_or(DataError::Unauthenticated)?;
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("oauth") => Scheme::Oauth,
        _ => return Err(DataError::Unauthenticated),
    };
    let value = value.trim_start_matches(' ');
    if value.is_empty() || value.starts_with(token::PREFIX) || value.len() > MAX_CREDENTIAL {
        return Err(DataError::Unauthenticated);
    }
    Ok(Credential { scheme, name: None, value: value.to_owned() })
}

/// What a request is called: as its sender says where that is short and plain, else something new.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let said = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_plain = |text: &&str| {
        !text.is_empty() && text.len() <= MAX_REQUEST_ID && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match said.filter(is_plain) {
        Some(text) => text.to_owned(),
        None => random::non_zero().map_or_else(|_| "unknown".to_owned(), |number| format!("{number:016x}")),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        lines.for_each(|(name, value)| {
            headers.append(name, value);
        });
        headers
    }

    #[test]
    fn one_credential_counts() {
        let shown = |lines: &[_]| of(&headers(lines)).ok().map(|found| (found.scheme, found.value));
        let bearer = |value: &str| Some((Scheme::Bearer, value.to_owned()));
        assert_eq!(shown(&[("authorization", "Bearer t")]), bearer("t"));
        assert_eq!(shown(&[("authorization", "bearer  t")]), bearer("t"));
        assert_eq!(shown(&[("authorization", "OAuth t")]), Some((Scheme::Oauth, "t".into())));
        assert_eq!(shown(&[("authorization", "Basic x"), ("x-taskgate-authorization", "Bearer t")]), bearer("t"));
        for lines in [
            &[][..],
            &[("authorization", "Basic eDp5")],
            &[("authorization", "Bearer ")],
            &[("authorization", "t")],
            &[("authorization", "Bearer tg1.s.k1.AAAA")],
            &[("x-taskgate-authorization", "Bearer tg1.h.k1.AAAA")],
            &[("authorization", "Bearer t"), ("authorization", "Bearer u")],
            &[("x-forwarded-user", "ann"), ("x-taskgate-user", "ann"), ("x-remote-user", "ann")],
        ] {
            assert_eq!(shown(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn a_request_has_a_plain_name() {
        assert_eq!(request_id(&headers(&[("x-request-id", "0b5-7")])), "0b5-7");
        for lines in [&[][..], &[("x-request-id", "")], &[("x-request-id", "a b")]] {
            assert_eq!(request_id(&headers(lines)).len(), 16, "{lines:?}");
        }
    }
}
