//! Digests in headers: `Content-MD5` (RFC 1864), and `Repr-Digest` and `Content-Digest` (RFC 9530).

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::api::problem::Problem;

/// The digests of a whole object.
pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// The MD5 digest of a body.
pub(super) const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");

/// The one value of a header; none where it is not there.
///
/// # Errors
/// It is there twice, or is no text.
pub(super) fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(|text| Some(text.trim())).map_err(|_| unreadable(name)),
        (Some(_), Some(_)) => Err(unreadable(name)),
    }
}

/// The MD5 digest in a header.
///
/// # Errors
/// It is none.
pub(super) fn md5(headers: &HeaderMap, name: &HeaderName) -> Result<Option<[u8; 16]>, Problem> {
    one(headers, name)?.map(|text| bytes(text).ok_or_else(|| unreadable(name))).transpose()
}

/// The SHA-256 digest that a request promises. Digests of other kinds are passed over, as RFC 9530 has it.
///
/// # Errors
/// It is none, or there are two different ones.
pub(super) fn sha256(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    let mut found = None;
    for name in [REPR_DIGEST, CONTENT_DIGEST] {
        for line in headers.get_all(&name) {
            let line = line.to_str().map_err(|_| unreadable(&name))?;
            let members = line.split(',').map(str::trim);
            for member in members.filter_map(|member| member.strip_prefix("sha-256=")) {
                let text = member.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
                let digest = text.and_then(bytes).ok_or_else(|| unreadable(&name))?;
                if found.is_some_and(|found| found != digest) {
                    return Err(unreadable(&name));
                }
                found = Some(digest);
            }
        }
    }
    Ok(found)
}

/// A SHA-256 digest as `Repr-Digest` has it.
pub(super) fn repr_digest(sha256: &[u8; 32]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(sha256))
}

fn bytes<const COUNT: usize>(text: &str) -> Option<[u8; COUNT]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn unreadable(name: &HeaderName) -> Problem {
    Problem::malformed(format!("`{name}` is not what is expected there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().expect("a value"))).collect()
    }

    const ABC: &str = "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:";

    #[test]
    fn digests_are_read() {
        let abc = *crate::digest::Digest::of(b"abc").as_bytes();
        assert_eq!(repr_digest(&abc), ABC);
        for lines in [
            &[("repr-digest", ABC)][..],
            &[("content-digest", ABC)],
            &[("content-digest", ABC), ("repr-digest", ABC)],
            &[("repr-digest", "sha-512=:AAAA:,  sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:, md5=:x:")],
        ] {
            assert_eq!(sha256(&headers(lines)), Ok(Some(abc)), "{lines:?}");
        }
        assert_eq!(sha256(&headers(&[("repr-digest", "sha-512=:AAAA:")])), Ok(None));
        for line in ["sha-256=", "sha-256=::", "sha-256=:AAAA:", "sha-256=AAAA", "sha-256=:!:"] {
            assert!(sha256(&headers(&[("repr-digest", line)])).is_err(), "{line}");
        }
        let other = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        assert!(sha256(&headers(&[("repr-digest", ABC), ("content-digest", other)])).is_err());

        let read = |lines| md5(&headers(lines), &CONTENT_MD5);
        assert_eq!(read(&[("content-md5", "AQEBAQEBAQEBAQEBAQEBAQ==")]), Ok(Some([1; 16])));
        assert_eq!(read(&[]), Ok(None));
        for text in ["", "AQEB", "AQEBAQEBAQEBAQEBAQEBAQ", "01010101010101010101010101010101"] {
            assert!(md5(&headers(&[("content-md5", text)]), &CONTENT_MD5).is_err(), "{text}");
        }
    }
}
