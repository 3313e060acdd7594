//! What every service's signed upload has alike.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::data::store::UploadTerms;
use crate::data::store::object::MD5_METADATA;

/// `Content-MD5`, and the same as metadata with the service's prefix (`x-amz-meta-`), in the spelling that Flyte's
/// SDK merges with its own headers: it goes by letter case.
pub(crate) fn md5_headers(terms: &UploadTerms, metadata_prefix: &str) -> Vec<(String, String)> {
    let Some(md5) = terms.content_md5 else { return Vec::new() };
    let md5 = STANDARD.encode(md5);
    let mut headers = vec![("Content-MD5".to_owned(), md5.clone())];
    if terms.md5_metadata {
        headers.push((format!("{metadata_prefix}{MD5_METADATA}"), md5));
    }
    headers
}
