//! One owner's services get their share of the ports, and no more.

use std::sync::Arc;
use std::time::Duration;

use taskgate::gateway::keeper::Terms;
use taskgate::gateway::standing::{Reason, TcpPlace, TcpState};
use taskgate::gateway::store::SqlLedger;
use taskgate_test_kit::Postgres;
use tempfile::TempDir;
use tokio::time::Instant;

use super::stage::{Life, Pretend, file_in, held, ledger, terms, until};

const MINUTE: Duration = Duration::from_secs(60);

/// What outlives a keeper.
struct Stage {
    ledger: Arc<SqlLedger>,
    pretend: Arc<Pretend>,
    _directory: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self::at(&file_in(directory.path()), directory).await
    }

    async fn at(address: &str, directory: TempDir) -> Self {
        Self { ledger: ledger(address).await, pretend: Arc::default(), _directory: directory }
    }

    fn begin(&self, terms: Terms) -> Life {
        Life::begin(Arc::<SqlLedger>::clone(&self.ledger), Arc::<Pretend>::clone(&self.pretend), &self.pretend, terms)
    }
}

/// So many ports, of which one owner gets so many, and which rest for a minute.
fn share(ports: u16, ports_per_owner: usize) -> Terms {
    Terms { ports_per_owner, rest: MINUTE, ..terms(ports) }
}

fn is_over(life: &Life, operation: &str) -> bool {
    let over = TcpPlace { address: None, state: TcpState::Failed, reason: Some(Reason::OwnerLimit) };
    life.place(operation) == Some(over)
}

async fn told(life: &Life, operation: &str) -> u16 {
    until(operation, async || life.port(operation).is_some()).await;
    life.port(operation).expect("it is told")
}

async fn over(life: &Life, operation: &str) {
    until(&format!("{operation} is over the limit"), async || is_over(life, operation)).await;
}

