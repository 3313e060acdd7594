//! What these requests say.

use std::time::Duration;

use axum::body::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::body;
use crate::api::data::place::digest;
use crate::api::problem::Problem;
use crate::data::multipart::{MAX_SIGNED, MultipartAsk, PartAsk, PartTag};

/// The most bytes of a request: the tags of ten thousand parts.
const MAX_BODY: usize = 2 << 20;
/// How long it may take to arrive.
const MAX_TIME: Duration = Duration::from_secs(30);

/// A request that says, beside its own fields, which file it is about.
macro_rules! form {
    ($(#[$about:meta])* $name:ident { $($field:ident: $kind:ty),* $(,)? }) => {
        $(#[$about])*
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name {
            organization: String,
            project: String,
            domain: String,
            filename: String,
            filename_root: String,
            content_length: u64,
            content_md5: Option<String>,
            $(pub(super) $field: $kind,)*
        }

        impl $name {
            /// The file.
            pub(super) fn ask(&self) -> Result<MultipartAsk, Problem> {
                Ok(MultipartAsk {
                    organization: self.organization.clone(),
                    project: self.project.clone(),
                    domain: self.domain.clone(),
                    filename: self.filename.clone(),
                    filename_root: self.filename_root.clone(),
                    content_length: self.content_length,
                    content_md5: self.content_md5.as_deref().map(|text| digest("content_md5", text)).transpose()?,
                })
            }
        }
    };
}

form!(
    /// The request that begins an upload.
    BeginForm {}
);

form!(
    /// The request for parts to put: those that are listed, or so many from one on.
    SignForm {
        upload_id: String,
        parts: Option<Vec<PartForm>>,
        from: Option<u16>,
        count: Option<u16>,
        expires_in: Option<String>,
    }
);

form!(
    /// The request for the parts that are there.
    ListForm { upload_id: String }
);

form!(
    /// The request that ends an upload well.
    CompleteForm { upload_id: String, etags: Option<Vec<TagForm>> }
);

form!(
    /// The request that gives an upload up.
    AbortForm { upload_id: String }
);

/// A part that is to be signed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartForm {
    number: u16,
    content_md5: Option<String>,
}

/// A part that was put.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagForm {
    number: u16,
    #[serde(default)]
    etag: String,
}

impl SignForm {
    /// The parts that are asked for.
    pub(super) fn parts(&self) -> Result<Vec<PartAsk>, Problem> {
        match (&self.parts, self.from, self.count) {
            (Some(parts), None, None) => parts
                .iter()
                .map(|part| {
                    let md5 = part.content_md5.as_deref().map(|text| digest("content_md5", text)).transpose()?;
                    Ok(PartAsk { number: part.number, content_md5: md5 })
                })
                .collect(),
            // One more than may be asked for is enough to be told so.
            (None, Some(from), Some(count)) => Ok((from..=u16::MAX)
                .take(usize::from(count).min(MAX_SIGNED + 1))
                .map(|number| PartAsk { number, content_md5: None })
                .collect()),
            _ => Err(Problem::malformed("say either `parts`, or `from` and `count`")),
        }
    }
}

impl CompleteForm {
    /// What the client says it put.
    pub(super) fn tags(&self) -> Option<Vec<PartTag>> {
        let tags = self.etags.as_ref()?.iter();
        Some(tags.map(|tag| PartTag { number: tag.number, etag: tag.etag.clone() }).collect())
    }
}

/// Reads a request.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Problem> {
    body::parse(&body::bytes_within(body, MAX_BODY, MAX_TIME).await?)
}
