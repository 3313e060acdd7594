//! When services were last used, and how much of each is open.
//!
//! Idle time counts what is open as use: platforms that end idle workloads are told every minute of those that are
//! not. What is known here is what this sidecar sees: verdicts, which are asked for anew while a stream lasts, and
//! tunnels, which go through it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use taskgate_core::time::UnixTime;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::clock::SharedClock;

/// How often providers are told what is in use.
const INTERVAL: Duration = Duration::from_secs(60);
/// How late a question about what is open may come.
const LATE: Duration = Duration::from_secs(30);
/// How long a provider may take for one service, and how many are told at a time.
const PATIENCE: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 8;

/// When services were last used, and how much of each is open.
pub struct Activity {
    clock: SharedClock,
    uses: Mutex<HashMap<Box<str>, Use>>,
}

/// How a service is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// When somebody was last let in, or had something open.
    pub last_used_at: UnixTime,
    /// How many tunnels are open.
    pub open_streams: usize,
}

/// Something of a service that is open, until it is dropped.
#[derive(Debug)]
pub struct OpenStream {
    activity: Arc<Activity>,
    service: Box<str>,
}

impl Activity {
    /// Nothing was used yet.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, uses: Mutex::default() }
    }

    /// Somebody was let in to the service with that id.
    pub fn used(&self, service: &str) {
        let now = self.clock.now();
        let mut uses = self.uses();
        if let Some(found) = uses.get_mut(service) {
            found.last_used_at = now;
        } else {
            uses.insert(service.into(), Use { last_used_at: now, open_streams: 0 });
        }
    }

    /// Something of it is opened; none where as many are as may be.
    pub fn open(self: &Arc<Self>, service: &str, most: usize) -> Option<OpenStream> {
        let now = self.clock.now();
        let mut uses = self.uses();
        let found = uses.entry(service.into()).or_insert(Use { last_used_at: now, open_streams: 0 });
        if found.open_streams >= most {
            return None;
        }
        *found = Use { last_used_at: now, open_streams: found.open_streams.saturating_add(1) };
        Some(OpenStream { activity: Arc::clone(self), service: service.into() })
    }

    /// How a service is used; none: not since the sidecar was started.
    #[must_use]
    pub fn of(&self, service: &str) -> Option<Use> {
        let found = self.uses().get(service).copied()?;
        Some(if found.open_streams > 0 { Use { last_used_at: self.clock.now(), ..found } } else { found })
    }

    /// The services in use, of those that `is_there`: what was used less than `recent` ago. Others are forgotten.
    fn in_use(&self, recent: Duration, is_there: impl Fn(&str) -> bool) -> Vec<Box<str>> {
        let now = self.clock.now();
        let mut uses = self.uses();
        uses.retain(|service, found| found.open_streams > 0 || is_there(service));
        let is_in_use = |found: &Use| found.open_streams > 0 || now.since(found.last_used_at) < recent;
        uses.iter().filter(|(_, found)| is_in_use(found)).map(|(service, _)| service.clone()).collect()
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<Box<str>, Use>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let now = self.activity.clock.now();
        if let Some(found) = self.activity.uses().get_mut(&self.service) {
            *found = Use { last_used_at: now, open_streams: found.open_streams.saturating_sub(1) };
        }
    }
}

impl fmt::Debug for Activity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Activity").field("services", &self.uses().len()).finish_non_exhaustive()
    }
}

/// Tells providers every minute which of their services are in use, until `stop`.
pub async fn tell_providers(app: Arc<App>, stop: CancellationToken) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let recheck = Duration::from_secs(app.control.control().gate.session_recheck_secs);
        let recent = recent(recheck, app.judge.load().allow_lifetime());
        let services = app.activity.in_use(recent, |service| app.registry.service(service).is_some());
        let told = stream::iter(services).for_each_concurrent(AT_ONCE, |service| touch(&app, service));
        tokio::select! {
            () = told => {}
            () = stop.cancelled() => return,
        }
    }
}

/// For how long a verdict counts as use. A stream is asked about every `recheck`, the first time after a yes that was as
/// old as `kept`; and whatever was used is told at least once.
fn recent(recheck: Duration, kept: Duration) -> Duration {
    recheck.saturating_add(kept).max(INTERVAL).saturating_add(LATE)
}

async fn touch(app: &App, service: Box<str>) {
    let Some(service) = app.registry.service(&service) else { return };
    let provider = app.providers.read().unwrap_or_else(PoisonError::into_inner).get(&*service.provider).map(Arc::clone);
    let Some(provider) = provider else { return };
    if timeout(PATIENCE, provider.touch(&service.entry)).await.is_err() {
        tracing::warn!(
            provider = &*service.provider,
            service.id = service.id.as_str(),
            "the provider did not take in time that the service is in use"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    const RECENT: Duration = Duration::from_secs(90);

    fn activity() -> (Arc<ManualClock>, Arc<Activity>) {
        let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_000_000)));
        let activity = Activity::new(Arc::clone(&clock) as SharedClock);
        (clock, Arc::new(activity))
    }

    #[test]
    fn what_is_open_is_in_use_and_what_was_used_is_for_a_while() {
        let (clock, activity) = activity();
        assert_eq!(activity.of("a"), None);
        activity.used("a");
        let open = activity.open("b", 1).expect("is the first");
        assert!(activity.open("b", 1).is_none(), "no more than one");
        clock.advance(RECENT * 2);
        assert_eq!(activity.in_use(RECENT, |_| true), ["b".into()]);
        assert_eq!(activity.of("b"), Some(Use { last_used_at: clock.now(), open_streams: 1 }));
        assert_eq!(activity.of("a").map(|found| found.last_used_at), Some(UnixTime::from_millis(1_000_000)));
        drop(open);
        assert_eq!(activity.in_use(RECENT, |_| true), ["b".into()], "it was open a moment ago");
        clock.advance(RECENT);
        assert!(activity.in_use(RECENT, |_| true).is_empty());
        assert!(
            activity.in_use(RECENT, |_| false).is_empty() && activity.of("a").is_none(),
            "what is gone is forgotten"
        );
        assert!(activity.open("b", 1).is_some());
    }

    #[test]
    fn a_stream_that_is_seldom_asked_about_is_in_use_in_between() {
        for (recheck, kept) in [(0, 0), (60, 30), (300, 30), (600, 3_600)] {
            let (clock, activity) = activity();
            let recent = recent(Duration::from_secs(recheck), Duration::from_secs(kept));
            activity.used("a");
            clock.advance(Duration::from_secs((recheck + kept + 10).max(60)));
            assert_eq!(activity.in_use(recent, |_| true), ["a".into()], "every {recheck} s, after {kept} s");
            clock.advance(recent);
            assert!(activity.in_use(recent, |_| true).is_empty());
        }
    }
}