/// How often a service was found to be over the limit.
fn refusals(life: &Life) -> u64 {
    let text = life.metrics.text().expect("metrics");
    let line =
        text.lines().find_map(|line| line.strip_prefix(r#"taskgate_gateway_failures_total{reason="owner-limit"} "#));
    line.map_or(0, |number| number.parse().expect("a number"))
}

async fn one_owner_and_others(stage: &Stage) {
    let life = stage.begin(share(5, 2));
    let many = ["a", "b", "c", "d"].map(|name| (name, "alice"));
    life.see_of(&many);
    let settled = async || many.iter().all(|(name, _)| life.port(name).is_some() || is_over(&life, name));
    until("all are told or refused", settled).await;
    assert_eq!(life.board.count(), 2);
    assert_eq!(refusals(&life), 2);
    let all = [&many[..], &[("x", "bob"), ("y", "bob"), ("z", "carol")][..]].concat();
    life.see_of(&all);
    for other in ["x", "y", "z"] {
        told(&life, other).await;
    }
    assert_eq!(life.board.count(), 5, "who had a port has it still");
    assert_eq!(held(&*stage.ledger).await.0.len(), 5);
}

#[tokio::test]
async fn an_owner_at_the_limit_keeps_no_other_one_from_a_port() {
    one_owner_and_others(&Stage::new().await).await;
}

#[tokio::test]
async fn with_a_server_it_is_the_same() {
    let server = Postgres::start().expect("PostgreSQL starts");
    let directory = tempfile::tempdir().expect("a directory");
    one_owner_and_others(&Stage::at(&server.url(), directory).await).await;
}

#[tokio::test]
async fn services_that_are_nobodys_are_not_limited() {
    let stage = Stage::new().await;
    let life = stage.begin(share(4, 1));
    life.see_of(&["a", "b", "c", "d"].map(|name| (name, "")));
    for name in ["a", "b", "c", "d"] {
        told(&life, name).await;
    }
}

#[tokio::test]
async fn a_service_that_waits_gets_its_port_when_another_one_is_somebody_elses() {
    let stage = Stage::new().await;
    let life = stage.begin(share(6, 2));
    life.see_of(&[("a", "alice"), ("b", "alice")]);
    let b = told(&life, "b").await;
    told(&life, "a").await;
    life.see_of(&[("a", "alice"), ("b", "alice"), ("c", "alice")]);
    over(&life, "c").await;
    // No port rests here before a minute is over, and none is given back.
    life.see_of(&[("a", "alice"), ("b", "bob"), ("c", "alice")]);
    told(&life, "c").await;
    assert_eq!(life.port("b"), Some(b), "it stays where it is");
    assert_eq!(refusals(&life), 1, "nobody asked in between");
    // It counts for whose it is now.
    life.see_of(&[("a", "alice"), ("b", "bob"), ("c", "alice"), ("d", "bob")]);
    told(&life, "d").await;
    life.see_of(&[("a", "alice"), ("b", "bob"), ("c", "alice"), ("d", "bob"), ("e", "bob")]);
    over(&life, "e").await;
    life.see_of(&[("a", "alice"), ("b", "bob"), ("c", "alice"), ("d", "bob"), ("e", "")]);
    told(&life, "e").await;
}

#[tokio::test]
async fn a_service_that_waits_gets_its_port_once_another_ones_has_rested() {
    let stage = Stage::new().await;
    let rest = Duration::from_secs(4);
    let life = stage.begin(Terms { rest, ..share(6, 1) });
    life.see_of(&[("a", "alice")]);
    told(&life, "a").await;
    life.see_of(&[("a", "alice"), ("b", "alice")]);
    over(&life, "b").await;
    let rests = Instant::now();
    life.see_of(&[("b", "alice")]);
    until("it rests", async || held(&*stage.ledger).await == (Vec::new(), 1)).await;
    assert!(is_over(&life, "b"), "it counts still");
    told(&life, "b").await;
    assert!(rests.elapsed() > rest / 2, "{:?}", rests.elapsed());
    assert_eq!(refusals(&life), 1, "nobody asked in between");
}

/// Waits until a service is told, while its owner never has more ports than two, those that rest among them.
async fn told_within_two(stage: &Stage, life: &Life, operation: &str) {
    until(operation, async || {
        let (leases, resting) = held(&*stage.ledger).await;
        assert!(leases.len() + resting <= 2, "{leases:?}, and {resting} rest");
        life.port(operation).is_some()
    })
    .await;
}

#[tokio::test]
async fn who_begins_and_ends_services_again_and_again_gets_no_more() {
    let stage = Stage::new().await;
    let rest = Duration::from_secs(4);
    let life = stage.begin(Terms { rest, ..share(6, 2) });
    let began = Instant::now();
    for name in ["a", "b"] {
        life.see_of(&[(name, "alice")]);
        told(&life, name).await;
    }
    for name in ["c", "d"] {
        life.see_of(&[(name, "alice")]);
        over(&life, name).await;
    }
    told_within_two(&stage, &life, "d").await;
    assert!(began.elapsed() > rest, "{:?}", began.elapsed());
}

#[tokio::test]
async fn nor_does_who_ends_them_before_they_are_told() {
    let stage = Stage::new().await;
    let life = stage.begin(Terms { rest: Duration::from_secs(4), program_timeout: MINUTE, ..share(6, 2) });
    stage.pretend.state().is_mute = true;
    for round in 0..5 {
        let name = format!("round-{round}");
        life.see_of(&[(&name, "alice")]);
        let is_there = async || !stage.pretend.ports().is_empty() || is_over(&life, &name);
        until("it listens, or is refused", is_there).await;
        life.see_of(&[]);
        until("nothing listens", async || stage.pretend.ports().is_empty()).await;
    }
    assert!(refusals(&life) > 0);
    stage.pretend.state().is_mute = false;
    life.see_of(&[("last", "alice")]);
    told_within_two(&stage, &life, "last").await;
}

#[tokio::test]
async fn what_was_held_before_a_restart_is_kept_whatever_the_limit_is_now() {
    let stage = Stage::new().await;
    let three = ["a", "b", "c"].map(|name| (name, "alice"));
    let life = stage.begin(share(6, 3));
    life.see_of(&three);
    let mut before = Vec::new();
    for (name, _) in three {
        before.push(told(&life, name).await);
    }
    drop(life);
    let life = stage.begin(share(6, 1));
    // The new ones are seen first, and at once.
    life.see_of(&[&[("0", "alice"), ("new", "alice")][..], &three[..]].concat());
    let mut after = Vec::new();
    for (name, _) in three {
        after.push(told(&life, name).await);
    }
    assert_eq!(after, before);
    for name in ["0", "new"] {
        over(&life, name).await;
    }
    assert_eq!(held(&*stage.ledger).await.0.len(), 3);
}
