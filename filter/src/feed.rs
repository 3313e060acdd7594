//! Following the sidecar's table: one poll at a time, a page at a time.
//!
//! Every worker polls for itself. A page that brought the table further is followed by the next poll at
//! once (where the host lets the filter call out then). Anything else (no news, a table that begins anew,
//! no answer) is followed by one on a later tick, so that no sidecar is ever asked in a loop.

use taskgate_core::feed::{ANSWER_HEADER, Cursor, FeedPage, TABLE_ANSWER};
use taskgate_core::gate::ApplyError;
use taskgate_core::trace_context::TRACE_PARENT;

use crate::abi::{BufferType, LogLevel};
use crate::config::FilterConfig;
use crate::host::{self, Callout};
use crate::request::Trace;
use crate::worker::{TICK_MILLIS, Worker};

/// How long beyond the sidecar's own wait a poll may take, in milliseconds.
const POLL_MARGIN_MILLIS: u32 = 5_000;
/// The longest pause between two polls of a sidecar that does not answer, in ticks.
const LONGEST_PAUSE: u64 = 10;
/// How many answers in a row another life of the sidecar gives before it counts as the one that there is, where every
/// poll is answered. Where two sidecars answer to one name, each poll may meet either; a table that followed both would
/// start anew with every page, and never be whole.
const STRANGERS: u32 = 16;
/// The largest page that is read, in bytes: far above what the sidecar sends.
const MAX_PAGE: usize = 8 << 20;

/// Where the polling is. Times are ticks.
#[derive(Debug, Default)]
pub struct Feed {
    /// The poll under way, and when it counts as lost.
    poll: Option<(Callout, u64)>,
    next_at: u64,
    failures: u32,
    /// The last poll was answered. Else the next one asks for an answer at once: it may be that nothing
    /// has changed, and that the table only has to be confirmed.
    heard: bool,
    /// Answers of another life of the sidecar since the last one of this.
    strangers: u32,
    /// The last page did not continue the table: ask for everything.
    resync: bool,
}

impl Feed {
    /// Whether that callout is the poll.
    #[must_use]
    pub fn is_waiting_for(&self, callout: Callout) -> bool {
        self.poll.is_some_and(|(poll, _)| poll == callout)
    }
}

impl Worker {
    /// Polls, unless a poll is under way or a pause is on.
    pub(crate) fn poll_if_due(&mut self) {
        let is_lost = self.feed.poll.is_some_and(|(_, give_up_at)| self.ticks > give_up_at);
        if is_lost {
            self.feed.poll = None;
        }
        if self.feed.poll.is_none() && self.ticks >= self.feed.next_at {
            self.poll();
        }
    }

    fn poll(&mut self) {
        let cursor = if self.feed.resync { Cursor::default() } else { self.gate.table().cursor() };
        let Cursor { epoch, number, began } = cursor;
        let control = self.gate.control().map_or(0, |control| control.number);
        let wait = if self.feed.heard { self.config.poll_wait_ms } else { 0 };
        let path =
            format!("/internal/table?epoch={epoch}&since={number}&began={began}&control={control}&wait_ms={wait}");
        let timeout = wait.saturating_add(POLL_MARGIN_MILLIS);
        match call(&self.config, "GET", &path, &None, b"", timeout) {
            Some(callout) => {
                let ticks = u64::from(timeout / TICK_MILLIS).saturating_mul(3);
                self.feed.poll = Some((callout, self.ticks.saturating_add(ticks)));
            }
            None => self.poll_failed("the proxy refused the call: is the sidecar's cluster configured?"),
        }
    }

