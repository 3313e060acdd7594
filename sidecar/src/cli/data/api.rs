//! What the API of data is asked.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use reqwest::Method;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::cli::data::patience::Patience;
use crate::cli::data::signed::Signed;
use crate::cli::server::{self, Client, NoAnswer};

/// A file, and where it is to be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FileAsk {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) organization: String,
    pub(super) project: String,
    pub(super) domain: String,
    pub(super) filename: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) filename_root: String,
    pub(super) content_length: u64,
    pub(super) content_md5: String,
}

/// What is asked for a place.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PlaceAsk {
    #[serde(flatten)]
    pub(super) file: FileAsk,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires_in: Option<String>,
    /// Without it the same file can't come again under a name that was chosen.
    pub(super) add_content_md5_metadata: bool,
    /// Whether the upload can be gone on with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) resumable: bool,
}

/// A request about an upload in parts.
#[derive(Serialize)]
struct PartsOf<'a> {
    #[serde(flatten)]
    file: &'a FileAsk,
    upload_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<PartAsk>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etags: Option<Vec<PartTag<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<&'a str>,
}

#[derive(Serialize)]
struct PartAsk {
    number: u16,
    content_md5: String,
}

#[derive(Serialize)]
struct PartTag<'a> {
    number: u16,
    etag: &'a str,
}

/// An upload in parts that has begun.
#[derive(Debug, Deserialize)]
pub(super) struct Begun {
    pub(super) upload_id: String,
    pub(super) native_url: String,
    pub(super) part_size: u64,
    pub(super) parts: u16,
}

/// A part that can be put.
#[derive(Debug, Deserialize)]
pub(super) struct PartToPut {
    pub(super) number: u16,
    #[serde(flatten)]
    pub(super) request: Signed,
}

/// A part that is there.
#[derive(Debug, Deserialize)]
pub(super) struct PartThere {
    pub(super) number: u16,
    pub(super) size: u64,
    /// What the store calls it, where it says that.
    pub(super) etag: Option<String>,
}

#[derive(Deserialize)]
struct PartList<T> {
    parts: Vec<T>,
}

/// A place for a file.
#[derive(Debug, Deserialize)]
pub(super) struct Place {
    pub(super) native_url: String,
    #[serde(flatten)]
    pub(super) request: Signed,
}

/// What is asked for a link to an object.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum LinkAsk {
    /// Something that a run left behind.
    Artifact {
        artifact: Artifact,
        #[serde(skip_serializing_if = "String::is_empty")]
        organization: String,
        project: String,
        domain: String,
        run: String,
        action: String,
        attempt: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in: Option<String>,
    },
    /// Something that was uploaded.
    Object {
        #[serde(skip_serializing_if = "String::is_empty")]
        organization: String,
        uri: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in: Option<String>,
    },
}

/// What a run leaves behind.
#[derive(Clone, Copy, Debug, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Artifact {
    /// the code that ran
    CodeBundle,
    /// the report of the attempt
    Report,
}

/// A link to an object.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) requests: Vec<Signed>,
    pub(super) size: u64,
    content_md5: Option<String>,
}

/// What commands about data have alike.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// the project's organization, where there are several
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub(super) organization: String,
    /// how long a signed URL shall work, as in `15m`; as long as the server permits where nothing is said
    #[arg(long, value_name = "TIME")]
    pub(super) expires: Option<String>,
    /// print a line of JSON for each file
    #[arg(long)]
    pub(super) json: bool,
    /// show no progress
    #[arg(long)]
    pub(super) quiet: bool,
}

impl<'a> PartsOf<'a> {
    fn new(file: &'a FileAsk, upload_id: &'a str) -> Self {
        Self { file, upload_id, parts: None, etags: None, expires_in: None }
    }
}

impl Link {
    /// The MD5 digest that the server knows the object by.
    pub(super) fn md5(&self) -> Option<[u8; 16]> {
        STANDARD.decode(self.content_md5.as_ref()?).ok()?.try_into().ok()
    }
}

impl Client {
    /// Asks for a place for a file.
    pub(super) async fn place(&self, ask: &PlaceAsk) -> Result<Place, NoAnswer> {
        let refused = match self.post("/v1/data/uploads", ask).await {
            Err(error) if error.status() == Some(400) && ask.content_sha256.is_some() => error,
            outcome => return outcome,
        };
        // Some stores look at MD5 alone.
        let ask = PlaceAsk { content_sha256: None, ..ask.clone() };
        self.post("/v1/data/uploads", &ask).await.map_err(|_| refused)
    }

    /// Begins an upload in parts.
    pub(super) async fn begin_parts(&self, ask: &FileAsk) -> Result<Begun, NoAnswer> {
        self.post("/v1/data/multipart", ask).await
    }

    /// Asks for parts to be signed, each with its MD5 digest.
    pub(super) async fn sign_parts(
        &self,
        file: &FileAsk,
        upload_id: &str,
        parts: &[(u16, [u8; 16])],
        expires_in: Option<&str>,
    ) -> Result<Vec<PartToPut>, NoAnswer> {
        let ask = |(number, md5): &(u16, [u8; 16])| PartAsk { number: *number, content_md5: STANDARD.encode(md5) };
        let parts = Some(parts.iter().map(ask).collect());
        let signed: PartList<PartToPut> = self
            .post("/v1/data/multipart/parts", &PartsOf { parts, expires_in, ..PartsOf::new(file, upload_id) })
            .await?;
        Ok(signed.parts)
    }

    /// Asks which parts are there.
    pub(super) async fn list_parts(&self, file: &FileAsk, upload_id: &str) -> Result<Vec<PartThere>, NoAnswer> {
        let listed: PartList<PartThere> = self.post("/v1/data/multipart/list", &PartsOf::new(file, upload_id)).await?;
        Ok(listed.parts)
    }

    /// Makes a file of the parts, each by what the store calls it.
    pub(super) async fn complete_parts(
        &self,
        file: &FileAsk,
        upload_id: &str,
        etags: &BTreeMap<u16, String>,
    ) -> Result<(), NoAnswer> {
        let etags = etags.iter().map(|(number, etag)| PartTag { number: *number, etag }).collect();
        let ask = PartsOf { etags: Some(etags), ..PartsOf::new(file, upload_id) };
        let _: IgnoredAny = self.post("/v1/data/multipart/complete", &ask).await?;
        Ok(())
    }

    /// Gives an upload in parts up.
    pub(super) async fn abort_parts(&self, file: &FileAsk, upload_id: &str) -> Result<(), NoAnswer> {
        let ask = PartsOf::new(file, upload_id);
        let answer = server::answer(self.request(Method::POST, "/v1/data/multipart/abort").json(&ask)).await?;
        if answer.status.is_success() { Ok(()) } else { Err(NoAnswer::refused(&answer)) }
    }

    /// Asks for a link to an object.
    pub(super) async fn link(&self, ask: &LinkAsk) -> Result<Link, NoAnswer> {
        self.post("/v1/data/downloads", ask).await
    }

    /// Asks, again where the server has too much to do.
    async fn post<T: DeserializeOwned>(&self, path: &str, ask: &impl Serialize) -> Result<T, NoAnswer> {
        let mut patience = Patience::default();
        loop {
            let error = match server::json(self.request(Method::POST, path).json(ask)).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = if error.is_passing() { patience.miss(error.retry_after()) } else { None };
            match wait {
                Some(wait) => sleep(wait).await,
                None => return Err(error),
            }
        }
    }
}
