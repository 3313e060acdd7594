//! `taskgate upload`.

mod parts;
mod tus;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use futures_util::{StreamExt as _, stream};
use indicatif::ProgressBar;
use reqwest::Method;
use reqwest::header::CONTENT_LENGTH;
use serde_json::json;
use tokio::time::sleep;

use crate::cli::data::api::{Common, FileAsk, LinkAsk, Place, PlaceAsk};
use crate::cli::data::bars::Bars;
use crate::cli::data::patience::Patience;
use crate::cli::data::signed::{self, Failure};
use crate::cli::data::source::Source;
use crate::cli::data::upload::parts::{Parts, Sending};
use crate::cli::server::{Client, NoAnswer, Server};
use crate::tasks::operations::words;

/// How many files are uploaded at one time.
const FILES_AT_ONCE: usize = 4;
/// From how many bytes on a file is not sent by one request, where there is another way: what breaks is gone on with.
const LARGE: u64 = 64 << 20;
/// The most characters of a path or an error.
const MAX_WORDS: usize = 4_000;

/// Uploads files, and prints the address of each.
#[derive(Debug, Args)]
pub(in crate::cli) struct Upload {
    #[command(flatten)]
    server: Server,
    /// the project that the files are for
    #[arg(long, value_name = "NAME")]
    project: String,
    /// the project's domain
    #[arg(long, value_name = "NAME")]
    domain: String,
    /// what the files are kept under in place of their digests: under one such name a file of other content is refused
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    root: String,
    #[command(flatten)]
    common: Common,
    /// the files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// What uploads files.
struct Uploader<'a> {
    upload: &'a Upload,
    client: Client,
    sender: reqwest::Client,
    bars: Bars,
}

/// A file that is there.
struct Uploaded {
    native_url: String,
    source: Source,
}

/// How a file is sent.
enum Way {
    /// By one request.
    Once(Place),
    /// In parts.
    Parts(Parts),
    /// By one request after the other, each of which goes on where the last one ended.
    Tus(Place),
}

impl Upload {
    /// Runs the command.
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        super::run(self.upload())
    }

    async fn upload(self) -> anyhow::Result<ExitCode> {
        let bars = Bars::new(self.common.quiet);
        let uploader = Uploader { client: self.server.client()?, sender: signed::sender()?, upload: &self, bars };
        let mut outcomes =
            stream::iter(&self.files).map(async |path| (path, uploader.file(path).await)).buffered(FILES_AT_ONCE);
        let mut code = ExitCode::SUCCESS;
        while let Some((path, outcome)) = outcomes.next().await {
            if outcome.is_err() {
                code = ExitCode::FAILURE;
            }
            uploader.tell(path, outcome)?;
        }
        Ok(code)
    }
}