    /// The poll was answered.
    pub(crate) fn on_page(&mut self, header_count: usize, body_size: usize) {
        self.feed.poll = None;
        let now = self.now();
        let Some(body) = answer(TABLE_ANSWER, header_count, body_size.min(MAX_PAGE)) else {
            return self.poll_failed("no answer from the sidecar");
        };
        let page = match FeedPage::decode(&body) {
            Ok(page) => page,
            Err(error) => return self.poll_failed(&error.to_string()),
        };
        let cursor = self.gate.table().cursor();
        let is_other_life = cursor.epoch != 0 && page.epoch != cursor.epoch;
        // A sidecar that was restarted was away for a moment, which the poll that it held has shown.
        if is_other_life && self.feed.heard && self.feed.strangers < STRANGERS {
            self.feed.strangers = self.feed.strangers.saturating_add(1);
            self.feed.next_at = self.ticks;
            return;
        }
        self.feed.strangers = 0;
        // Whoever is told to begin anew may be told so again, so there is a tick in between; nothing is lost, for what
        // was there before serves meanwhile.
        let is_news = page.from != page.to && (cursor.epoch == 0 || !page.reset);
        let was_complete = self.gate.table().is_complete();
        match self.gate.apply(page, now.steady) {
            Ok(applied) => {
                if applied.invalid > 0 {
                    host::log(LogLevel::Warn, &format!("taskgate: {} rows can't be read", applied.invalid));
                }
                if self.feed.failures > 0 || (!was_complete && self.gate.table().is_complete()) {
                    let services = self.gate.table().len();
                    host::log(LogLevel::Info, &format!("taskgate: following the table, {services} services so far"));
                }
                self.feed.failures = 0;
                self.feed.heard = true;
                self.feed.resync = false;
                self.feed.next_at = self.ticks;
                self.streams.look_soon();
                self.mirror(now);
                if is_news && host::calls_out_any_time(self.flavour) {
                    self.poll();
                }
            }
            Err(error) => {
                self.feed.resync = matches!(error, ApplyError::Stale(_));
                self.poll_failed(&error.to_string());
            }
        }
    }

    fn poll_failed(&mut self, why: &str) {
        if self.feed.failures == 0 {
            host::log(LogLevel::Warn, &format!("taskgate: can't follow the table: {why}; the last one stays in force"));
        }
        self.metrics.poll_failed();
        self.feed.heard = false;
        let pause = 1_u64.checked_shl(self.feed.failures).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
        self.feed.failures = self.feed.failures.saturating_add(1);
        self.feed.next_at = self.ticks.saturating_add(pause);
    }
}

/// Calls the sidecar, on behalf of a request of that trace.
pub(crate) fn call(
    config: &FilterConfig,
    method: &str,
    path: &str,
    trace: &Trace,
    body: &[u8],
    timeout_ms: u32,
) -> Option<Callout> {
    let mut headers: Vec<(&[u8], &[u8])> =
        vec![(b":method", method.as_bytes()), (b":path", path.as_bytes()), (b":authority", b"taskgate")];
    if let Some(secret) = &config.secret {
        headers.push((b"x-taskgate-internal", secret.as_bytes()));
    }
    if let Some(value) = trace {
        headers.push((TRACE_PARENT.as_bytes(), value));
    }
    host::call(config.upstream(), &headers, body, timeout_ms)
}

/// The body of a callout's answer, if it is the sidecar's own and of that kind. What a proxy makes up
/// for a sidecar that is down or late (Envoy: an ordinary 503 or 504; `WasmX`: a part of an answer, or
/// none) is no answer.
pub(crate) fn answer(kind: &str, header_count: usize, body_size: usize) -> Option<Vec<u8>> {
    if header_count == 0 {
        return None;
    }
    let is_answer = host::with_answer_headers(|headers| {
        let one = |name: &str| {
            let mut values = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Some(*value),
                _ => None,
            }
        };
        let is_whole = headers.iter().all(|(name, value)| *name != b":dispatch_status" || *value == b"ok");
        is_whole && one(":status") == Some(b"200") && one(ANSWER_HEADER) == Some(kind.as_bytes())
    })?;
    if !is_answer {
        return None;
    }
    let body = host::buffer(BufferType::HttpCallResponseBody, body_size)?;
    (body.len() == body_size).then_some(body)
}
