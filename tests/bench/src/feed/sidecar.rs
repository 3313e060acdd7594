//! The sidecar in a process of its own, with a provider that does what the bench tells it.
//!
//! Its providers are the file provider, and whoever publishes in that one's name: rows come from the file or from
//! here, never from both.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use serde_json::json;
use taskgate::clock::SystemClock;
use taskgate::discovery::inventory::{Entry, Inventory, ServiceKey};
use taskgate::discovery::policy::Policy;
use taskgate::discovery::publisher::{Mailbox, Publisher};
use taskgate::serve::{Running, Setting};
use taskgate_core::naming::ServiceDigest;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol};
use taskgate_test_kit::{ReservedAddress, wait_until};
use tokio_util::sync::CancellationToken;

use crate::catalogue::BASE_DOMAIN;
use crate::child::{self, Server};
use crate::discovery::job::Job;
use crate::feed::moves::Way;

/// The services file.
const FILE: &str = "services.json";
const TASK: &str = "server";
const SERVICE: &str = "ui";

/// The process.
#[derive(Debug)]
pub(super) struct FeedSidecar {
    server: Server,
    arguments: Vec<String>,
    /// Held for the next life.
    _address: ReservedAddress,
}

impl FeedSidecar {
    /// Starts one that knows where the jobs are, and of no service.
    pub(super) async fn start(jobs: &[Job; 2]) -> anyhow::Result<Self> {
        let address = ReservedAddress::new()?;
        let places = [address.address(), jobs[0].address, jobs[1].address];
        let arguments: Vec<String> =
            std::iter::once("feed-sidecar".to_owned()).chain(places.map(|place| place.to_string())).collect();
        Ok(Self { server: run(&arguments).await?, arguments, _address: address })
    }

    /// Where filters reach it.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.addresses.first().copied().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Kills it and starts another one in its place, which knows of no service.
    pub(super) async fn renew(&mut self) -> anyhow::Result<()> {
        self.server.kill().await?;
        self.server = run(&self.arguments).await?;
        Ok(())
    }

    /// Has that many services, all at the first job.
    pub(super) async fn fill(&mut self, way: Way, services: u32) -> anyhow::Result<()> {
        self.server.ask(&format!("fill {way} {services}")).await.map(drop)
    }

    /// Moves a service to that job.
    pub(super) async fn put(&mut self, way: Way, service: u32, job: usize) -> anyhow::Result<()> {
        self.server.ask(&format!("move {way} {service} {job}")).await.map(drop)
    }
}

async fn run(arguments: &[String]) -> anyhow::Result<Server> {
    Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
}

/// The id of that service. Where two of a hundred thousand want the same one, the run fails if it asks for the
/// second: it is not where it should be.
pub(super) fn id(service: u32) -> String {
    let id = ServiceDigest::of(&operation(service), TASK, SERVICE).suffix(8);
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn operation(service: u32) -> String {
    format!("{service:08x}-bf982394-5103e8-55754a49")
}

/// What the process knows.
struct Provider {
    jobs: [SocketAddr; 2],
    publisher: Publisher,
    entries: Vec<Arc<Entry>>,
    /// Where each service of the file is.
    places: Vec<usize>,
    directory: PathBuf,
}

/// The process itself: where it listens, and where the two jobs are.
pub(crate) async fn serve(addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let [address, first, second] = addresses[..] else { anyhow::bail!("three addresses") };
    let directory = tempfile::tempdir()?;
    let mailbox = Arc::new(Mailbox::default());
    let publisher = Publisher::new("file", Arc::clone(&mailbox));
    let jobs = [first, second];
    let mut provider =
        Provider { jobs, publisher, entries: Vec::new(), places: Vec::new(), directory: directory.path().to_owned() };
    provider.write()?;
    let running = start(address, directory.path()).await?;
    let registry = Arc::clone(&running.app.registry);
    let published = async || registry.waits_for().is_empty();
    wait_until(std::time::Duration::from_secs(20), "the empty file to be read", published).await?;
    tokio::spawn(Arc::clone(&registry).run(mailbox, CancellationToken::new()));
    child::answer(&[address], |question| provider.obey(question)).await
}

async fn start(address: SocketAddr, directory: &Path) -> anyhow::Result<Running> {
    let config = json!({
        "gate": {"base_domains": [BASE_DOMAIN]},
        "internal": {"listen": address},
        "operations": {"listen": "127.0.0.1:0"},
        "providers": [{"file": {"path": FILE}}],
    });
    let settings = taskgate::config::load::read(&config.to_string(), directory)?;
    let setting = Setting { clock: Arc::new(SystemClock), config_path: None, logs: None };
    Ok(taskgate::serve::start(settings, setting).await?)
}

impl Provider {
    fn obey(&mut self, question: &str) -> anyhow::Result<String> {
        let words: Vec<&str> = question.split(' ').collect();
        match words[..] {
            ["fill", "provider", services] => {
                self.entries = (0..services.parse()?).map(|service| self.entry(service, 0)).collect();
                self.publish();
            }
            ["fill", "file", services] => {
                self.places = vec![0; services.parse()?];
                self.write()?;
            }
            ["move", "provider", service, job] => {
                let service: u32 = service.parse()?;
                let entry = self.entry(service, job.parse()?);
                *self.entries.get_mut(usize::try_from(service)?).context("no such service")? = entry;
                self.publish();
            }
            ["move", "file", service, job] => {
                *self.places.get_mut(service.parse::<usize>()?).context("no such service")? = job.parse()?;
                self.write()?;
            }
            _ => anyhow::bail!("no such order: {question}"),
        }
        Ok("done".to_owned())
    }

    fn publish(&self) {
        self.publisher.publish(Inventory { services: self.entries.clone(), ..Inventory::default() });
    }

    fn job(&self, job: usize) -> SocketAddr {
        self.jobs[job % 2]
    }

    fn entry(&self, service: u32, job: usize) -> Arc<Entry> {
        let key = ServiceKey { operation: operation(service), task: TASK.into(), service: SERVICE.into() };
        Arc::new(Entry {
            key: Arc::new(key),
            alternatives: Vec::new(),
            alias: None,
            protocol: Protocol::Http,
            endpoints: vec![Endpoint { address: self.job(job), weight: 1 }],
            policy: Policy {
                access: AccessLevel::Public,
                owner: Some("alice".into()),
                grants: Vec::new(),
                revision: 0,
            },
            forward_credential: false,
            names: Vec::new(),
            vouched: false,
            path: None,
        })
    }

    /// Writes the services file as programs do: aside, and then in its place.
    fn write(&self) -> anyhow::Result<()> {
        let mut text = String::from("{\"services\":[");
        for (service, job) in (0..).zip(&self.places) {
            let comma = if service == 0 { "" } else { "," };
            // Writing to a String can't fail.
            let _ = write!(
                text,
                "{comma}\n{{\"operation\":\"{}\",\"task\":\"{TASK}\",\"service\":\"{SERVICE}\",\"access\":\"public\",\
                 \"owner\":\"alice\",\"endpoints\":[\"{}\"]}}",
                operation(service),
                self.job(*job)
            );
        }
        text.push_str("\n]}\n");
        let fresh = self.directory.join("new");
        std::fs::write(&fresh, text)?;
        std::fs::rename(fresh, self.directory.join(FILE))?;
        ensure!(self.directory.join(FILE).exists(), "the services file is gone");
        Ok(())
    }
}
