//! Signed URLs of objects in the local store: whoever has one may do one thing with one object, for a while.
//!
//! What may be done stands in the query, readable, under names that start with `tg-`. Its last parameter is an
//! HMAC-SHA-256 (RFC 2104) of everything before it, byte for byte, and of who signed it:
//!
//! ```text
//! taskgate-url-1 \n audience \n path ? tg-method=… & tg-expires=… & … & tg-key=…      (& tg-signature=…)
//! ```
//!
//! The host is not signed, so an installation may have several names. The parameters have one order, each stands
//! there once at most, and there are no others: nothing is brought into another form before it is verified, so no
//! two readers can differ over what was signed. Values are digits, or base64 without padding (RFC 4648, section
//! 5), which no client re-encodes on the way.
//!
//! Anyone who sees such a URL may use it. Its query belongs into no log.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::key::{KeyRing, Purpose};
use crate::time::UnixTime;

/// The longest path and query that is looked at, in bytes.
pub const MAX_URL: usize = 8 << 10;
/// The longest audience, in bytes.
pub const MAX_AUDIENCE: usize = 64;

/// What the path of an object starts with, before its store's name.
pub const OBJECTS: &str = "/v1/data/objects/";

/// What stands before all that is signed: no other use of the key begins so.
const CONTEXT: &[u8] = b"taskgate-url-1\n";
const METHOD: &str = "tg-method";
const UPLOAD: &str = "tg-upload";
const EXPIRES: &str = "tg-expires";
const SIZE: &str = "tg-size";
const MAX_SIZE: &str = "tg-max-size";
const MD5: &str = "tg-md5";
const SHA256: &str = "tg-sha256";
const CREATE: &str = "tg-create";
const MD5_METADATA: &str = "tg-md5-metadata";
const DISPOSITION: &str = "tg-disposition";
const TYPE: &str = "tg-type";
const KEY: &str = "tg-key";
const SIGNATURE: &str = "tg-signature";
/// All parameters, in their order.
const ORDER: [&str; 13] =
    [METHOD, UPLOAD, EXPIRES, SIZE, MAX_SIZE, MD5, SHA256, CREATE, MD5_METADATA, DISPOSITION, TYPE, KEY, SIGNATURE];

/// What may be done with the object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignedMethod {
    /// It may be read: `GET` and `HEAD`.
    #[default]
    Get,
    /// It may be written: `PUT`.
    Put,
    /// It may be written bit by bit, by one upload that can be resumed (`POST`, `HEAD`, `PATCH`, `DELETE` and
    /// `OPTIONS`, as tus has them). What is signed is `PATCH` and the upload's id, which is random: so no two URLs
    /// lead to one upload.
    Resume([u8; 16]),
}

/// What a signed URL permits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The installation that signs it: 1 to [`MAX_AUDIENCE`] visible ASCII characters. It is signed, but not in
    /// the URL.
    pub audience: &'a str,
    /// What may be done.
    pub method: SignedMethod,
    /// The path, percent-encoded, exactly as it is sent.
    pub path: &'a str,
    /// From when on it may not be used any more. Whole seconds; what is beyond them is cut off.
    pub expires: UnixTime,
    /// How many bytes must be written, exactly.
    pub size: Option<u64>,
    /// How many bytes may be written at most.
    pub max_size: Option<u64>,
    /// The MD5 digest that the bytes must have.
    pub md5: Option<[u8; 16]>,
    /// The SHA-256 digest that the bytes must have.
    pub sha256: Option<[u8; 32]>,
    /// Whether nothing may be there yet.
    pub create_only: bool,
    /// Whether the MD5 digest becomes metadata of the object.
    pub md5_metadata: bool,
    /// The `Content-Disposition` of the answer.
    pub content_disposition: Option<String>,
    /// The `Content-Type` of the answer.
    pub content_type: Option<String>,
}

/// Why a URL was not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignError {
    /// The audience is empty, too long, or not visible ASCII.
    #[error("an audience must be 1 to {MAX_AUDIENCE} visible ASCII characters")]
    Audience,
    /// The ring is empty.
    #[error("key ring has no key to sign with")]
    NoKey,
    /// The path is not one that can be sent.
    #[error("a signed path must start with `/`, be percent-encoded, and have no query")]
    Path,
    /// It would be longer than is ever verified.
    #[error("a signed URL would have more than {MAX_URL} bytes")]
    TooLong,
}

/// Why a signed URL is refused. No text has anything of the URL in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignedUrlError {
    /// It is too late.
    // With the words by which Flyte's SDK knows that it should ask for another URL.
    #[error("the request has expired: the signed URL was good until an earlier time")]
    Expired,
    /// It is not what was signed.
    #[error("the URL's signature is wrong: path or query are not as they were signed, or for another installation")]
    Forged,
    /// Its query is none that was ever signed here.
    #[error("the signed URL is not complete, or has something in its query that does not belong there")]
    Malformed,
    /// It has no signature.
    #[error("this path needs a signed URL")]
    NotSigned,
    /// It names a key that is not in the ring: one that was dropped, or one that has not arrived yet.
    #[error("the URL was signed with a key that is not known here")]
    UnknownKey,
    /// It is for another method.
    #[error("the URL was signed for another method")]
    WrongMethod,
}

