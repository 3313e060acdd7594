//! Two services with the same short id: by chance, or because someone searched for it.

use serde_json::Value;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{Guid, Job, Operation, Ytsaurus};
use taskgate_jobs::JobHandle;
use taskgate_test_kit::wait_until;

use crate::support::ask::{Answer, Ask};
use crate::support::cluster::{self, Name, gateway_host, host, job, operation, tasks_info, yson};
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, MALLORY};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

/// Sorts before Alice's operation, so that a sidecar that remembers nothing would name it first.
const MALLORYS: &str = "1b2c3d4e-5f607182-5103e8-93a4b5c6";
const ALICES: &str = "a6e04b98-bf982394-5103e8-55754a49";
/// What both have as the last 8 digits of their digests.
const SHORT: &str = "1ffbb718";
const LIVES: [&str; 2] = ["before the restart", "after it"];

/// Alice's service and Mallory's, whose short ids are the same.
struct Pair {
    cluster: Ytsaurus,
    first: Name,
    second: Name,
    first_job: Guid,
    second_job: Job,
    _jobs: [JobHandle; 2],
}

impl Pair {
    /// Alice's alone is there.
    async fn new() -> anyhow::Result<Self> {
        let cluster = cluster::start().await?;
        let (victim, own) = (jobs::http_on(2, "victim").await?, jobs::http_on(3, "own").await?);
        let first = operation(&tasks_info("{web={ui_4064={port_index=0}}}"))?.id(ALICES.parse::<Guid>()?);
        let first = Name::new(cluster.add_operation(first), "web", "ui_4064");
        let second = Name::new(MALLORYS.parse::<Guid>()?, "web", "ui_36681");
        assert_eq!([first.id(), second.id()], [SHORT, SHORT]);
        let first_job = cluster.add_job(first.operation, job("web", &victim));
        Ok(Self { cluster, first, second, first_job, second_job: job("web", &own), _jobs: [victim, own] })
    }

    /// Mallory's comes.
    fn add_second(&self) -> Outcome {
        let annotations = yson(&tasks_info("{web={ui_36681={port_index=0}}}"))?;
        let operation = Operation::new("mallory").annotations(annotations).id(self.second.operation);
        self.cluster.add_job(self.cluster.add_operation(operation), self.second_job.clone());
        Ok(())
    }
}

async fn answers(gateway: &Gateway, label: &str, token: &str, status: u16, text: &str) -> Outcome {
    let holds = |answer: &Answer| answer.status == status && answer.text().contains(text);
    let what = format!("{label} to answer {status} {text}");
    gateway.ingress.answers(&what, || Ask::get(&host(label), "/").token(token), holds).await
}

#[tokio::test]
async fn who_was_there_first_keeps_the_name_also_across_restarts() -> Outcome {
    let pair = Pair::new().await?;
    let Pair { cluster, first, second, .. } = &pair;
    // No table: there nothing but the state directory remembers.
    let setup = Setup::cluster(cluster).provider(|provider| provider["table"] = Value::Null);
    let mut gateway = setup.start().await?;
    answers(&gateway, SHORT, ALICE, 200, "hello from victim").await?;
    pair.add_second()?;
    let long = second.id_of(16);
    answers(&gateway, &long, MALLORY, 200, "hello from own").await?;
    let state = gateway.sidecar.home().directory().join("state/names.json");
    let is_kept = async || std::fs::read_to_string(&state).is_ok_and(|names| names.contains(&long));
    wait_until(PATIENCE, "the names to be kept", is_kept).await?;

    for life in LIVES {
        for _ in 0..20 {
            let alices = gateway.ingress.send(Ask::get(&host(SHORT), "/").token(ALICE)).await?;
            assert_eq!(alices.text(), "hello from victim\n", "{life}");
            let mallorys = gateway.ingress.send(Ask::get(&host(SHORT), "/").token(MALLORY)).await?;
            assert_eq!(mallorys.denial(), (403, "access-denied"), "{life}");
        }
        answers(&gateway, &long, MALLORY, 200, "hello from own").await?;
        // Whoever names all three parts means no other service.
        for (name, token, text) in [(first, ALICE, "hello from victim\n"), (second, MALLORY, "hello from own\n")] {
            let ask = name
                .triple()
                .iter()
                .fold(Ask::get(&gateway_host(), "/").token(token), |ask, (name, value)| ask.header(name, value));
            assert_eq!(gateway.ingress.send(ask).await?.text(), text, "{life}");
        }
        if life == LIVES[0] {
            gateway.sidecar.restart().await?;
            gateway.ingress.wait_for_table().await?;
        }
    }

    // Not even while its owner is away for a moment, or for good, does the name lead to another.
    cluster.finish_job(pair.first_job, "failed");
    answers(&gateway, SHORT, ALICE, 503, "no-endpoint").await?;
    cluster.finish_operation(first.operation);
    answers(&gateway, SHORT, MALLORY, 404, "unknown-service").await?;
    answers(&gateway, &long, MALLORY, 200, "hello from own").await
}

#[tokio::test]
async fn a_new_sidecar_learns_from_the_tables_who_was_there_first() -> Outcome {
    let pair = Pair::new().await?;
    let _first = Setup::cluster(&pair.cluster).start_sidecar().await?;
    let published = async |label: &str| {
        let domain = host(label);
        let is_there = async || {
            let names = pair.cluster.rows("//sys/task_proxies/services_v2").unwrap_or_default();
            names.iter().any(|row| row.field("domain").and_then(Yson::as_str) == Some(&domain))
        };
        wait_until(PATIENCE, &format!("{label} in the table"), is_there).await
    };
    published(SHORT).await?;
    pair.add_second()?;
    published(&pair.second.id_of(16)).await?;
    // It remembers nothing, and would name Mallory's first by itself.
    let gateway = Setup::cluster(&pair.cluster).start().await?;
    answers(&gateway, SHORT, ALICE, 200, "hello from victim").await?;
    answers(&gateway, &pair.second.id_of(16), MALLORY, 200, "hello from own").await
}

#[tokio::test]
async fn names_that_look_the_same_when_written_together_are_two() -> Outcome {
    let cluster = cluster::start().await?;
    let (one, two) = (jobs::http_on(2, "one").await?, jobs::http_on(3, "two").await?);
    let id = cluster.add_operation(operation(&tasks_info("{ab={c={port_index=0}}; a={bc={port_index=0}}}"))?);
    cluster.add_job(id, job("a", &one));
    cluster.add_job(id, job("ab", &two));
    let gateway = Setup::cluster(&cluster).start().await?;
    let (first, second) = (Name::new(id, "a", "bc"), Name::new(id, "ab", "c"));
    assert_eq!(first.id_of(32), second.id_of(32));
    answers(&gateway, &first.id(), ALICE, 200, "hello from one").await?;
    answers(&gateway, &first.id_of(16), ALICE, 200, "hello from two").await?;
    for (name, text) in [(&first, "hello from one\n"), (&second, "hello from two\n")] {
        let named = name.triple().into_iter();
        let ask = named.fold(Ask::get(&gateway_host(), "/").token(ALICE), |ask, (name, value)| ask.header(name, value));
        assert_eq!(gateway.ingress.send(ask).await?.text(), text);
    }
    Ok(())
}
