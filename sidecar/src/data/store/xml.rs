//! Uploads in parts as S3 has them, which Google's service takes too: the answers and one body are XML.
//!
//! The sidecar asks with URLs that it signs for itself, so that there is one way to sign. `object_store` would do
//! some of it, but neither lists what is there nor completes under a condition.

pub(crate) mod answer;
pub(crate) mod wire;

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, StatusCode, header};
use taskgate_core::time::UnixTime;

use crate::data::path::{Key, Segments};
use crate::data::store::multipart::{Completion, MAX_PARTS, Multipart, Part, PartTerms, UploadId};
use crate::data::store::object::MD5_METADATA;
use crate::data::store::place::Place;
use crate::data::store::sign::order::{Order, Sender};
use crate::data::store::upload::md5_headers;
use crate::data::store::xml::answer::{exchange, refusal};
use crate::data::store::{SignedRequest, Store, StoreError, UploadTerms, WriteMode};
use crate::http;

/// How long a URL works that the sidecar signs for itself.
pub(crate) const OWN_EXPIRY: Duration = Duration::from_secs(300);
/// How long an exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long a store may take to put an object together.
pub(crate) const COMPLETE_TIMEOUT: Duration = Duration::from_secs(300);
/// The most bytes of an answer: a page of a thousand keys, each as long as it may be.
const MAX_ANSWER: usize = 4 << 20;
/// The most pages of a list that are asked for.
const MAX_PAGES: usize = 1_000;
/// The most unfinished uploads that are told of at a time.
const MAX_UNFINISHED: usize = 5_000;

/// How a service differs from others that take uploads in parts so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// What names of metadata start with: `x-amz-meta-`.
    pub(crate) metadata_prefix: &'static str,
    /// Whether a part's length can be signed.
    pub(crate) ties_length: bool,
    /// Whether an object can be completed on the condition that there is none.
    pub(crate) creates_only: bool,
    /// What the sidecar needs to begin.
    pub(crate) begin: &'static str,
    /// What it needs to list parts.
    pub(crate) parts: &'static str,
    /// What it needs to complete.
    pub(crate) complete: &'static str,
    /// What it needs to abort.
    pub(crate) abort: &'static str,
    /// What it needs to list uploads.
    pub(crate) list: &'static str,
}

/// A bucket of such a service.
#[async_trait]
pub(crate) trait XmlBucket: Store {
    /// How the service differs.
    fn manners(&self) -> &'static Manners;

    /// Where the objects are.
    fn place(&self) -> &Place;

    /// What the sidecar asks with.
    fn client(&self) -> &Client;

    /// Signs a request.
    async fn signed(&self, order: Order<'_>) -> Result<SignedRequest, StoreError>;
}

/// What the sidecar itself asks the service.
struct Question<'a> {
    method: Method,
    /// None: it is about the bucket.
    key: Option<&'a Key>,
    parameters: &'a [(&'a str, &'a str)],
    headers: Vec<(String, String)>,
    body: String,
    timeout: Duration,
    permission: &'static str,
}

/// The client that the sidecar asks stores with.
pub(crate) fn own_client() -> Result<Client, StoreError> {
    http::client(TIMEOUT).map_err(|error| StoreError::Failed(error.to_string()))
}

#[async_trait]
impl<B: XmlBucket> Multipart for B {
    async fn begin(&self, key: &Key, content_md5: Option<[u8; 16]>) -> Result<UploadId, StoreError> {
        let name = format!("{}{MD5_METADATA}", self.manners().metadata_prefix);
        let question = Question {
            headers: content_md5.into_iter().map(|md5| (name.clone(), STANDARD.encode(md5))).collect(),
            ..Question::new(Method::POST, Some(key), &[("uploads", "")], self.manners().begin)
        };
        let begun: wire::Begun = wire::read(&ask(self, question).await?)?;
        Ok(UploadId::new(begun.upload_id))
    }

