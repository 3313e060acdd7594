//! The headers of tus.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use crate::api::objects::digests::one;
use crate::api::objects::put;
use crate::api::problem::Problem;
use crate::data::store::local::{Chunk, ChunkDigest};

pub(super) const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
pub(super) const EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
pub(super) const MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
pub(super) const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");
pub(super) const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(super) const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const VERSION: HeaderName = HeaderName::from_static("tus-version");

const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
/// What is not offered, and would make an object of something else than was meant.
const NOT_TAKEN: [HeaderName; 2] =
    [HeaderName::from_static("upload-concat"), HeaderName::from_static("upload-defer-length")];
/// The content type of bytes.
const BYTES: &str = "application/offset+octet-stream";

/// How many bytes an upload will have.
///
/// # Errors
/// It is not said, or in a way that is not taken here.
pub(super) fn creation(headers: &HeaderMap) -> Result<u64, Problem> {
    match NOT_TAKEN.iter().find(|name| headers.contains_key(*name)) {
        Some(name) => Err(Problem::malformed(format!("`{name}` is not taken here"))),
        None => number(headers, &UPLOAD_LENGTH),
    }
}

/// What a request says of the bytes that it brings.
///
/// # Errors
/// They are of a kind that is not taken here, or it makes no sense.
pub(super) fn chunk(headers: &HeaderMap, offset: u64) -> Result<Chunk, Problem> {
    if one(headers, &header::CONTENT_TYPE)? != Some(BYTES) {
        let detail = format!("bytes of an upload are sent with `content-type: {BYTES}`");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type-unsupported", detail));
    }
    put::plain(headers)?;
    let digest = one(headers, &UPLOAD_CHECKSUM)?.map(ChunkDigest::parse).transpose();
    let length = one(headers, &header::CONTENT_LENGTH)?.and_then(|text| text.parse().ok());
    Ok(Chunk { offset, length, digest: digest.map_err(|error| Problem::malformed(error.to_string()))? })
}

/// A number in a header that must be there.
///
/// # Errors
/// It is not there, or no number.
pub(super) fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Problem> {
    let text = one(headers, name)?.ok_or_else(|| Problem::malformed(format!("`{name}` is missing")))?;
    // `parse` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    digits.ok_or_else(|| Problem::malformed(format!("`{name}` is no number of bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn lengths_are_said_at_once() {
        let read = |lines: &[_]| creation(&headers(lines)).map_err(|problem| problem.status().as_u16());
        assert_eq!(read(&[(UPLOAD_LENGTH, "0")]), Ok(0));
        assert_eq!(read(&[(UPLOAD_LENGTH, "18446744073709551615")]), Ok(u64::MAX));
        assert_eq!(read(&[]), Err(400));
        for text in ["", "-1", "+1", "1.5", "0x1", "1 2", "18446744073709551616"] {
            assert_eq!(read(&[(UPLOAD_LENGTH, text)]), Err(400), "{text}");
        }
        for name in NOT_TAKEN {
            assert_eq!(read(&[(UPLOAD_LENGTH, "5"), (name.clone(), "1")]), Err(400), "{name}");
        }
    }

    #[test]
    fn bytes_are_of_one_kind() {
        let read = |lines: &[_]| {
            let read = chunk(&headers(lines), 7).map_err(|problem| problem.status().as_u16());
            read.map(|chunk| (chunk.offset, chunk.length, chunk.digest.is_some()))
        };
        let kind = (header::CONTENT_TYPE, BYTES);
        let digest = (UPLOAD_CHECKSUM, "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
        assert_eq!(read(std::slice::from_ref(&kind)), Ok((7, None, false)));
        assert_eq!(read(&[kind.clone(), (header::CONTENT_LENGTH, "5"), digest]), Ok((7, Some(5), true)));
        assert_eq!(read(&[kind.clone(), (UPLOAD_CHECKSUM, "crc32 AAAA")]), Err(400));
        assert_eq!(read(&[kind, (header::CONTENT_ENCODING, "gzip")]), Err(415));
        assert_eq!(read(&[(header::CONTENT_TYPE, "application/octet-stream")]), Err(415));
        assert_eq!(read(&[]), Err(415));
    }
}
