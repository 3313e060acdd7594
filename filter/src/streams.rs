//! Requests that were permitted and are not over: what they were permitted for is looked at now and then.
//!
//! The host is not asked to say when a request ends, since that would cost every request a visit to the VM: one that
//! can't be turned to any more is over.

use taskgate_core::gate::Stand;
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
}

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

    /// There is news: the next tick looks.
    pub fn look_soon(&mut self) {
        self.next_at = 0;
    }

    fn find(&mut self, context: Context) -> Option<&mut Standing> {
        let place = self.open.binary_search_by_key(&context, |(other, _)| *other).ok()?;
        self.open.get_mut(place).map(|(_, standing)| standing)
    }
}

impl Worker {
    /// The headers of an answer arrived. Those of local replies, and of attempts on their way to a job, are nobody's.
    pub fn on_answer_headers(&mut self, context: Context) {
        let Some(standing) = self.streams.find(context) else { return };
        let set_cookies = host::set_cookies().unwrap_or_default();
        let lines: Vec<&[u8]> = set_cookies.iter().map(Vec::as_slice).collect();
        let edits = self.gate.on_answer(standing, &lines);
        if let Some(kept) = &edits.kept {
            host::remove_set_cookies();
            kept.iter().for_each(|line| host::add_set_cookie(line));
            self.metrics.cookies_dropped(edits.dropped);
        }
        edits.added.iter().for_each(|line| host::add_set_cookie(line.as_bytes()));
    }

    /// Ends what must not go on, and forgets what is over.
    pub(crate) fn look_after_streams(&mut self, now: Moment) {
        if self.ticks < self.streams.next_at {
            return;
        }
        self.streams.next_at = self.ticks.saturating_add(PERIOD);
        let mut questions = Vec::new();
        let (flavour, gate, metrics) = (self.flavour, &mut self.gate, &self.metrics);
        self.streams.open.retain_mut(|(context, standing)| {
            if !host::turn_to(flavour, *context) {
                return false;
            }
            match gate.stand(standing, now, questions.len() < MAX_QUESTIONS) {
                Stand::Ask(key, query) => questions.push((key, query)),
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
