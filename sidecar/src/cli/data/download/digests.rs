//! Which digests an object must have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::cli::data::api::Link;
use crate::cli::data::download::part::Part;

/// What the name of the metadata ends with in which Flyte keeps an object's MD5 digest, before it the store's own.
const MD5_METADATA: &str = "-meta-flytecontentmd5";

/// The digests that an object must have, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Digests {
    md5: Vec<[u8; 16]>,
    sha256: Vec<[u8; 32]>,
}

impl Digests {
    /// What the server knows.
    pub(super) fn of(link: &Link) -> Self {
        Self { md5: link.md5().into_iter().collect(), sha256: Vec::new() }
    }

    /// What the store's answer says besides.
    pub(super) fn read(&mut self, status: StatusCode, headers: &HeaderMap) {
        for (name, value) in headers {
            let Ok(value) = value.to_str() else { continue };
            match name.as_str() {
                // Of a part it is the part's own.
                "content-md5" if status == StatusCode::OK => self.md5.extend(decoded(value)),
                "x-ms-blob-content-md5" => self.md5.extend(decoded(value)),
                "x-goog-hash" => {
                    let named = value.split(',').filter_map(|hash| hash.trim().strip_prefix("md5="));
                    self.md5.extend(named.filter_map(decoded));
                }
                "repr-digest" => {
                    let named = value.split(',').filter_map(|digest| digest.trim().strip_prefix("sha-256=:"));
                    self.sha256.extend(named.filter_map(|digest| decoded(digest.strip_suffix(':')?)));
                }
                name if name.ends_with(MD5_METADATA) => self.md5.extend(decoded(value)),
                _ => {}
            }
        }
    }

    /// The digests that are known, by their names.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let md5 = (!self.md5.is_empty()).then_some("md5");
        let sha256 = (!self.sha256.is_empty()).then_some("sha-256");
        md5.into_iter().chain(sha256).collect()
    }

    /// Why what arrived is not the object; none where it is.
    pub(super) fn differ(&self, part: &Part, size: u64) -> Option<String> {
        let differ = |what: &str| Some(format!("what arrived is not the object: its {what} is another; try again"));
        let (md5, sha256) = (part.md5(), part.sha256());
        if part.length() != size {
            return differ("size");
        }
        if self.md5.iter().any(|known| *known != md5) {
            return differ("MD5 digest");
        }
        if self.sha256.iter().any(|known| *known != sha256) {
            return differ("SHA-256 digest");
        }
        None
    }
}

fn decoded<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const MD5: &str = "AAAAAAAAAAAAAAAAAAAAAA==";
    const SHA256: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn read(status: StatusCode, name: &str, value: &str) -> Vec<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::try_from(name).expect("a name"), HeaderValue::from_str(value).expect("a value"));
        let mut digests = Digests::default();
        digests.read(status, &headers);
        digests.names()
    }

    #[test]
    fn every_store_has_its_way_to_say_a_digest() {
        for name in [
            "Content-MD5",
            "x-ms-blob-content-md5",
            "x-amz-meta-flytecontentmd5",
            "x-goog-meta-flyteContentMD5",
            "x-ms-meta-flyteContentMD5",
            "x-taskgate-meta-flyteContentMD5",
        ] {
            assert_eq!(read(StatusCode::OK, name, MD5), ["md5"], "{name}");
            assert!(read(StatusCode::OK, name, "x").is_empty() && read(StatusCode::OK, name, SHA256).is_empty());
        }
        assert_eq!(read(StatusCode::OK, "x-goog-hash", &format!("crc32c=AAAAAA==, md5={MD5}")), ["md5"]);
        assert_eq!(read(StatusCode::OK, "repr-digest", &format!("md5=:x:, sha-256=:{SHA256}:")), ["sha-256"]);
        assert!(read(StatusCode::PARTIAL_CONTENT, "content-md5", MD5).is_empty(), "it is the part's");
        assert_eq!(read(StatusCode::PARTIAL_CONTENT, "x-amz-meta-flytecontentmd5", MD5), ["md5"]);
        assert!(read(StatusCode::OK, "etag", MD5).is_empty());
    }
}
