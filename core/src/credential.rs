//! What a visitor shows, and how it is kept from the job.
//!
//! Sealed tokens of our own come first: they are verified here, and then `Authorization` belongs to
//! the job. Else the platform's credential counts, in this order: `x-taskgate-authorization`,
//! `Authorization` (`Bearer` or `OAuth`), a platform cookie, a query parameter. Every credential that
//! is certainly ours or the platform's is removed, used or not; anything else of the job's passes byte
//! for byte.
//!
//! At services that a path names it is Determined that says which counts: a token for one workload, in the query or as
//! `Authorization: token`, comes before all else, and no `Authorization` of these forms is ever the job's own.

use crate::cookie::Cookie;
use crate::denial::Denial;
use crate::edit::FieldEdit;
use crate::request::{Field, Request};
use crate::share::SHARE_PARAMETER;
use crate::verdict::{Credential, MAX_CREDENTIAL, Scheme};
use crate::{cookie, query, token};

/// The most sealed tokens of one request that are tried.
const MAX_SEALED: usize = 4;

/// Which names carry credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialNames {
    /// The cookie that carries our sessions.
    pub session_cookie: String,
    /// The cookie that says whose things a browser has of a name that can change hands.
    pub origin_cookie: String,
    /// Cookies that the platform sets.
    pub platform_cookies: Vec<String>,
    /// Query parameters that carry the platform's token.
    pub query_parameters: Vec<String>,
    /// Those among them that count before all else, and whose token may come as `Authorization: token …` too.
    pub first_parameters: Vec<String>,
}

/// Where the platform's credential was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `Authorization`.
    Authorization,
    /// A platform cookie.
    Cookie,
    /// `x-taskgate-authorization`.
    OwnHeader,
    /// A query parameter.
    Query,
}

impl CredentialNames {
    /// Whether a cookie is one of ours: that of sessions, or another whose name goes on from there with `-`, as those
    /// of sign-ins under way do.
    #[must_use]
    pub fn is_own_cookie(&self, name: &[u8]) -> bool {
        let rest = name.strip_prefix(self.session_cookie.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
    }

    /// Whether a query parameter carries a credential.
    #[must_use]
    pub fn is_parameter(&self, name: &[u8]) -> bool {
        name == SHARE_PARAMETER.as_bytes() || self.query_parameters.iter().any(|ours| ours.as_bytes() == name)
    }
}

/// Whether a request has a cookie that carries a credential, ours or the platform's.
#[must_use]
pub fn has_cookie(request: &Request<'_>, names: &CredentialNames) -> bool {
    let is_one = |name: &[u8]| {
        name == names.session_cookie.as_bytes() || names.platform_cookies.iter().any(|ours| ours.as_bytes() == name)
    };
    cookie::all(&request.cookies).any(|cookie| is_one(cookie.name))
}

/// Where a sealed token was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Our cookie: a browser has it, and takes another one in its place.
    Cookie,
    /// A header.
    Header,
}

/// The sealed tokens that a request shows, at most four.
pub fn sealed<'a>(request: &'a Request<'a>, names: &'a CredentialNames) -> impl Iterator<Item = (&'a [u8], Place)> {
    let headers = [request.own_authorization, request.authorization];
    let bearers = headers.into_iter().filter_map(|field| match parse(field.one()?) {
        Some((Scheme::Bearer, text)) if is_sealed(text) => Some((text, Place::Header)),
        _ => None,
    });
    let cookies = cookie::values(&request.cookies, &names.session_cookie).map(|text| (text, Place::Cookie));
    bearers.chain(cookies).take(MAX_SEALED)
}

/// What of the platform's a request shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A credential, and where it was found.
    Credential(Credential, Source),
    /// Nothing.
    Nothing,
    /// Only a sealed token, which never goes to a platform.
    Sealed,
}

/// Whether a header has something in the form of a platform's credential, sealed or not.
#[must_use]
pub fn has_bearer(request: &Request<'_>) -> bool {
    let headers = [request.own_authorization, request.authorization];
    headers.into_iter().any(|field| field.one().is_some_and(|value| parse(value).is_some()))
}

/// The platform's credential in the query.
///
/// # Errors
/// [`Denial::CredentialRejected`] where it is one that no platform gives (not text, too long).
pub fn in_query(request: &Request<'_>, names: &CredentialNames) -> Result<Option<Credential>, Denial> {
    among(request, &names.query_parameters)
}

fn among(request: &Request<'_>, parameters: &[String]) -> Result<Option<Credential>, Denial> {
    for name in parameters {
        let value = request.path.one().and_then(|path| query::value(path, name));
        if let Some(value) = value.filter(|value| !value.is_empty() && !is_sealed(value)) {
            return credential(Scheme::Query, Some(name), &value).map(Some);
        }
    }
    Ok(None)
}

