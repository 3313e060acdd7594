//! `taskgate download`.

mod digests;
mod part;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use indicatif::ProgressBar;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use crate::cli::data::api::{Artifact, Common, Link, LinkAsk};
use crate::cli::data::bars::Bars;
use crate::cli::data::download::digests::Digests;
use crate::cli::data::download::part::Part;
use crate::cli::data::download::target::Target;
use crate::cli::data::patience::Patience;
use crate::cli::data::signed::{self, Failure, Signed};
use crate::cli::server::{Client, Server};
use crate::http;

/// Gets a file that was uploaded, or what an attempt at an action left behind.
#[derive(Debug, Args)]
pub(in crate::cli) struct Download {
    #[command(flatten)]
    server: Server,
    /// the address of an upload, as `taskgate upload` printed it
    #[arg(value_name = "URI", required_unless_present = "run")]
    uri: Option<String>,
    /// the run whose report or code is wanted
    #[arg(long, value_name = "NAME", requires_all = ["action", "project", "domain"], conflicts_with = "uri")]
    run: Option<String>,
    /// the run's action
    #[arg(long, value_name = "NAME", requires = "run")]
    action: Option<String>,
    /// which attempt at it
    #[arg(long, value_name = "NUMBER", default_value_t = 1, requires = "run")]
    attempt: u32,
    /// what of it
    #[arg(long, value_enum, default_value_t = Artifact::Report, requires = "run")]
    artifact: Artifact,
    /// the run's project
    #[arg(long, value_name = "NAME", requires = "run")]
    project: Option<String>,
    /// the project's domain
    #[arg(long, value_name = "NAME", requires = "run")]
    domain: Option<String>,
    /// the file to write, or a folder to write it into; the name that it has there, in this folder, where nothing is
    /// said
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// replace a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: Common,
}

/// What gets an object.
struct Downloader {
    ask: LinkAsk,
    client: Client,
    sender: reqwest::Client,
    bar: ProgressBar,
}

impl Download {
    /// Runs the command.
    pub(in crate::cli) fn run(self) -> anyhow::Result<ExitCode> {
        super::run(self.download())
    }

