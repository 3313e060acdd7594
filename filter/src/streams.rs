//! Requests that were permitted and are not over: what they were permitted for is looked at now and then.
//!
//! The host is not asked to say when a request ends, since that would cost every request a visit to the VM: one that
//! can't be turned to any more is over.

use taskgate_core::audit::Audit;
use taskgate_core::gate::{AnswerEdits, Stand};
use taskgate_core::reply::Reply;
use taskgate_core::standing::Standing;
use taskgate_core::time::Moment;

use crate::host::{self, Context};
use crate::worker::Worker;

/// How many ticks lie between two looks.
const PERIOD: u64 = 10;
/// The most questions that one look asks.
const MAX_QUESTIONS: usize = 1_000;

/// Requests that were permitted.
#[derive(Debug, Default)]
pub struct Streams {
    /// In the order of their contexts, which hosts number as they come.
    open: Vec<(Context, Standing)>,
    next_at: u64,
    /// `Set-Cookie` lines of replies that have not passed by yet.
    owed: Vec<(Context, Vec<String>)>,
}

/// Replies pass by at once, unless the client has gone.
const MAX_OWED: usize = 64;

impl Streams {
    /// A request was permitted.
    pub fn add(&mut self, context: Context, standing: Standing) {
        match self.open.last() {
            Some((last, _)) if *last >= context => {
                let place = self.open.partition_point(|(other, _)| *other < context);
                if self.open.get(place).is_some_and(|(other, _)| *other == context) {
                    self.open.remove(place);
                }
                self.open.insert(place, (context, standing));
            }
            _ => self.open.push((context, standing)),
        }
    }

    /// A reply of ours has cookies that the host would not take with it.
    pub fn owe(&mut self, context: Context, reply: &Reply) {
        let lines = reply.headers.iter().filter(|(name, _)| *name == "set-cookie").map(|(_, line)| line.clone());
        let lines: Vec<String> = lines.collect();
        if !lines.is_empty() {
            if self.owed.len() >= MAX_OWED {
                self.owed.remove(0);
            }
            self.owed.push((context, lines));
        }
    }

    /// Takes the lines that a reply of that request has still to get.
    pub fn owed(&mut self, context: Context) -> Option<Vec<String>> {
        let place = self.owed.iter().position(|(other, _)| *other == context)?;
        Some(self.owed.swap_remove(place).1)
    }

    /// The connections without headers among them.
    #[must_use]
    pub fn take_connections(&mut self) -> Self {
        let mut open = core::mem::take(&mut self.open);
        open.retain(|(_, standing)| standing.is_connection());
        Self { open, ..Self::default() }
    }

    /// There is news: the next tick looks.
    pub fn look_soon(&mut self) {
        self.next_at = 0;
    }

    /// Whether what has that context was permitted.
    pub fn has(&self, context: Context) -> bool {
        self.open.binary_search_by_key(&context, |(other, _)| *other).is_ok()
    }

    fn find(&mut self, context: Context) -> Option<&mut Standing> {
        let place = self.open.binary_search_by_key(&context, |(other, _)| *other).ok()?;
        self.open.get_mut(place).map(|(_, standing)| standing)
    }
}

impl Worker {
    /// The headers of an answer arrived. Those of local replies, and of attempts on their way to a job, are nobody's.
    pub fn on_answer_headers(&mut self, context: Context) {
        if !host::follows_requests(self.flavour) {
            return self.keep_cookies_apart(context);
        }
        let Some(standing) = self.streams.find(context) else { return };
        let set_cookies = host::set_cookies().unwrap_or_default();
        let lines: Vec<&[u8]> = set_cookies.iter().map(Vec::as_slice).collect();
        let edits = self.gate.on_answer(standing, &lines);
        self.keep(&edits);
        edits.added.iter().for_each(|line| host::add_set_cookie(line.as_bytes()));
    }

    /// The same where nothing is kept of requests: cookies of ours were added when it was permitted.
    fn keep_cookies_apart(&mut self, context: Context) {
        if let Some(lines) = self.streams.owed(context) {
            return lines.iter().for_each(|line| host::add_set_cookie(line.as_bytes()));
        }
        let Some(set_cookies) = host::set_cookies() else { return };
        let Some(service) = host::answering_service() else { return };
        let lines: Vec<&[u8]> = set_cookies.iter().map(Vec::as_slice).collect();
        self.keep(&self.gate.on_cookies(&service, &lines));
    }

    fn keep(&self, edits: &AnswerEdits) {
        if let Some(kept) = &edits.kept {
            host::remove_set_cookies();
            kept.iter().for_each(|line| host::add_set_cookie(line));
            self.metrics.cookies_dropped(edits.dropped);
        }
    }

    /// Ends what must not go on, and forgets what is over.
    pub(crate) fn look_after_streams(&mut self, now: Moment) {
        if self.ticks < self.streams.next_at {
            return;
        }
        self.streams.next_at = self.ticks.saturating_add(PERIOD);
        // Whose reply has not passed by for so long has gone; another request must never get what was theirs.
        self.streams.owed.clear();
        let mut questions = Vec::new();
        let (flavour, gate, metrics) = (self.flavour, &mut self.gate, &self.metrics);
        self.streams.open.retain_mut(|(context, standing)| {
            if !host::turn_to(flavour, *context) {
                return false;
            }
            match gate.stand(standing, now, questions.len() < MAX_QUESTIONS) {
                Stand::Ask(key, query) => questions.push((key, query)),
                Stand::Ends(denial) if standing.is_connection() => {
                    // Its line in the log is written when it is over.
                    host::audit(flavour, &Audit { denial: Some(denial), ..Audit::default() });
                    host::close_connection();
                    metrics.stream_ended();
                    return false;
                }
                Stand::Ends(_) => {
                    host::close_request();
                    metrics.stream_ended();
                    return false;
                }
                Stand::Holds => {}
            }
            true
        });
        host::turn_to(flavour, self.root);
        for (key, query) in questions {
            self.ask_for_later(key, &query);
        }
    }
}
