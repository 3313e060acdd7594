//! What answers polls gives pages that are damaged, old, or of another life of the sidecar.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use taskgate_core::feed::{FeedPage, TABLE_ANSWER, sum_of};
use taskgate_core::service::{AccessLevel, PackedRow};
use taskgate_test_kit::wait_until;

use crate::support::false_sidecar::{page, response};
use crate::support::ingress::Ingress;
use crate::support::service::{Service, host, id};
use crate::support::setup::Setup;
use crate::support::stage::{Always, Stage, Visit};
use crate::support::{Outcome, PATIENCE, ask::Ask, jobs};

use super::false_sidecar::in_http1;

/// Which polls get which page.
type Rule = Arc<dyn Fn(u64, u64) -> Option<Vec<u8>> + Send + Sync>;

/// What answers: by the epoch and the number that a poll says it has. Polls that the rule says nothing about are held.
struct Puppet {
    stage: Always,
    state: Arc<Mutex<State>>,
}

struct State {
    rule: Rule,
    held: Vec<(u64, u64, Visit)>,
}

impl Puppet {
    async fn open() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State { rule: Arc::new(|_, _| None), held: Vec::new() }));
        let shared = Arc::clone(&state);
        let stage = Stage::open().await?.always(move |visit| hear(visit, Arc::clone(&shared)));
        Ok(Self { stage, state })
    }

    /// From now on this holds, for polls that are held too.
    async fn rule(&self, rule: impl Fn(u64, u64) -> Option<Vec<u8>> + Send + Sync + 'static) -> Outcome {
        let held = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.rule = Arc::new(rule);
            std::mem::take(&mut state.held)
        };
        for (_, _, visit) in held {
            // A poll that was given up is over.
            let _ = hear(visit, Arc::clone(&self.state)).await;
        }
        Ok(())
    }
}

async fn hear(mut visit: Visit, state: Arc<Mutex<State>>) -> Outcome {
    let number = |name: &str| -> u64 {
        let (_, rest) = visit.head.line.split_once(name).unwrap_or_default();
        rest.split(['&', ' ']).next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
    };
    let (epoch, since) = (number("epoch="), number("since="));
    let page = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(page) = (state.rule)(epoch, since) else {
            state.held.push((epoch, since, visit));
            return Ok(());
        };
        page
    };
    visit.wire.write(response("200 OK", &[("x-taskgate-answer", TABLE_ANSWER)], &page)).await
}

/// A page with one service, open to everybody, at that job.
fn one(epoch: u64, from: u64, to: u64, job: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let (id, like) = (id("open"), page("open", job)?);
    let like = FeedPage::decode(&like)?;
    let row = like.upserts.first().and_then(|row| PackedRow::parse(row).ok()).context("a row")?;
    let row = taskgate_core::service::Service { id: &id, access: AccessLevel::Public, ..row.service()? }.pack()?;
    let control = like.control.filter(|_| from == 0);
    let page = FeedPage {
        epoch,
        from,
        to,
        last: to,
        reset: from == 0,
        complete: true,
        upserts: vec![row.as_bytes()],
        removals: Vec::new(),
        control,
    };
    Ok(page.encode()?)
}

/// A whole table of that life and number.
fn table(epoch: u64, to: u64, job: SocketAddr) -> anyhow::Result<Vec<u8>> {
    one(epoch, 0, to, job)
}

/// News after that number.
fn news(epoch: u64, from: u64, to: u64, job: SocketAddr) -> anyhow::Result<Vec<u8>> {
    one(epoch, from, to, job)
}

async fn failures(ingress: &Ingress, more: u64) -> Outcome {
    let before = ingress.counter("table.poll_failed").await?;
    let failed = async || ingress.counter("table.poll_failed").await.is_ok_and(|now| now >= before + more);
    wait_until(PATIENCE, "polls to fail", failed).await
}

async fn goes_to(ingress: &Ingress, job: &str) -> Outcome {
    for _ in 0..24 {
        let answer = ingress.send(Ask::get(&host("open"), "/")).await?;
        assert_eq!(answer.text(), format!("hello from {job}\n"), "{:?}", answer.denial());
    }
    Ok(())
}

#[tokio::test]
async fn nothing_that_is_damaged_or_old_is_followed() -> Outcome {
    let (good, evil) = (jobs::http("good").await?, jobs::http("evil").await?);
    let (here, there) = (good.address(), evil.address());
    let sidecar = Puppet::open().await?;
    let first = table(7, 5, here)?;
    let whole = first.clone();
    sidecar.rule(move |epoch, _| (epoch == 0).then(|| whole.clone())).await?;
    let setup = Setup::new([Service::http("open")]).one_worker().line("poll_wait_ms = 60000");
    let ingress = setup.start_envoy_with(sidecar.stage.address(), in_http1).await?;
    ingress.wait_for_table().await?;
    goes_to(&ingress, "good").await?;

    let next = news(7, 5, 6, there)?;
    let flipped = |at: usize| {
        let mut bytes = next.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let row = next.windows(8).position(|window| window == id("open").as_bytes()).unwrap_or_default();
    // With a sum that is right, so that something else is what is wrong.
    let summed = |bytes: &[u8]| [bytes, &sum_of(bytes)].concat();
    let mut lengths = next[..next.len() - 8].to_vec();
    lengths[4] = 0xff;
    let damaged = vec![
        ("a bit of the header", flipped(2)),
        ("a bit of the id", flipped(row)),
        ("a bit of the row", flipped(next.len() / 2)),
        ("a bit of the sum", flipped(next.len() - 1)),
        ("half of it", next[..next.len() / 2].to_vec()),
        ("half of it, with a sum", summed(&next[..next.len() / 2])),
        ("a wrong length", summed(&lengths)),
        ("garbage", vec![0xa5; 5_000]),
        ("nothing", Vec::new()),
        ("news of a time to come", news(7, 9, 10, there)?),
        ("news of the past", news(7, 3, 6, there)?),
        ("a table of the past", table(7, 4, there)?),
    ];
    for (what, bytes) in damaged {
        let (whole, wrong) = (first.clone(), bytes);
        // What starts anew because of it gets the table that is.
        sidecar.rule(move |epoch, _| Some(if epoch == 0 { whole.clone() } else { wrong.clone() })).await?;
        failures(&ingress, 2).await?;
        assert_eq!(evil.connections(), 0, "{what}");
        goes_to(&ingress, "good").await?;
    }
    // An older life answers in between, as something does that kept its answers.
    let (whole, replayed) = (first.clone(), table(6, 90, there)?);
    let quiet = news(7, 5, 5, here)?;
    let turn = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&turn);
    let rule = move |epoch: u64, _| match counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 3 {
        _ if epoch == 0 => Some(whole.clone()),
        0 => Some(quiet.clone()),
        _ => Some(replayed.clone()),
    };
    sidecar.rule(rule).await?;
    let polled = async || turn.load(std::sync::atomic::Ordering::SeqCst) > 30;
    wait_until(PATIENCE, "polls", polled).await?;
    goes_to(&ingress, "good").await?;
    assert_eq!(evil.connections(), 0);

    // And news that is right is followed, by itself.
    let (whole, moved) = (first, news(7, 5, 6, there)?);
    sidecar
        .rule(move |epoch, since| match (epoch, since) {
            (0, _) => Some(whole.clone()),
            (7, 5) => Some(moved.clone()),
            _ => None,
        })
        .await?;
    let followed = |answer: &crate::support::ask::Answer| answer.text() == "hello from evil\n";
    ingress.answers("the news", || Ask::get(&host("open"), "/"), followed).await
}
