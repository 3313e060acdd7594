//! What stands in addresses and fields of this API.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use taskgate_core::time::UnixTime;

use crate::api::problem::Problem;
use crate::data::catalog::ActionName;
use crate::data::path::{DomainName, ProjectName};
use crate::data::settings::SignedDuration;
use crate::data::settings::duration;
use crate::data::store::SignedRequest;

/// The parts of an address.
pub(super) type Parts<T> = Result<Path<T>, PathRejection>;

/// A request that a client may send, as it is written.
#[derive(Serialize)]
pub(super) struct RequestForm {
    method: &'static str,
    url: String,
    headers: BTreeMap<String, String>,
    expires_at: String,
}

impl RequestForm {
    pub(super) fn new(method: &'static str, request: SignedRequest) -> Self {
        let SignedRequest { url, headers, expires_at } = request;
        Self {
            method,
            url: url.expose().to_owned(),
            headers: headers.into_iter().collect(),
            expires_at: date(expires_at),
        }
    }
}

/// The parts of an address.
pub(super) fn parts<T>(parts: Parts<T>) -> Result<T, Problem> {
    parts.map(|Path(parts)| parts).map_err(|_| Problem::malformed("a part of the address is no text, or no number"))
}

/// The action that an address or a request names.
pub(super) fn action(
    organization: String,
    project: &str,
    domain: &str,
    run: String,
    name: String,
) -> Result<ActionName, Problem> {
    let project = ProjectName::parse(project).map_err(|error| Problem::malformed(format!("project: {error}")))?;
    let domain = DomainName::parse(domain).map_err(|error| Problem::malformed(format!("domain: {error}")))?;
    Ok(ActionName { organization, project, domain, run, name })
}

/// A parameter of the query; empty where it is not there.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Result<String, Problem> {
    let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Problem::malformed(format!("there are two parameters `{name}`"))),
        (value, None) => Ok(value.unwrap_or_default()),
    }
}

/// How long a URL shall work, as in `15m`.
pub(super) fn expires_in(text: Option<&str>) -> Result<Option<SignedDuration>, Problem> {
    let length = text.map(duration::parse).transpose();
    let length = length.map_err(|error| Problem::malformed(format!("expires_in {error}")))?;
    Ok(length.map(|length: Duration| length.into()))
}

/// A digest in base64 or hex digits.
pub(super) fn digest<const LENGTH: usize>(name: &str, text: &str) -> Result<[u8; LENGTH], Problem> {
    let hex = || {
        let digits = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        digits.collect::<Option<Vec<u8>>>()
    };
    let is_hex = text.len() == LENGTH * 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes = if is_hex { hex() } else { STANDARD.decode(text).ok() };
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Problem::malformed(format!("{name} is not {LENGTH} bytes in base64 or in hex digits")))
}

/// A date as people read it.
pub(super) fn date(time: UnixTime) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_base64_or_hex() {
        let md5 = |text| digest::<16>("content_md5", text).ok();
        let empty = [0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0, 0xb2, 4, 0xe9, 0x80, 9, 0x98, 0xec, 0xf8, 0x42, 0x7e];
        assert_eq!(md5("1B2M2Y8AsgTpgAmY7PhCfg=="), Some(empty));
        assert_eq!(md5("d41d8cd98f00b204e9800998ecf8427e"), Some(empty));
        assert_eq!(md5("D41D8CD98F00B204E9800998ECF8427E"), Some(empty));
        for text in
            ["", "1B2M2Y8AsgTpgAmY7PhCfg", "x41d8cd98f00b204e9800998ecf8427e", "+41d8cd98f00b204e9800998ecf8427e"]
        {
            assert_eq!(md5(text), None, "{text}");
        }
    }

    #[test]
    fn dates_have_an_end() {
        assert_eq!(date(UnixTime::from_millis(1_500)), "1970-01-01T00:00:01.5Z");
        assert!(date(UnixTime::from_millis(u64::MAX)).starts_with("9999-12-3"));
    }
}
