//! Clients that make one request after the other until they are told to stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use taskgate_test_kit::wait_until;
use tokio::task::JoinSet;

use super::PATIENCE;
use super::ask::{Ask, Link};

/// The clients.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: JoinSet<Tally>,
}

/// What they got: how often each body came with status 200, and what else came.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    answered: BTreeMap<String, usize>,
    failures: Vec<String>,
    slowest: Duration,
}

impl Load {
    /// So many clients, each with a connection that it keeps.
    pub(crate) fn start(to: SocketAddr, clients: usize, ask: impl Fn() -> Ask + Clone + Send + 'static) -> Self {
        let mut load = Self { stop: Arc::default(), done: Arc::default(), clients: JoinSet::new() };
        for _ in 0..clients {
            let (stop, done, ask) = (Arc::clone(&load.stop), Arc::clone(&load.done), ask.clone());
            load.clients.spawn(async move {
                let mut tally = Tally::default();
                let mut link = None;
                while !stop.load(Ordering::SeqCst) {
                    let start = Instant::now();
                    match once(to, &mut link, ask()).await {
                        Ok(text) => *tally.answered.entry(text).or_default() += 1,
                        Err(error) => {
                            tally.failures.push(format!("{error:#}"));
                            link = None;
                        }
                    }
                    tally.slowest = tally.slowest.max(start.elapsed());
                    done.fetch_add(1, Ordering::SeqCst);
                }
                tally
            });
        }
        load
    }

    /// How many requests were answered so far.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until that many requests have been answered in all.
    pub(crate) async fn reached(&self, requests: usize) -> anyhow::Result<()> {
        wait_until(PATIENCE, "requests under load", async || self.done.load(Ordering::SeqCst) >= requests).await
    }

    /// Has all clients finish what they are at.
    pub(crate) async fn end(mut self) -> anyhow::Result<Tally> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        while let Some(tally) = self.clients.join_next().await {
            let tally = tally?;
            for (text, count) in tally.answered {
                *all.answered.entry(text).or_default() += count;
            }
            all.slowest = all.slowest.max(tally.slowest);
            all.failures.extend(tally.failures);
        }
        Ok(all)
    }
}

async fn once(to: SocketAddr, link: &mut Option<Link>, ask: Ask) -> anyhow::Result<String> {
    let mut current = match link.take() {
        Some(link) => link,
        None => Link::http1(to).await?,
    };
    let answer = current.send(ask).await?;
    anyhow::ensure!(answer.is_ok(), "{:?} {}", answer.denial(), answer.text());
    *link = Some(current);
    Ok(answer.text())
}

impl Tally {
    /// How often that body came.
    pub(crate) fn answered(&self, text: &str) -> usize {
        self.answered.get(text).copied().unwrap_or_default()
    }

    /// How many requests went well.
    pub(crate) fn total(&self) -> usize {
        self.answered.values().sum()
    }

    /// How long the slowest one took.
    pub(crate) fn slowest(&self) -> Duration {
        self.slowest
    }

    /// What did not go well.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }
}
