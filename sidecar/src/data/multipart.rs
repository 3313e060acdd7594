//! Files that clients put in parts: for what is too large for one request, or too large to begin anew.
//!
//! Nothing is kept here between the requests about an upload. Each says again what it is about, so that the key is
//! made and the right is looked at each time, and the name of an upload leads to no other key than its own.

mod orphans;
pub mod plan;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::data::audit::{self, ContentDigest, Grant};
use crate::data::caller::Caller;
use crate::data::error::DataError;
use crate::data::multipart::plan::PartPlan;
use crate::data::path::Key;
use crate::data::placement::NamedStore;
use crate::data::service::{DataService, Right, names, short};
use crate::data::settings::{SignedDuration, UploadSettings};
use crate::data::store::multipart::{Completion, Multipart, Part, PartTerms, UploadId};
use crate::data::store::{SignedRequest, StoreError, WriteMode};
use crate::data::upload::{Occupied, UploadAsk, expiry, occupied};

/// The most parts that are signed at a time.
pub const MAX_SIGNED: usize = 100;
/// The longest name of an upload, in bytes.
const MAX_UPLOAD_ID: usize = 1024;
/// The longest `ETag`, in bytes.
const MAX_ETAG: usize = 256;

/// Which file it is. Nothing in it is believed yet.
#[derive(Clone, Debug, Default)]
pub struct MultipartAsk {
    /// The organization, or empty. It is not part of the path.
    pub organization: String,
    /// The project's name.
    pub project: String,
    /// The domain's name.
    pub domain: String,
    /// The file's name; several segments.
    pub filename: String,
    /// What stands before the name; several segments.
    pub filename_root: String,
    /// How many bytes the file has.
    pub content_length: u64,
    /// The MD5 digest of the file, for its metadata. Nobody looks whether it is right.
    pub content_md5: Option<[u8; 16]>,
}

/// An upload that has begun.
#[derive(Clone, Debug)]
pub struct MultipartUpload {
    /// What the store calls it.
    pub id: UploadId,
    /// The raw address that the object will have.
    pub native_url: String,
    /// How the file is to be cut.
    pub plan: PartPlan,
    /// For how long parts are kept at least.
    pub kept: Duration,
}

/// A part that a client wants to put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartAsk {
    /// Which part it is, from 1 on.
    pub number: u16,
    /// The MD5 digest of its bytes.
    pub content_md5: Option<[u8; 16]>,
}

/// A part that a client may put.
#[derive(Clone, Debug)]
pub struct SignedPart {
    /// Which part it is.
    pub number: u16,
    /// The request.
    pub request: SignedRequest,
}

/// A part that a client says it put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartTag {
    /// Which part it is.
    pub number: u16,
    /// The `ETag` of the store's answer.
    pub etag: String,
}

/// A file whose place is known, and the store that it goes into.
struct Target {
    store: NamedStore,
    key: Key,
    plan: PartPlan,
    content_md5: Option<[u8; 16]>,
}

