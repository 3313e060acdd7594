//! A large file in parts.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use indicatif::ProgressBar;
use reqwest::header::{CONTENT_LENGTH, ETAG};
use reqwest::{Client as Sender, Method};

use crate::cli::data::api::{Begun, FileAsk, PartThere, PartToPut};
use crate::cli::data::signed::Failure;
use crate::cli::data::source::Source;
use crate::cli::server::{Client, NoAnswer};

/// How many parts are sent at a time.
const AT_ONCE: usize = 4;
/// How many are signed at a time: few enough that none has to wait for long.
const SIGNED_AT_ONCE: usize = 32;

/// An upload in parts that has begun.
pub(super) struct Parts {
    ask: FileAsk,
    begun: Begun,
    /// What the store calls the parts that it has.
    etags: BTreeMap<u16, String>,
    /// Whether parts may have come of which nothing was heard.
    is_unsure: bool,
}

/// Who sends them.
pub(super) struct Sending<'a> {
    pub(super) client: &'a Client,
    pub(super) sender: &'a Sender,
    pub(super) source: &'a Source,
    pub(super) bar: &'a ProgressBar,
    /// How long signed URLs shall work.
    pub(super) expires: Option<&'a str>,
}

impl Parts {
    /// Begins an upload.
    pub(super) async fn begin(client: &Client, ask: FileAsk) -> Result<Self, NoAnswer> {
        let begun = client.begin_parts(&ask).await?;
        if begun.part_size == 0 || ask.content_length.div_ceil(begun.part_size) != u64::from(begun.parts) {
            return Err(NoAnswer::Unreadable);
        }
        Ok(Self { ask, begun, etags: BTreeMap::new(), is_unsure: false })
    }

    pub(super) fn native_url(&self) -> &str {
        &self.begun.native_url
    }

    /// Sends what is missing, and makes a file of it. `kept` is how many bytes the store is known to have.
    pub(super) async fn send(&mut self, sending: &Sending<'_>, kept: &mut u64) -> Result<(), Failure> {
        if std::mem::replace(&mut self.is_unsure, true) {
            let listed =
                sending.client.list_parts(&self.ask, &self.begun.upload_id).await.map_err(|error| refused(&error))?;
            self.know(listed);
        }
        *kept = self.etags.keys().map(|number| self.length(*number)).sum();
        sending.bar.set_position(*kept);
        let missing: Vec<u16> = (1..=self.begun.parts).filter(|number| !self.etags.contains_key(number)).collect();
        for numbers in missing.chunks(SIGNED_AT_ONCE) {
            self.send_some(sending, numbers).await?;
        }
        if let Some(fault) = sending.source.fault() {
            return Err(Failure::Final(fault));
        }
        sending
            .client
            .complete_parts(&self.ask, &self.begun.upload_id, &self.etags)
            .await
            .map_err(|error| refused(&error))
    }

    /// Takes what the store has for what is there. A part that it does not name, and did not, is sent again.
    fn know(&mut self, listed: Vec<PartThere>) {
        let mut known = std::mem::take(&mut self.etags);
        for PartThere { number, size, etag } in listed {
            if size == self.length(number)
                && let Some(etag) = etag.or_else(|| known.remove(&number))
            {
                self.etags.insert(number, etag);
            }
        }
    }

    /// Gives it up: what is there of it goes.
    pub(super) async fn give_up(&self, client: &Client) {
        // Where that fails, the server gives it up by itself after a while.
        let _ = client.abort_parts(&self.ask, &self.begun.upload_id).await;
    }

    /// Sends these parts.
    async fn send_some(&mut self, sending: &Sending<'_>, numbers: &[u16]) -> Result<(), Failure> {
        let mut asked = Vec::new();
        for number in numbers {
            let (start, end) = self.range(*number);
            let md5 = sending.source.md5_of(start, end).await;
            asked.push((*number, md5.map_err(|error| Failure::Final(format!("can't be read: {error}")))?));
        }
        let id = &self.begun.upload_id;
        let signed =
            sending.client.sign_parts(&self.ask, id, &asked, sending.expires).await.map_err(|error| refused(&error))?;
        let wanted: BTreeSet<u16> = numbers.iter().copied().collect();
        if signed.iter().map(|part| part.number).collect::<BTreeSet<u16>>() != wanted || signed.len() != wanted.len() {
            return Err(Failure::Final("the server signed other parts than were asked for".to_owned()));
        }
        let sent = stream::iter(&signed).map(async |part| (part.number, self.send_one(sending, part).await));
        // Where one fails the others still come to their ends.
        let outcomes: Vec<(u16, Result<String, Failure>)> = sent.buffer_unordered(AT_ONCE).collect().await;
        let mut all = Ok(());
        for (number, outcome) in outcomes {
            match outcome {
                Ok(etag) => {
                    self.etags.insert(number, etag);
                }
                Err(failure) => all = Err(failure),
            }
        }
        all
    }

    /// Sends a part; what the store calls it, which may be nothing.
    async fn send_one(&self, sending: &Sending<'_>, part: &PartToPut) -> Result<String, Failure> {
        let (start, end) = self.range(part.number);
        let request = part.request.request(sending.sender, Method::PUT)?;
        let body = sending.source.body(start, end, sending.bar);
        let request = request.header(CONTENT_LENGTH, end - start).body(body);
        let answer = part.request.send(request, sending.bar).await.map_err(|failure| match failure {
            // It is signed anew with the next attempt; the others stay.
            Failure::Over(words) => Failure::Passing(words, None),
            failure => failure,
        })?;
        let etag = answer.headers().get(ETAG).and_then(|etag| etag.to_str().ok());
        Ok(etag.unwrap_or_default().to_owned())
    }

    /// Where a part begins and ends in the file.
    fn range(&self, number: u16) -> (u64, u64) {
        let start = u64::from(number.saturating_sub(1)).saturating_mul(self.begun.part_size);
        let end = start.saturating_add(self.begun.part_size).min(self.ask.content_length);
        (start.min(end), end)
    }

    fn length(&self, number: u16) -> u64 {
        let (start, end) = self.range(number);
        end - start
    }
}

/// What an answer of the server means for an upload in parts.
fn refused(error: &NoAnswer) -> Failure {
    match error.status() {
        Some(409) => Failure::Taken(error.to_string()),
        // There is no such upload any more.
        Some(404) => Failure::Over(error.to_string()),
        _ => Failure::Final(error.to_string()),
    }
}
