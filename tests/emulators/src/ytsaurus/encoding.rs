//! Encodings of bodies: identity and gzip, under whose name zlib comes too.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, header};

/// An encoding that the emulator knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

// === impl Encoding ===

impl Encoding {
    /// The encoding of a body that came; none if it is unknown.
    pub(super) fn of_request(headers: &HeaderMap) -> Option<Self> {
        match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii()) {
            None | Some(b"identity") => Some(Self::Identity),
            Some(b"gzip") => Some(Self::Gzip),
            Some(_) => None,
        }
    }

    /// The encoding of an answer; none if nothing that is accepted is known.
    pub(super) fn of_answer(headers: &HeaderMap) -> Option<Self> {
        let Some(accepted) = headers.get(header::ACCEPT_ENCODING) else { return Some(Self::Identity) };
        let accepted = accepted.to_str().unwrap_or_default();
        let names = accepted.split(',').filter_map(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, ""));
            let is_refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
            (!is_refused).then_some(name.trim())
        });
        let mut best = None;
        for name in names {
            match name {
                "gzip" => return Some(Self::Gzip),
                "identity" | "*" | "" => best = Some(Self::Identity),
                _ => {}
            }
        }
        best
    }

    /// What `Content-Encoding` says about it.
    pub(super) fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
        })
    }

    /// Decodes a body that came.
    pub(super) fn decode(self, body: Vec<u8>) -> std::io::Result<Vec<u8>> {
        if self == Self::Identity {
            return Ok(body);
        }
        let mut decoded = Vec::new();
        // The official client compresses with zlib and says gzip.
        if body.starts_with(&[0x1f, 0x8b]) {
            MultiGzDecoder::new(body.as_slice()).read_to_end(&mut decoded)?;
        } else if !body.is_empty() {
            ZlibDecoder::new(body.as_slice()).read_to_end(&mut decoded)?;
        }
        Ok(decoded)
    }

    /// Encodes an answer.
    pub(super) fn encode(self, body: Vec<u8>) -> Vec<u8> {
        if self == Self::Identity {
            return body;
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Writing into memory does not fail.
        let written = encoder.write_all(&body).and_then(|()| encoder.finish());
        written.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use flate2::write::ZlibEncoder;

    use super::*;

    fn accepted(value: &'static str) -> Option<Encoding> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        Encoding::of_answer(&headers)
    }

    #[test]
    fn picks_what_is_accepted() {
        assert_eq!(accepted("gzip, identity"), Some(Encoding::Gzip));
        assert_eq!(accepted("identity"), Some(Encoding::Identity));
        assert_eq!(accepted("gzip;q=0, identity"), Some(Encoding::Identity));
        assert_eq!(accepted("br, gzip, deflate"), Some(Encoding::Gzip));
        assert_eq!(accepted("br"), None);
        assert_eq!(Encoding::of_answer(&HeaderMap::new()), Some(Encoding::Identity));
    }

    #[test]
    fn reads_gzip_and_zlib_under_one_name() {
        let body = b"a body".to_vec();
        let gzip = Encoding::Gzip.encode(body.clone());
        assert!(gzip.starts_with(&[0x1f, 0x8b]));
        assert_eq!(Encoding::Gzip.decode(gzip).unwrap(), body);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(&body).unwrap();
        let zlib = zlib.finish().unwrap();
        assert!(zlib.starts_with(&[0x78, 0x9c]));
        assert_eq!(Encoding::Gzip.decode(zlib).unwrap(), body);
        assert_eq!(Encoding::Gzip.decode(Vec::new()).unwrap(), b"");
        assert!(Encoding::Gzip.decode(b"not compressed".to_vec()).is_err());
    }
}