impl DataService {
    /// Begins an upload in parts.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn begin_multipart(&self, caller: &Caller, ask: &MultipartAsk) -> Result<MultipartUpload, DataError> {
        let target = self.target(caller, ask).await?;
        target.occupied().await?;
        let id =
            target.multipart()?.begin(&target.key, target.content_md5).await.map_err(failed("begin the upload"))?;
        target.audit(caller, "multipart-begin", Some(target.plan.size()), None);
        let (native_url, kept) = (target.store.store.uri(&target.key), self.settings.upload.multipart_expires);
        Ok(MultipartUpload { id, native_url, plan: target.plan, kept })
    }

    /// Signs requests that put parts.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn sign_parts(
        &self,
        caller: &Caller,
        ask: &MultipartAsk,
        upload: &str,
        parts: &[PartAsk],
        expires_in: Option<SignedDuration>,
    ) -> Result<Vec<SignedPart>, DataError> {
        let upload = upload_id(upload)?;
        let expires_in = expiry(expires_in, self.settings.upload.max_expires_in)?;
        if !(1..=MAX_SIGNED).contains(&parts.len()) {
            return Err(DataError::Invalid(format!("1 to {MAX_SIGNED} parts are signed at a time")));
        }
        let target = self.target(caller, ask).await?;
        let lengths: Vec<u64> =
            parts.iter().map(|part| target.length(part.number)).collect::<Result<_, DataError>>()?;
        // Better now than when all of them are there.
        target.occupied().await?;
        let multipart = target.multipart()?;
        let mut signed = Vec::with_capacity(parts.len());
        for (part, length) in parts.iter().zip(&lengths) {
            let PartAsk { number, content_md5 } = *part;
            let terms = PartTerms { number, expires_in, content_md5, content_length: Some(*length) };
            let request =
                multipart.sign_part(&target.key, &upload, &terms).await.map_err(failed("create signed URL"))?;
            signed.push(SignedPart { number, request });
        }
        for ((part, length), signed) in parts.iter().zip(lengths).zip(&signed) {
            let expires_at_ms = Some(signed.request.expires_at.as_millis());
            let digest = part.content_md5.map(ContentDigest::Md5);
            target.audit_with(caller, "multipart-part", digest, Some(length), expires_at_ms);
        }
        Ok(signed)
    }

    /// The parts that are there. A store that counts parts alone says that there are none of an upload that it does
    /// not know.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn list_parts(&self, caller: &Caller, ask: &MultipartAsk, upload: &str) -> Result<Vec<Part>, DataError> {
        let upload = upload_id(upload)?;
        let target = self.target(caller, ask).await?;
        target.multipart()?.parts(&target.key, &upload).await.map_err(failed("list the parts"))
    }

    /// Makes the object of the parts that are there; its raw address. Where the client says what it put, it has to
    /// be that. An upload that was completed before may be completed again, where the digest of the file is known.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn complete_multipart(
        &self,
        caller: &Caller,
        ask: &MultipartAsk,
        upload: &str,
        tags: Option<&[PartTag]>,
    ) -> Result<String, DataError> {
        let upload = upload_id(upload)?;
        let target = self.target(caller, ask).await?;
        let (multipart, store) = (target.multipart()?, &target.store.store);
        let occupied = target.occupied().await?;
        let there = match multipart.parts(&target.key, &upload).await {
            Ok(parts) => parts,
            Err(StoreError::NoUpload) => Vec::new(),
            Err(error) => return Err(failed("list the parts")(error)),
        };
        let native_url = store.uri(&target.key);
        if occupied == Occupied::Same {
            // Whoever asks may not have seen the answer. Nobody has looked whether the parts have the digest that was
            // said, so they never take the place of what is there.
            if target.size().await? != Some(target.plan.size()) {
                let text = format!("file already exists at [{native_url}] with different content (size mismatch)");
                return Err(DataError::Exists(text));
            }
            if !there.is_empty() {
                multipart.abort(&target.key, &upload).await.map_err(failed("abort the upload"))?;
            }
            return Ok(native_url);
        }
        if there.is_empty() {
            return Err(DataError::NotFound("there is no such upload, or no part of it".into()));
        }
        let etags = etags(target.plan, &there, tags)?;
        let mode = if self.settings.upload.create_only { WriteMode::Create } else { WriteMode::Replace };
        let completion = Completion { etags: &etags, mode, content_md5: target.content_md5 };
        multipart.complete(&target.key, &upload, &completion).await.map_err(failed("complete the upload"))?;
        // Where the store holds nobody to a length, a part may have been put anew since the parts were looked at.
        let (size, wanted) = (target.size().await?, target.plan.size());
        if size != Some(wanted) {
            // What was made by somebody else meanwhile is not deleted.
            if mode == WriteMode::Create && !store.ties().content_length {
                store.delete(&target.key).await.map_err(failed("delete an object of another size"))?;
            }
            let size = size.unwrap_or_default();
            return Err(DataError::Invalid(format!("the object has {size} bytes, not {wanted}")));
        }
        target.audit(caller, "multipart-complete", size, None);
        Ok(native_url)
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// [`DataError`].
    pub async fn abort_multipart(&self, caller: &Caller, ask: &MultipartAsk, upload: &str) -> Result<(), DataError> {
        let upload = upload_id(upload)?;
        let target = self.target(caller, ask).await?;
        target.multipart()?.abort(&target.key, &upload).await.map_err(failed("abort the upload"))?;
        target.audit(caller, "multipart-abort", None, None);
        Ok(())
    }

    /// Where the file goes, if this caller may put it there.
    async fn target(&self, caller: &Caller, ask: &MultipartAsk) -> Result<Target, DataError> {
        let plan = self.plan(ask)?;
        let (project, domain) = names(&ask.project, &ask.domain)?;
        self.admit(caller, &ask.organization, &project, &domain, Right::Write).await?;
        let place = UploadAsk {
            filename: ask.filename.clone(),
            filename_root: ask.filename_root.clone(),
            ..UploadAsk::default()
        };
        let key = self.upload_key(&project, &domain, &place)?;
        let store = self.store_of(&project, &domain)?;
        let target = Target { store, key, plan, content_md5: ask.content_md5 };
        target.multipart()?;
        Ok(target)
    }

    /// What makes no sense whoever asks.
    fn plan(&self, ask: &MultipartAsk) -> Result<PartPlan, DataError> {
        let UploadSettings { max_size, .. } = self.settings.upload;
        if ask.filename_root.is_empty() || ask.filename.is_empty() {
            return Err(DataError::Invalid(
                "an upload in parts needs filename_root and filename: no store looks whether what comes in parts has \
                 the digest that it would be named by"
                    .into(),
            ));
        }
        let length = ask.content_length;
        if length > max_size {
            return Err(DataError::Invalid(format!(
                "content_length ({length} bytes) exceeds maximum allowed size of {max_size} bytes"
            )));
        }
        PartPlan::new(length)
            .ok_or_else(|| DataError::Invalid(format!("content_length ({length} bytes) can't be put in parts")))
    }
}

