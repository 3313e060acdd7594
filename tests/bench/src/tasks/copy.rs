//! Copies of a domain: a task of a sidecar, and `hscopy`, on the same server in turns.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use taskgate_test_kit::{Hsds, Sidecar, SidecarHome};
use tokio::time::Instant;

use crate::memory::high_water;
use crate::screen;
use crate::tasks::arguments::Options;
use crate::tasks::domain::{self, SOURCE, USER};
use crate::tasks::hscopy;

/// Where the copies go.
const OURS: &str = "/home/test_user1/ours.h5";
const THEIRS: &str = "/home/test_user1/theirs.h5";
/// How long one answer may take: longer than it is asked to wait.
const ANSWER: Duration = Duration::from_secs(90);

/// What a round came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// How long the task took, from asking to completion.
    pub(super) ours: Duration,
    /// How long `hscopy` took.
    pub(super) theirs: Duration,
    /// The most memory that the sidecar has held so far, in MiB.
    pub(super) our_peak: f64,
    /// The most memory that `hscopy` held, in MiB.
    pub(super) their_peak: f64,
}

/// A sidecar with one worker, and who asks it.
struct Desk {
    sidecar: Sidecar,
    http: Client,
    url: String,
}

pub(super) async fn measure(options: &Options) -> anyhow::Result<Vec<Round>> {
    let hsds = Hsds::with_data_nodes(options.data_nodes.into()).await?;
    domain::make(&hsds, options.mebibytes()).await?;
    let desk = Desk::start(&hsds).await?;
    let mut rounds = Vec::new();
    for number in 1..=options.copies() {
        // Whoever comes second finds the server as the first one left it, so they change places.
        let (ours, theirs) = if number % 2 == 1 {
            let ours = desk.copy(&hsds).await?;
            (ours, hscopy::run(&hsds, THEIRS).await?)
        } else {
            let theirs = hscopy::run(&hsds, THEIRS).await?;
            (desk.copy(&hsds).await?, theirs)
        };
        let our_peak = high_water(desk.sidecar.id()).context("the sidecar's memory")?;
        if number == 1 {
            domain::compare(&hsds, OURS).await?;
            domain::compare(&hsds, THEIRS).await?;
        }
        for copy in [OURS, THEIRS] {
            domain::delete(&hsds, copy).await?;
        }
        let round = Round { ours, theirs: theirs.took, our_peak, their_peak: theirs.peak };
        screen::line(&format!(
            "round {number}: a task {:.1} s, hscopy {:.1} s",
            round.ours.as_secs_f64(),
            round.theirs.as_secs_f64()
        ));
        rounds.push(round);
    }
    let _: SidecarHome = desk.sidecar.stop().await?;
    Ok(rounds)
}

impl Desk {
    async fn start(hsds: &Hsds) -> anyhow::Result<Self> {
        let key = format!("{}A=", "B".repeat(42));
        let config = json!({
            "gate": {"base_domains": ["bench.test"]},
            "providers": [{"file": {"path": "services.yaml"}}],
            "keys": [{"id": "bench", "secret": key}],
            "public": {},
            "tasks": {"store": "sqlite:tasks.db", "hsds": {"endpoint": hsds.url()}},
        });
        let home = SidecarHome::new()?;
        home.write("services.yaml", "services: []\n")?;
        let sidecar = home.start(&config.to_string()).await?;
        let url = format!("http://{}/tasks", sidecar.home().public_address());
        Ok(Self { sidecar, http: Client::new(), url })
    }

    /// Copies the domain: how long it took.
    async fn copy(&self, hsds: &Hsds) -> anyhow::Result<Duration> {
        domain::make_empty(hsds, OURS).await?;
        let place = |domain: &str| json!([{"domain": domain, "h5path": "/"}]);
        let body = json!({"operation": "copy", "src": place(SOURCE), "des": place(OURS), "args": {}});
        let start = Instant::now();
        let mut task = self.ask(self.http.post(&self.url).json(&body)).await?;
        let id = task["taskid"].as_str().context("no task")?.to_owned();
        while task["status"] == "queued" || task["status"] == "in progress" {
            task = self.ask(self.http.get(format!("{}/{id}", self.url))).await?;
        }
        ensure!(task["status"] == "complete", "the copy failed: {task}\n{}", self.sidecar.log());
        Ok(start.elapsed())
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let request = request.header("authorization", USER.authorization()).header("prefer", "wait=60");
        let answer = request.timeout(ANSWER).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
