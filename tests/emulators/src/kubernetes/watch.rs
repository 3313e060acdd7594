//! Watches: one line of JSON for each change, as it comes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::api::Call;
use super::refusal::Refusal;
use super::state::State;

/// How long a watch lasts that does not say it.
const LONGEST: u64 = 300;

struct Watching {
    state: Arc<State>,
    call: Call,
    changes: watch::Receiver<u64>,
    after: u64,
    waiting: VecDeque<Bytes>,
    deadline: Instant,
    is_over: bool,
}

/// All changes after the version that the call names; with none, what is there first.
pub(super) fn stream(state: Arc<State>, call: Call) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let changes = state.changes.subscribe();
    let version = call.query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
    let seconds = call.query.get("timeoutSeconds").and_then(|text| text.parse().ok()).unwrap_or(LONGEST);
    let mut waiting = VecDeque::new();
    let mut after = version;
    if version == 0 {
        let inner = state.lock();
        after = inner.store.version();
        let there = inner.store.all(&call.resource, call.namespace.as_deref());
        let there = there.filter(|(_, object)| call.selects(object));
        waiting.extend(there.map(|(_, object)| line("ADDED", &call.shown(object))));
    }
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let watching = Watching { state, call, changes, after, waiting, deadline, is_over: false };
    futures_util::stream::unfold(watching, |mut watching| async move {
        let next = watching.next().await?;
        Some((Ok(next), watching))
    })
}

impl Watching {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Some(line);
            }
            if self.is_over {
                return None;
            }
            self.changes.mark_unchanged();
            self.read();
            if !self.waiting.is_empty() {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.deadline) => return None,
                () = self.state.stop.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
            }
        }
    }

    fn read(&mut self) {
        let inner = self.state.lock();
        let call = &self.call;
        let Some(events) = inner.store.since(self.after) else {
            let text = format!("too old resource version: {} ({})", self.after, inner.store.version());
            self.waiting.push_back(line("ERROR", &Refusal::new(410, "Expired", text).body()));
            self.is_over = true;
            return;
        };
        let is_ours = |namespace: &str| call.namespace.as_deref().is_none_or(|wanted| wanted == namespace);
        for event in events {
            if event.plural == call.resource.plural && is_ours(&event.namespace) && call.selects(&event.object) {
                self.waiting.push_back(line(event.what, &call.shown(&event.object)));
            }
        }
        self.after = inner.store.version();
    }
}

fn line(what: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": what, "object": object})))
}