    async fn sign_part(&self, key: &Key, upload: &UploadId, part: &PartTerms) -> Result<SignedRequest, StoreError> {
        let (number, name) = (part.checked_number()?.to_string(), self.place().name(key));
        let terms = UploadTerms { content_md5: part.content_md5, ..UploadTerms::default() };
        let order = Order {
            parameters: &[("partNumber", &number), ("uploadId", upload.as_str())],
            headers: md5_headers(&terms, ""),
            content_length: part.content_length.filter(|_| self.manners().ties_length),
            ..Order::of_client("PUT", &name, part.expires_in)
        };
        self.signed(order).await
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>, StoreError> {
        let (mut parts, mut after) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let parameters = [("uploadId", upload.as_str()), ("part-number-marker", after.as_str())];
            let parameters = if after.is_empty() { &parameters[..1] } else { &parameters[..] };
            let page: wire::Parts =
                wire::read(&ask(self, Question::new(Method::GET, Some(key), parameters, self.manners().parts)).await?)?;
            let next = page.next().filter(|next| *next != after);
            parts.extend(page.parts());
            match next {
                Some(next) if parts.len() < MAX_PARTS.into() => after = next,
                _ => break,
            }
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    async fn complete(&self, key: &Key, upload: &UploadId, completion: &Completion<'_>) -> Result<(), StoreError> {
        if completion.etags.is_empty() {
            return Err(StoreError::Unsupported("complete an upload that has no parts"));
        }
        let create = completion.mode == WriteMode::Create;
        // Not every service that is called S3 looks at the condition.
        if create && self.head(key).await?.is_some() {
            return Err(StoreError::Exists);
        }
        let condition = (create && self.manners().creates_only).then(|| ("If-None-Match".to_owned(), "*".to_owned()));
        let (permission, parameters) = (self.manners().complete, [("uploadId", upload.as_str())]);
        let question = Question {
            headers: condition.into_iter().collect(),
            body: wire::completion(completion.etags),
            timeout: COMPLETE_TIMEOUT,
            ..Question::new(Method::POST, Some(key), &parameters, permission)
        };
        let answer = ask(self, question).await?;
        // S3 may find out that it can't after it has said that it does.
        if String::from_utf8_lossy(&answer).contains("CompleteMultipartUploadResult") {
            Ok(())
        } else {
            Err(refusal(StatusCode::INTERNAL_SERVER_ERROR, &answer, permission))
        }
    }

    async fn abort(&self, key: &Key, upload: &UploadId) -> Result<(), StoreError> {
        let parameters = [("uploadId", upload.as_str())];
        ask(self, Question::new(Method::DELETE, Some(key), &parameters, self.manners().abort)).await?;
        Ok(())
    }

    async fn unfinished(&self, under: &Segments, before: UnixTime) -> Result<Vec<(Key, UploadId)>, StoreError> {
        let (prefix, mut found) = (self.place().under(under), Vec::new());
        let mut after: Option<(String, String)> = None;
        for _ in 0..MAX_PAGES {
            let mut parameters = vec![("uploads", ""), ("prefix", prefix.as_str())];
            if let Some((key, upload)) = &after {
                parameters.push(("key-marker", key));
                if !upload.is_empty() {
                    parameters.push(("upload-id-marker", upload));
                }
            }
            let question = Question::new(Method::GET, None, &parameters, self.manners().list);
            let page: wire::Uploads = wire::read(&ask(self, question).await?)?;
            let next = page.next();
            let old = page.upload.into_iter().filter(|row| row.begun().is_some_and(|begun| begun < before));
            found.extend(old.filter_map(|row| {
                let key = self.place().key_of(&row.key).filter(|key| key.under(under).is_some())?;
                Some((key, UploadId::new(row.upload_id)))
            }));
            if next.is_none() || next == after || found.len() >= MAX_UNFINISHED {
                break;
            }
            after = next;
        }
        Ok(found)
    }
}

impl<'a> Question<'a> {
    fn new(
        method: Method,
        key: Option<&'a Key>,
        parameters: &'a [(&'a str, &'a str)],
        permission: &'static str,
    ) -> Self {
        Self { method, key, parameters, headers: Vec::new(), body: String::new(), timeout: TIMEOUT, permission }
    }
}

/// Asks, and reads the answer where it is one of success.
async fn ask<B: XmlBucket + ?Sized>(bucket: &B, question: Question<'_>) -> Result<Vec<u8>, StoreError> {
    let Question { method, key, parameters, headers, body, timeout, permission } = question;
    let name = key.map(|key| bucket.place().name(key));
    let order = Order {
        sender: Sender::Sidecar,
        method: method.as_str(),
        name: name.as_deref(),
        expires_in: OWN_EXPIRY,
        parameters,
        headers,
        content_length: None,
    };
    let signed = bucket.signed(order).await?;
    let mut request = bucket.client().request(method.clone(), signed.url.expose()).timeout(timeout);
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    if method == Method::POST && body.is_empty() {
        // Services want it even so, and it is left out otherwise.
        request = request.header(header::CONTENT_LENGTH, 0);
    }
    exchange(request.body(body), MAX_ANSWER, permission).await
}

#[cfg(test)]
mod tests;