impl Uploader<'_> {
    /// Says what came of a file.
    fn tell(&self, path: &Path, outcome: anyhow::Result<Uploaded>) -> anyhow::Result<()> {
        let file = path.to_string_lossy();
        let uploaded = match outcome {
            Ok(uploaded) => uploaded,
            Err(error) => {
                let error = words::line(&format!("{error:#}"), MAX_WORDS);
                if self.upload.common.json {
                    self.bars.line(&json!({"file": file, "error": error}).to_string())?;
                }
                self.bars.error(&format!("taskgate: {}: {error}", words::line(&file, MAX_WORDS)));
                return Ok(());
            }
        };
        let Uploaded { native_url, source } = uploaded;
        if !self.upload.common.json {
            return self.bars.line(&native_url);
        }
        let line = json!({
            "file": file, "native_url": native_url, "size": source.size,
            "content_md5": STANDARD.encode(source.md5), "content_sha256": STANDARD.encode(source.sha256),
        });
        self.bars.line(&line.to_string())
    }

    async fn file(&self, path: &Path) -> anyhow::Result<Uploaded> {
        let bar = self.bars.file(path);
        bar.set_message("taking its digests");
        let source = Source::open(path, &bar).await;
        bar.set_message("");
        let uploaded = match source {
            Ok(source) => self.put(&source, &bar).await.map(|native_url| Uploaded { native_url, source }),
            Err(error) => Err(error),
        };
        bar.finish_and_clear();
        uploaded
    }

    /// Puts a file until it is there; its address.
    async fn put(&self, source: &Source, bar: &ProgressBar) -> anyhow::Result<String> {
        let mut way = self.way(source).await?;
        let put = self.put_by(&mut way, source, bar).await;
        if let (Err(_), Way::Parts(parts)) = (&put, &way) {
            parts.give_up(&self.client).await;
        }
        put
    }

    async fn put_by(&self, way: &mut Way, source: &Source, bar: &ProgressBar) -> anyhow::Result<String> {
        let (mut patience, mut is_first, mut kept) = (Patience::default(), true, 0);
        loop {
            let before = kept;
            let Err(failure) = self.send(way, source, bar, &mut kept).await else {
                return Ok(way.native_url().to_owned());
            };
            if kept > before {
                patience.gained();
            }
            if let Some(fault) = source.fault() {
                bail!("{fault}");
            }
            let is_spent = matches!(failure, Failure::Over(_) | Failure::Taken(_));
            // What was said about an earlier attempt may have been lost on the way.
            let may_be_there = matches!(failure, Failure::Taken(_)) || !is_first;
            if may_be_there && self.is_there(way.native_url(), source).await {
                return Ok(way.native_url().to_owned());
            }
            is_first = false;
            let asked = match &failure {
                Failure::Final(words) => bail!("{words}"),
                Failure::Passing(_, asked) => *asked,
                Failure::Done | Failure::Over(_) | Failure::Taken(_) => None,
            };
            let Some(wait) = patience.miss(asked) else { bail!("{}", failure.into_words()) };
            sleep(wait).await;
            if is_spent {
                if let Way::Parts(parts) = way {
                    parts.give_up(&self.client).await;
                }
                // Where something else is there, that says so.
                (*way, kept) = (self.way(source).await?, 0);
            }
        }
    }

    async fn send(&self, way: &mut Way, source: &Source, bar: &ProgressBar, kept: &mut u64) -> Result<(), Failure> {
        let place = match way {
            Way::Once(place) => place,
            Way::Tus(place) => return tus::send(place, source, &self.sender, bar, kept).await,
            Way::Parts(parts) => {
                let (client, sender) = (&self.client, &self.sender);
                let expires = self.upload.common.expires.as_deref();
                return parts.send(&Sending { client, sender, source, bar, expires }, kept).await;
            }
        };
        bar.set_position(0);
        let request = place.request.request(&self.sender, Method::PUT)?;
        let body = source.body(0, source.size, bar);
        place.request.send(request.header(CONTENT_LENGTH, source.size).body(body), bar).await?;
        Ok(())
    }

    /// How a file can be sent: the first of the ways that the server offers.
    async fn way(&self, source: &Source) -> anyhow::Result<Way> {
        let ask = self.ask(source);
        let way = match self.large(&ask, source).await {
            Some(way) => way?,
            None => Way::Once(self.client.place(&ask).await?),
        };
        // A terminal does what it reads.
        if way.native_url().chars().any(char::is_control) {
            bail!("the server gave an address that can't be printed");
        }
        Ok(way)
    }

    /// How a large file can be sent; none where it is none, or there is no such way.
    async fn large(&self, ask: &PlaceAsk, source: &Source) -> Option<Result<Way, NoAnswer>> {
        if source.size < LARGE {
            return None;
        }
        let is_not_offered = |error: &NoAnswer| error.status() == Some(400);
        match self.client.place(&PlaceAsk { resumable: true, ..ask.clone() }).await {
            Err(error) if is_not_offered(&error) => {}
            place => return Some(place.map(Way::Tus)),
        }
        // No store looks whether what comes in parts has the digest that it would be named by.
        if ask.file.filename_root.is_empty() {
            return None;
        }
        match Parts::begin(&self.client, ask.file.clone()).await {
            Err(error) if is_not_offered(&error) => None,
            parts => Some(parts.map(Way::Parts)),
        }
    }

    /// Whether the same bytes are there.
    async fn is_there(&self, uri: &str, source: &Source) -> bool {
        let organization = self.upload.common.organization.clone();
        let ask = LinkAsk::Object { organization, uri: uri.to_owned(), expires_in: None };
        let link = self.client.link(&ask).await;
        link.is_ok_and(|link| link.size == source.size && link.md5() == Some(source.md5))
    }

    fn ask(&self, source: &Source) -> PlaceAsk {
        let Upload { project, domain, root, common, .. } = self.upload;
        let file = FileAsk {
            organization: common.organization.clone(),
            project: project.clone(),
            domain: domain.clone(),
            filename: source.name.clone(),
            filename_root: root.clone(),
            content_length: source.size,
            content_md5: STANDARD.encode(source.md5),
        };
        PlaceAsk {
            file,
            content_sha256: Some(STANDARD.encode(source.sha256)),
            expires_in: common.expires.clone(),
            add_content_md5_metadata: true,
            resumable: false,
        }
    }
}

impl Way {
    fn native_url(&self) -> &str {
        match self {
            Self::Once(place) | Self::Tus(place) => &place.native_url,
            Self::Parts(parts) => parts.native_url(),
        }
    }
}
