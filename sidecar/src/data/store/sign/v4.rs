//! Signatures in the query of a URL as Amazon S3 (`SigV4`) and Google Cloud Storage (`V4`) have them, which differ in
//! their names and in how the text is signed in the end.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use taskgate_core::time::UnixTime;

use crate::data::store::endpoint::Endpoint;
use crate::data::store::sign::encode;
use crate::data::store::sign::stamp::{Span, basic, day};
use crate::digest::Digest;

/// The longest that a URL may be used: seven days.
pub(crate) const MAX_SECS: u64 = 7 * 24 * 60 * 60;

/// Whose form of the signature it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// S3 and what is like it.
    Amazon,
    /// Google Cloud Storage.
    Google,
}

/// A request that is to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Request<'a> {
    /// Its method.
    pub(crate) method: &'a str,
    /// Where it goes.
    pub(crate) endpoint: &'a Endpoint,
    /// What follows the path of the endpoint, from its slash on; not encoded.
    pub(crate) path: &'a str,
    /// What the query has besides the signature; not encoded.
    pub(crate) parameters: &'a [(&'a str, &'a str)],
    /// The headers that the client must send so.
    pub(crate) headers: &'a [(String, String)],
}

/// With which right it is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant<'a> {
    /// The name of the key: an access key's id, or a service account.
    pub(crate) key_id: &'a str,
    /// The region; `auto` at Google.
    pub(crate) region: &'a str,
    /// The token of a session, which goes into the query.
    pub(crate) session_token: Option<&'a str>,
    /// How long.
    pub(crate) span: Span,
}

/// A request that only lacks the signature.
#[derive(Clone)]
pub(crate) struct Unsigned {
    url: String,
    to_sign: String,
    dialect: Dialect,
}

impl Dialect {
    fn algorithm(self) -> &'static str {
        match self {
            Self::Amazon => "AWS4-HMAC-SHA256",
            Self::Google => "GOOG4-RSA-SHA256",
        }
    }

    fn name(self, of: &str) -> String {
        match self {
            Self::Amazon => format!("X-Amz-{of}"),
            Self::Google => format!("X-Goog-{of}"),
        }
    }

    fn scope(self, time: UnixTime, region: &str) -> String {
        let day = day(time);
        match self {
            Self::Amazon => format!("{day}/{region}/s3/aws4_request"),
            Self::Google => format!("{day}/{region}/storage/goog4_request"),
        }
    }
}

impl Unsigned {
    /// What has to be signed.
    pub(crate) fn new(dialect: Dialect, request: &Request<'_>, grant: &Grant<'_>) -> Self {
        let (start, scope) = (grant.span.start(), dialect.scope(grant.span.start(), grant.region));
        let (names, headers) = canonical_headers(request);
        let mut parameters: Vec<(String, String)> =
            request.parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parameters.extend([
            (dialect.name("Algorithm"), dialect.algorithm().to_owned()),
            (dialect.name("Credential"), format!("{}/{scope}", grant.key_id)),
            (dialect.name("Date"), basic(start)),
            (dialect.name("Expires"), grant.span.secs().to_string()),
            (dialect.name("SignedHeaders"), names.clone()),
        ]);
        if let Some(token) = grant.session_token {
            parameters.push((dialect.name("Security-Token"), token.to_owned()));
        }
        let mut parameters: Vec<String> =
            parameters.iter().map(|(name, value)| encode::query([(name.as_str(), value.as_str())])).collect();
        // By encoded name, then by encoded value. As one text they would be in another order: `-` is before `=`.
        parameters.sort_by(|one, other| one.split('=').cmp(other.split('=')));
        let (query, path) = (parameters.join("&"), encode::path(&request.endpoint.path(request.path)));
        let canonical = format!("{}\n{path}\n{query}\n{headers}\n{names}\nUNSIGNED-PAYLOAD", request.method);
        let to_sign =
            format!("{}\n{}\n{scope}\n{}", dialect.algorithm(), basic(start), Digest::of(canonical.as_bytes()));
        Self { url: format!("{}{path}?{query}", request.endpoint.origin()), to_sign, dialect }
    }

    /// The text whose signature makes it whole.
    pub(crate) fn to_sign(&self) -> &str {
        &self.to_sign
    }

    /// The URL with this signature.
    pub(crate) fn with_signature(self, signature: &[u8]) -> String {
        format!("{}&{}={}", self.url, self.dialect.name("Signature"), hex(signature))
    }
}

/// The HMAC with which Amazon's text is signed.
pub(crate) fn amazon_signature(secret: &str, grant: &Grant<'_>, to_sign: &str) -> Vec<u8> {
    let day = day(grant.span.start());
    let parts = [day.as_str(), grant.region, "s3", "aws4_request", to_sign];
    parts.into_iter().fold(format!("AWS4{secret}").into_bytes(), |key, part| hmac(&key, part.as_bytes()))
}

/// An HMAC with SHA-256.
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The names of the headers that are signed, and the headers, each with its line end; both with `host`.
fn canonical_headers(request: &Request<'_>) -> (String, String) {
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| {
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            (name.to_ascii_lowercase(), words.join(" "))
        })
        .collect();
    headers.push(("host".to_owned(), request.endpoint.authority().to_owned()));
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    (names.join(";"), lines)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