/// The platform's credential that a request shows: the first in the order of this module.
///
/// # Errors
/// [`Denial::MalformedCredential`] where a header that carries it comes twice;
/// [`Denial::CredentialRejected`] where it is one that no platform gives (not text, too long).
pub fn platform(request: &Request<'_>, names: &CredentialNames, cookies_count: bool) -> Result<Shown, Denial> {
    if let Some((credential, source)) = first(request, names)? {
        return Ok(Shown::Credential(credential, source));
    }
    let mut shown = Shown::Nothing;
    for (field, source) in
        [(request.own_authorization, Source::OwnHeader), (request.authorization, Source::Authorization)]
    {
        let value = match field {
            Field::Absent => continue,
            Field::One(value) => value,
            Field::Repeated => return Err(Denial::MalformedCredential),
        };
        match parse(value) {
            Some((_, text)) if is_sealed(text) => shown = Shown::Sealed,
            Some((scheme, text)) => return Ok(Shown::Credential(credential(scheme, None, text)?, source)),
            None => {}
        }
    }
    for name in names.platform_cookies.iter().filter(|_| cookies_count) {
        let is_it = |cookie: &Cookie<'_>| cookie.name == name.as_bytes() && !cookie.value.is_empty();
        for cookie in cookie::all(&request.cookies).filter(is_it) {
            if !is_sealed(cookie.value) {
                return Ok(Shown::Credential(credential(Scheme::Cookie, Some(name), cookie.value)?, Source::Cookie));
            }
            shown = Shown::Sealed;
        }
    }
    if let Some(credential) = in_query(request, names)? {
        return Ok(Shown::Credential(credential, Source::Query));
    }
    let has_value = |name: &String| {
        request.path.one().and_then(|path| query::value(path, name)).is_some_and(|value| !value.is_empty())
    };
    Ok(if names.query_parameters.iter().any(has_value) { Shown::Sealed } else { shown })
}

/// The token for one workload that counts before all else, where it is in the query or in `Authorization: token`.
fn first(request: &Request<'_>, names: &CredentialNames) -> Result<Option<(Credential, Source)>, Denial> {
    let Some(name) = names.first_parameters.first() else { return Ok(None) };
    if let Some(credential) = among(request, &names.first_parameters)? {
        return Ok(Some((credential, Source::Query)));
    }
    match request.authorization.one().and_then(workload_token) {
        Some(text) if !is_sealed(text) => {
            Ok(Some((credential(Scheme::Query, Some(name), text)?, Source::Authorization)))
        }
        _ => Ok(None),
    }
}

/// What happens to the headers that can carry credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialEdits {
    /// `Authorization`.
    pub authorization: FieldEdit,
    /// `Cookie`.
    pub cookie: FieldEdit,
    /// The path without credentials in its query.
    pub path: Option<Vec<u8>>,
}

/// Takes every credential out. `used` is what was asked about, and where it was found; with `forward`, it
/// alone stays.
///
/// # Errors
/// [`Denial::MalformedCredential`] where `Authorization` comes twice: nobody could say whose it is.
pub fn strip(
    request: &Request<'_>,
    names: &CredentialNames,
    used: Option<(&Credential, Source)>,
    forward: bool,
) -> Result<CredentialEdits, Denial> {
    let source = used.map(|(_, source)| source);
    let authorization = match request.authorization {
        Field::Absent => FieldEdit::Keep,
        Field::Repeated => return Err(Denial::MalformedCredential),
        Field::One(value) => match parse(value) {
            Some((Scheme::Bearer, text)) if is_sealed(text) => FieldEdit::Remove,
            Some(_) if source == Some(Source::Authorization) => {
                if forward {
                    FieldEdit::Keep
                } else {
                    FieldEdit::Remove
                }
            }
            Some(_) if !names.first_parameters.is_empty() => FieldEdit::Remove,
            None if !names.first_parameters.is_empty() && workload_token(value).is_some() => {
                if forward && source == Some(Source::Authorization) { FieldEdit::Keep } else { FieldEdit::Remove }
            }
            // No job has a use for this scheme: it is the platform's, whoever was asked.
            Some((Scheme::Oauth, _)) => FieldEdit::Remove,
            _ => FieldEdit::Keep,
        },
    };
    // What stays, of cookies or of parameters: another one may be of another platform, or of somebody else.
    let kept = |from| match used {
        Some((Credential { name: Some(name), value, .. }, source)) if forward && source == from => {
            Some((name.as_bytes(), value.as_bytes()))
        }
        _ => None,
    };
    let is_among = |names: &[String], name: &[u8]| names.iter().any(|ours| ours.as_bytes() == name);
    let cookie = kept(Source::Cookie);
    let is_ours = |found: &Cookie<'_>| {
        (names.is_own_cookie(found.name) && !found.is_spaced)
            || (is_among(&names.platform_cookies, found.name) && cookie != Some((found.name, found.value)))
    };
    let parameter = kept(Source::Query);
    let path = request.path.one().and_then(|path| {
        query::strip(path, |name, value| names.is_parameter(name) && parameter != Some((name, value)))
    });
    Ok(CredentialEdits { authorization, cookie: cookie::strip(&request.cookies, is_ours), path })
}

/// The scheme and the token of an `Authorization` value, where the scheme is one of the platform's.
/// Any other value is the job's own.
fn parse(value: &[u8]) -> Option<(Scheme, &[u8])> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, text) = value.split_at_checked(space)?;
    let text = text.trim_ascii();
    let scheme = match scheme.len() {
        6 if scheme.eq_ignore_ascii_case(b"bearer") => Scheme::Bearer,
        5 if scheme.eq_ignore_ascii_case(b"oauth") => Scheme::Oauth,
        _ => return None,
    };
    (!text.is_empty()).then_some((scheme, text))
}

/// The token of `Authorization: token …`.
fn workload_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, text) = value.split_at_checked(6)?;
    let text = text.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"token ") && !text.is_empty()).then_some(text)
}

fn is_sealed(text: &[u8]) -> bool {
    text.starts_with(token::PREFIX.as_bytes())
}

fn credential(scheme: Scheme, name: Option<&str>, value: &[u8]) -> Result<Credential, Denial> {
    let text = core::str::from_utf8(value).map_err(|_| Denial::CredentialRejected)?;
    if text.len() > MAX_CREDENTIAL || text.chars().any(char::is_control) {
        return Err(Denial::CredentialRejected);
    }
    Ok(Credential { scheme, name: name.map(Into::into), value: text.into() })
}

#[cfg(test)]
mod tests;