impl SignedMethod {
    /// Whether a request with that method may be made.
    #[must_use]
    pub fn permits(self, method: &[u8]) -> bool {
        permitted(self.as_str()).contains(&method)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Resume(_) => "PATCH",
        }
    }

    const fn upload(self) -> Option<[u8; 16]> {
        match self {
            Self::Get | Self::Put => None,
            Self::Resume(upload) => Some(upload),
        }
    }
}

/// Whether URLs can be signed for an installation of that name.
#[must_use]
pub fn is_audience(text: &str) -> bool {
    (1..=MAX_AUDIENCE).contains(&text.len()) && is_visible(text)
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Signs a URL; what comes back is its query, without the `?`.
///
/// # Errors
/// [`SignError`].
pub fn sign(ring: &KeyRing, claims: &Claims<'_>) -> Result<String, SignError> {
    if !is_audience(claims.audience) {
        return Err(SignError::Audience);
    }
    if !claims.path.starts_with('/') || !is_visible(claims.path) || claims.path.contains(['?', '#']) {
        return Err(SignError::Path);
    }
    let (key, secret) = ring.current(Purpose::Url).ok_or(SignError::NoKey)?;
    let mut query = Query::default();
    query.add(METHOD, claims.method.as_str());
    query.add_some(UPLOAD, claims.method.upload().map(|upload| URL_SAFE_NO_PAD.encode(upload)));
    query.add(EXPIRES, &(claims.expires.as_millis() / 1000).to_string());
    query.add_some(SIZE, claims.size.map(|size| size.to_string()));
    query.add_some(MAX_SIZE, claims.max_size.map(|size| size.to_string()));
    query.add_some(MD5, claims.md5.map(|digest| URL_SAFE_NO_PAD.encode(digest)));
    query.add_some(SHA256, claims.sha256.map(|digest| URL_SAFE_NO_PAD.encode(digest)));
    query.add_some(CREATE, claims.create_only.then_some("1"));
    query.add_some(MD5_METADATA, claims.md5_metadata.then_some("1"));
    query.add_some(DISPOSITION, claims.content_disposition.as_ref().map(|text| URL_SAFE_NO_PAD.encode(text)));
    query.add_some(TYPE, claims.content_type.as_ref().map(|text| URL_SAFE_NO_PAD.encode(text)));
    query.add(KEY, key.as_str());
    let (audience, path) = (claims.audience.as_bytes(), claims.path.as_bytes());
    let signed = [CONTEXT, audience, b"\n", path, b"?", query.0.as_bytes()];
    let signature = secret.sign(&signed).ok_or(SignError::NoKey)?;
    query.add(SIGNATURE, &signature);
    let length = claims.path.len().saturating_add(query.0.len());
    if length < MAX_URL { Ok(query.0) } else { Err(SignError::TooLong) }
}

/// Verifies a signed URL, by its path and query exactly as they were sent; what it permits.
///
/// # Errors
/// [`SignedUrlError`]. Only a URL that was signed here is called expired or for another method.
pub fn verify<'a>(
    ring: &KeyRing,
    audience: &'a str,
    method: &[u8],
    path_and_query: &'a [u8],
    now: UnixTime,
) -> Result<Claims<'a>, SignedUrlError> {
    let url = Url::read(path_and_query)?;
    let found = Parameters::read(url.query).ok_or(SignedUrlError::Malformed)?;
    url.authenticate(ring, audience)?;
    let claims = found.claims(audience, url.path).ok_or(SignedUrlError::Malformed)?;
    in_force(claims.method.as_str(), claims.expires, method, now)?;
    Ok(claims)
}

/// Whether a request may be made with a signed URL, and nothing of what else it is tied to: that is for whoever
/// [verifies](verify) it again and has the object.
///
/// # Errors
/// As of [`verify`].
pub fn check(
    ring: &KeyRing,
    audience: &str,
    method: &[u8],
    path_and_query: &[u8],
    now: UnixTime,
) -> Result<(), SignedUrlError> {
    let url = Url::read(path_and_query)?;
    url.authenticate(ring, audience)?;
    let (signed, expires) =
        url.value(METHOD).zip(url.value(EXPIRES).and_then(time)).ok_or(SignedUrlError::Malformed)?;
    in_force(signed, expires, method, now)
}

fn in_force(signed: &str, expires: UnixTime, method: &[u8], now: UnixTime) -> Result<(), SignedUrlError> {
    if !permitted(signed).contains(&method) {
        Err(SignedUrlError::WrongMethod)
    } else if now >= expires {
        Err(SignedUrlError::Expired)
    } else {
        Ok(())
    }
}