    async fn download(self) -> anyhow::Result<ExitCode> {
        let (client, sender) = (self.server.client()?, signed::sender()?);
        let ask = self.ask()?;
        let link = client.link(&ask).await?;
        let name = self.uri.as_deref().and_then(|uri| uri.rsplit('/').next()).map(ToOwned::to_owned);
        let name = name.or_else(|| link.requests.first()?.name()).unwrap_or_default();
        let target = Target::find(self.output.as_deref(), &name, self.force)?;
        let bars = Bars::new(self.common.quiet);
        let bar = bars.file(target.path());
        bar.set_length(link.size);
        let downloader = Downloader { ask, client, sender, bar: bar.clone() };
        let mut part = Part::open(target.part())?;
        let got = downloader.get(link, &mut part).await;
        bar.finish_and_clear();
        let digests = match got {
            Ok(digests) => digests,
            Err(error) => {
                part.leave();
                return Err(error);
            }
        };
        let (size, md5, sha256) = (part.length(), part.md5(), part.sha256());
        target.finish(&part)?;
        let file = target.path().to_string_lossy();
        if self.common.json {
            bars.line(
                &json!({
                    "file": file, "size": size, "content_md5": STANDARD.encode(md5),
                    "content_sha256": STANDARD.encode(sha256), "checked": digests.names(),
                })
                .to_string(),
            )?;
        } else {
            bars.line(&file)?;
        }
        if digests.names().is_empty() && !self.common.quiet {
            bars.error("taskgate: the store knows no digest of it: its size alone was checked");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn ask(&self) -> anyhow::Result<LinkAsk> {
        let (organization, expires_in) = (self.common.organization.clone(), self.common.expires.clone());
        if let Some(uri) = &self.uri {
            return Ok(LinkAsk::Object { organization, uri: uri.clone(), expires_in });
        }
        let named =
            |name: &Option<String>| name.clone().context("`--run` needs `--action`, `--project` and `--domain`");
        Ok(LinkAsk::Artifact {
            artifact: self.artifact,
            organization,
            project: named(&self.project)?,
            domain: named(&self.domain)?,
            run: named(&self.run)?,
            action: named(&self.action)?,
            attempt: self.attempt,
            expires_in,
        })
    }
}

impl Downloader {
    /// Gets an object until it is there whole, and checks it.
    async fn get(&self, mut link: Link, part: &mut Part) -> anyhow::Result<Digests> {
        let (mut patience, mut digests) = (Patience::default(), Digests::of(&link));
        if digests.names().is_empty() || part.length() > link.size {
            // Without a digest nobody could say whether the beginning is of this object.
            part.reset()?;
        }
        let mut may_begin_anew = part.length() > 0;
        let mut tag = None;
        loop {
            let before = part.length();
            let failure = match self.fetch(&link, part, &mut digests, &mut tag).await {
                Ok(()) => match digests.differ(part, link.size) {
                    None => return Ok(digests),
                    Some(why) => {
                        part.reset()?;
                        Failure::Final(why)
                    }
                },
                Err(failure) => failure,
            };
            if part.length() > before {
                patience.gained();
                may_begin_anew = true;
            }
            let asked = match &failure {
                // What was kept of it may be of something else.
                Failure::Final(_) if std::mem::take(&mut may_begin_anew) => {
                    part.reset()?;
                    (tag, digests) = (None, Digests::of(&link));
                    continue;
                }
                Failure::Final(words) | Failure::Taken(words) => bail!("{words}"),
                Failure::Passing(_, asked) => *asked,
                Failure::Done | Failure::Over(_) => None,
            };
            let Some(wait) = patience.miss(asked) else { bail!("{}", failure.into_words()) };
            sleep(wait).await;
            if matches!(failure, Failure::Over(_)) {
                let next = self.client.link(&self.ask).await?;
                if (next.size, next.md5()) != (link.size, link.md5()) {
                    part.reset()?;
                    (tag, digests) = (None, Digests::of(&next));
                    self.bar.set_length(next.size);
                }
                link = next;
            }
        }
    }

    /// Gets what is missing.
    async fn fetch(
        &self,
        link: &Link,
        part: &mut Part,
        digests: &mut Digests,
        tag: &mut Option<HeaderValue>,
    ) -> Result<(), Failure> {
        let [signed] = link.requests.as_slice() else {
            return Err(Failure::Final("the server's answer makes no sense".to_owned()));
        };
        self.bar.set_position(part.length());
        if part.length() > 0 && part.length() == link.size {
            return Ok(());
        }
        let mut answer = self.ask_for(signed, part.length(), tag.as_ref()).await?;
        if answer.status() == StatusCode::PARTIAL_CONTENT {
            let expected = format!("bytes {}-{}/{}", part.length(), link.size.saturating_sub(1), link.size);
            if answer.headers().get(CONTENT_RANGE).is_none_or(|range| range != expected.as_str()) {
                return Err(Failure::Final("the store answered with another part than was asked for".to_owned()));
            }
        } else {
            part.reset().map_err(|error| unwritten(&error))?;
            self.bar.set_position(0);
        }
        *tag = answer.headers().get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")).cloned();
        digests.read(answer.status(), answer.headers());
        while let Some(chunk) =
            signed::while_moving(&self.bar, answer.chunk()).await?.map_err(|error| broken(&error))?
        {
            let chunk_length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if part.length().saturating_add(chunk_length) > link.size {
                return Err(Failure::Final("the store sent more than the object has".to_owned()));
            }
            tokio::task::block_in_place(|| part.push(&chunk)).map_err(|error| unwritten(&error))?;
            self.bar.inc(chunk_length);
        }
        if part.length() < link.size {
            return Err(Failure::Passing("the store sent less than the object has".to_owned(), None));
        }
        Ok(())
    }

    async fn ask_for(&self, signed: &Signed, from: u64, tag: Option<&HeaderValue>) -> Result<Response, Failure> {
        // A coding on the way would make other bytes of it.
        let mut request = signed.request(&self.sender, Method::GET)?.header(ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
            if let Some(tag) = tag {
                request = request.header(IF_RANGE, tag.clone());
            }
        }
        signed.send(request, &self.bar).await
    }
}

fn broken(error: &reqwest::Error) -> Failure {
    Failure::Passing(format!("the connection broke: {}", http::explain(error)), None)
}

fn unwritten(error: &anyhow::Error) -> Failure {
    Failure::Final(format!("{error:#}"))
}