impl Target {
    fn multipart(&self) -> Result<&dyn Multipart, DataError> {
        self.store.store.multipart().ok_or_else(|| {
            let text = "this store takes no uploads in parts; ask for an upload that is `resumable`";
            DataError::Invalid(text.into())
        })
    }

    async fn occupied(&self) -> Result<Occupied, DataError> {
        occupied(&*self.store.store, &self.key, self.content_md5.as_ref().map_or(&[], |md5| &md5[..])).await
    }

    /// How many bytes the object has, where there is one.
    async fn size(&self) -> Result<Option<u64>, DataError> {
        let object = self.store.store.head(&self.key).await.map_err(failed("look at the object"))?;
        Ok(object.map(|object| object.size))
    }

    fn length(&self, number: u16) -> Result<u64, DataError> {
        let last = self.plan.parts();
        self.plan
            .length(number)
            .ok_or_else(|| DataError::Invalid(format!("there is no part {number}; parts are 1 to {last}")))
    }

    fn audit(&self, caller: &Caller, event: &'static str, size: Option<u64>, expires_at_ms: Option<u64>) {
        self.audit_with(caller, event, self.content_md5.map(ContentDigest::Md5), size, expires_at_ms);
    }

    fn audit_with(
        &self,
        caller: &Caller,
        event: &'static str,
        digest: Option<ContentDigest>,
        size: Option<u64>,
        expires_at_ms: Option<u64>,
    ) {
        audit::grant(caller, &Grant { event, store: &self.store.name, key: &self.key, digest, size, expires_at_ms });
    }
}

/// What the parts of the file are called by the store, or else by the client, from the first on.
fn etags(plan: PartPlan, there: &[Part], tags: Option<&[PartTag]>) -> Result<Vec<String>, DataError> {
    let there: BTreeMap<u16, &Part> = there.iter().map(|part| (part.number, part)).collect();
    let put: Option<BTreeMap<u16, &str>> =
        tags.map(|tags| tags.iter().map(|tag| (tag.number, tag.etag.as_str())).collect());
    let is_whole = |count: usize| count == usize::from(plan.parts());
    if !tags.is_none_or(|tags| is_whole(tags.len())) || !put.as_ref().is_none_or(|put| is_whole(put.len())) {
        return Err(DataError::Invalid(format!("etags has not each of the {} parts once", plan.parts())));
    }
    (1..=plan.parts())
        .map(|number| {
            let invalid = |text: String| Err(DataError::Invalid(format!("part {number} {text}")));
            let Some(part) = there.get(&number) else { return invalid("is missing".into()) };
            let wanted = plan.length(number).unwrap_or_default();
            if part.size != wanted {
                return invalid(format!("has {} bytes, not {wanted}", part.size));
            }
            let said = match put.as_ref().map(|put| put.get(&number)) {
                None => "",
                Some(Some(etag)) if etag.len() <= MAX_ETAG => etag,
                Some(_) => return invalid("is not in etags, or its ETag is too long".into()),
            };
            match &part.etag {
                Some(own) if !said.is_empty() && said.trim_matches('"') != own.trim_matches('"') => {
                    invalid("is another one than etags says".into())
                }
                Some(own) => Ok(own.clone()),
                None => Ok(said.to_owned()),
            }
        })
        .collect()
}

/// Reads the name of an upload.
fn upload_id(text: &str) -> Result<UploadId, DataError> {
    short("upload_id", text, MAX_UPLOAD_ID)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(DataError::Invalid("upload_id: is no name of an upload".into()));
    }
    Ok(UploadId::new(text.to_owned()))
}

/// What is said where a store did not do it.
fn failed(what: &'static str) -> impl Fn(StoreError) -> DataError {
    move |error| {
        let text = format!("failed to {what}: {error}");
        match DataError::from(error) {
            DataError::Exists(_) => DataError::Exists(text),
            DataError::NotFound(_) => DataError::NotFound(text),
            DataError::Invalid(_) => DataError::Invalid(text),
            DataError::Unavailable(_) => DataError::Unavailable(text),
            _ => DataError::Internal(text),
        }
    }
}

#[cfg(test)]
mod tests;