/// The methods that a URL permits which is signed for one.
fn permitted(signed: &str) -> &'static [&'static [u8]] {
    match signed {
        "GET" => &[b"GET", b"HEAD"],
        "PUT" => &[b"PUT"],
        "PATCH" => &[b"POST", b"HEAD", b"PATCH", b"DELETE", b"OPTIONS"],
        _ => &[],
    }
}

/// A URL with a signature, as it came.
#[derive(Clone, Copy)]
struct Url<'a> {
    path: &'a str,
    query: &'a str,
    /// What was signed: all that stands before the last parameter, which is the signature.
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Url<'a> {
    fn read(path_and_query: &'a [u8]) -> Result<Self, SignedUrlError> {
        if path_and_query.len() > MAX_URL || !path_and_query.iter().all(u8::is_ascii_graphic) {
            return Err(SignedUrlError::Malformed);
        }
        let text = core::str::from_utf8(path_and_query).map_err(|_| SignedUrlError::Malformed)?;
        let Some((path, query)) = text.split_once('?') else { return Err(SignedUrlError::NotSigned) };
        if !query.split('&').any(|parameter| parameter.starts_with(SIGNATURE)) {
            return Err(SignedUrlError::NotSigned);
        }
        let (signed, last) = text.rsplit_once('&').ok_or(SignedUrlError::Malformed)?;
        let signature = last.strip_prefix(SIGNATURE).and_then(|rest| rest.strip_prefix('='));
        Ok(Self { path, query, signed, signature: signature.ok_or(SignedUrlError::Malformed)? })
    }

    /// Whether it was signed here. What was has every parameter once and in its place.
    fn authenticate(&self, ring: &KeyRing, audience: &str) -> Result<(), SignedUrlError> {
        let key = self.value(KEY).ok_or(SignedUrlError::Malformed)?;
        let secret = ring.find(key, Purpose::Url).ok_or(SignedUrlError::UnknownKey)?;
        let parts = [CONTEXT, audience.as_bytes(), b"\n", self.signed.as_bytes()];
        if secret.verifies(&parts, self.signature) { Ok(()) } else { Err(SignedUrlError::Forged) }
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.query.split('&').find_map(|parameter| parameter.strip_prefix(name)?.strip_prefix('='))
    }
}

/// A query that is being made.
#[derive(Default)]
struct Query(String);

impl Query {
    fn add(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(value);
    }

    fn add_some(&mut self, name: &str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.add(name, value.as_ref());
        }
    }
}

/// The parameters of a query, each under its place in [`ORDER`].
struct Parameters<'a>([Option<&'a str>; ORDER.len()]);

impl<'a> Parameters<'a> {
    /// Reads a query that has the parameters it may have, in their order, and nothing else.
    fn read(query: &'a str) -> Option<Self> {
        let mut found = [None; ORDER.len()];
        let mut left = found.iter_mut().zip(ORDER);
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=')?;
            // Looking on from where the last one was, neither a repeated nor an unknown name is found.
            let (place, _) = left.find(|(_, known)| *known == name)?;
            *place = Some(value);
        }
        Some(Self(found))
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().zip(ORDER).find(|(_, known)| *known == name).and_then(|(value, _)| *value)
    }

    fn method(&self) -> Option<SignedMethod> {
        match (self.value(METHOD)?, self.value(UPLOAD)) {
            ("GET", None) => Some(SignedMethod::Get),
            ("PUT", None) => Some(SignedMethod::Put),
            ("PATCH", Some(upload)) => bytes(upload).map(SignedMethod::Resume),
            _ => None,
        }
    }

    fn claims(&self, audience: &'a str, path: &'a str) -> Option<Claims<'a>> {
        Some(Claims {
            audience,
            method: self.method()?,
            path,
            expires: time(self.value(EXPIRES)?)?,
            size: self.read_with(SIZE, number)?,
            max_size: self.read_with(MAX_SIZE, number)?,
            md5: self.read_with(MD5, bytes)?,
            sha256: self.read_with(SHA256, bytes)?,
            create_only: self.read_with(CREATE, flag)?.is_some(),
            md5_metadata: self.read_with(MD5_METADATA, flag)?.is_some(),
            content_disposition: self.read_with(DISPOSITION, words)?,
            content_type: self.read_with(TYPE, words)?,
        })
    }

    /// A parameter's value, where it is there. The outer none: it is there and can't be read.
    #[expect(clippy::option_option, reason = "absent is well, unreadable is not")]
    fn read_with<T>(&self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
        match self.value(name) {
            Some(value) => read(value).map(Some),
            None => Some(None),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    // `parse` would take a sign, which is never signed.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Whole seconds since 1970.
fn time(text: &str) -> Option<UnixTime> {
    number(text).map(|seconds| UnixTime::from_millis(seconds.saturating_mul(1000)))
}

fn flag(text: &str) -> Option<()> {
    (text == "1").then_some(())
}

fn words(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn bytes<const COUNT: usize>(text: &str) -> Option<[u8; COUNT]> {
    let mut output = [0; COUNT];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut output).ok()?;
    (length == COUNT).then_some(output)
}

#[cfg(test)]
mod tests;
