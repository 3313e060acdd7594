//! A case made ready to run: names looked up, tokens sealed, pages encoded.
//!
//! A runner needs nothing but this: it does not know the fixtures.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use taskgate_core::feed::FeedPage;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::{VERDICT_ANSWER, VerdictAnswer, VerdictQuery, WireVerdict};

use crate::case::{AnswerRef, Case, Expect, Feed, Need, Pair, Step};
use crate::fixture::{Fixtures, Row};
use crate::text;

/// A header: name, value.
pub type Header = (Vec<u8>, Vec<u8>);

/// A case, ready to run.
#[derive(Clone, Debug)]
pub struct Script {
    /// The case's name.
    pub name: String,
    /// What time it is at the start.
    pub start: UnixTime,
    /// Whether the ingress can change a request's path.
    pub rewrites_path: bool,
    /// What the ingress must be able to do that not every one can.
    pub needs: Vec<Need>,
    /// What happens, in order.
    pub events: Vec<Event>,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time passes.
    Advance(Duration),
    /// A connection to this address fails.
    Fails(SocketAddr),
    /// A page of the feed arrives, in its wire form.
    Feed(Vec<u8>),
    /// A request arrives.
    Request(Box<Exchange>),
    /// What was permitted is looked at.
    Look(Box<Look>),
}

/// A look at what was permitted.
#[derive(Clone, Debug)]
pub struct Look {
    /// Which requests must end, counted from 0.
    pub ends: Vec<usize>,
    /// What the sidecar answers, where it is asked about them.
    pub answer: Option<Answer>,
}

/// A request and what must come of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request's headers, pseudo headers included.
    pub headers: Vec<Header>,
    /// What the sidecar must be asked.
    pub asked: Option<VerdictQuery>,
    /// What it answers.
    pub answer: Option<Answer>,
    /// What must come of the request.
    pub expect: Expect,
    /// For a permit: every header that the job must get.
    pub job_headers: Vec<Header>,
    /// For a permit: where the service's jobs listen now.
    pub endpoints: Vec<SocketAddr>,
    /// `Set-Cookie` lines of the job's answer.
    pub job_cookies: Vec<String>,
}

/// What comes back to a question.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An HTTP answer.
    Http {
        /// The status.
        status: u16,
        /// The value of the header that marks an answer as the sidecar's own.
        marker: Option<String>,
        /// The body.
        body: Vec<u8>,
    },
    /// Nothing: refused, reset, or too late.
    Lost,
}

impl Answer {
    /// What the answer is worth: only one that is marked as the sidecar's own counts.
    #[must_use]
    pub fn verdict(&self) -> VerdictAnswer {
        match self {
            Self::Http { status: 200, marker: Some(marker), body } if marker == VERDICT_ANSWER => {
                VerdictAnswer::read(body)
            }
            Self::Http { .. } | Self::Lost => VerdictAnswer::Unavailable,
        }
    }
}

impl Script {
    /// Makes a case ready.
    ///
    /// # Errors
    /// What the case refers to in vain, or what it leaves open.
    pub fn of(case: &Case, fixtures: &Fixtures) -> Result<Self, String> {
        let gate = fixtures.gates.get(&case.gate).ok_or_else(|| format!("no gate {:?}", case.gate))?;
        let mut script = Self {
            name: case.name.clone(),
            start: fixtures.start_ms,
            rewrites_path: gate.rewrites_path,
            needs: case.needs.clone(),
            events: Vec::new(),
        };
        let gate = case.gate.clone();
        let mut world = World { fixtures, gate, sequence: (0, 0), endpoints: BTreeMap::new(), epochs: BTreeMap::new() };
        if case.table != "none" {
            let table = fixtures.tables.get(&case.table).ok_or_else(|| format!("no table {:?}", case.table))?;
            let feed = Feed {
                upserts: table.rows.clone(),
                reset: true,
                more: table.more,
                control: table.control.clone(),
                ..Feed::default()
            };
            script.events.push(world.feed(&feed)?);
        }
        for (nth, step) in case.steps().iter().enumerate() {
            let event = world.event(step).map_err(|error| format!("step {nth}: {error}"))?;
            script.events.push(event);
        }
        Ok(script)
    }

    /// The exchanges, in order.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        self.events.iter().filter_map(|event| match event {
            Event::Request(exchange) => Some(&**exchange),
            _ => None,
        })
    }

    /// Which requests must end at each look.
    pub fn looks(&self) -> impl Iterator<Item = &Look> {
        self.events.iter().filter_map(|event| match event {
            Event::Look(look) => Some(&**look),
            _ => None,
        })
    }
}

/// What has been said so far.
struct World<'f> {
    fixtures: &'f Fixtures,
    gate: String,
    /// The sidecar's life and the number of its last change.
    sequence: (u64, u64),
    endpoints: BTreeMap<String, Vec<SocketAddr>>,
    /// Epochs by id, also of services that are gone.
    epochs: BTreeMap<String, u32>,
}

impl World<'_> {
    fn event(&mut self, step: &Step) -> Result<Event, String> {
        if let Some(ends) = &step.ends {
            let answer = step.sidecar.as_ref().map(|answer| self.answer(answer)).transpose()?;
            return Ok(Event::Look(Box::new(Look { ends: ends.clone(), answer })));
        }
        let exchange =
            step.request.is_some() || step.asked.is_some() || step.sidecar.is_some() || step.expect.is_some();
        match (exchange, step.wait_ms, &step.feed, &step.fails) {
            (true, None, None, None) => self.exchange(step).map(|exchange| Event::Request(Box::new(exchange))),
            (false, Some(millis), None, None) => Ok(Event::Advance(Duration::from_millis(millis))),
            (false, None, Some(feed), None) => self.feed(feed),
            (false, None, None, Some(address)) => socket_address(address).map(Event::Fails),
            _ => Err("is exactly one of an exchange, `wait_ms`, `feed`, `fails` and `ends`".into()),
        }
    }

    fn feed(&mut self, feed: &Feed) -> Result<Event, String> {
        let (epoch, from) = if feed.reset { (self.sequence.0.saturating_add(1), 0) } else { self.sequence };
        let to = from.saturating_add(1);
        self.sequence = (epoch, to);
        if feed.reset && !feed.more {
            self.endpoints.clear();
        }
        for id in &feed.removals {
            self.endpoints.remove(id);
        }
        let mut rows = Vec::new();
        for name in &feed.upserts {
            match self.fixtures.services.get(name).ok_or_else(|| format!("no service {name:?}"))? {
                Row::Junk { junk } => rows.push(text::latin1(junk)?),
                Row::Service(row) => {
                    let service = row.service();
                    let packed = service.pack().map_err(|error| format!("{name}: {error}"))?;
                    rows.push(packed.as_bytes().to_vec());
                    let addresses = service.endpoints.iter().map(|endpoint| endpoint.address).collect();
                    self.endpoints.insert(service.id.into(), addresses);
                    self.epochs.insert(service.id.into(), service.epoch);
                }
            }
        }
        if let Some(gate) = &feed.gate {
            self.gate.clone_from(gate);
        }
        let control = match &feed.control {
            Some(name) => {
                let control = self.fixtures.control(name, &self.gate);
                Some(control.ok_or_else(|| format!("no control {name:?} or gate {:?}", self.gate))?)
            }
            None => None,
        };
        let page = FeedPage {
            epoch,
            from,
            to,
            last: to,
            reset: feed.reset,
            complete: !feed.more,
            upserts: rows.iter().map(Vec::as_slice).collect(),
            removals: feed.removals.iter().map(String::as_str).collect(),
            control,
        };
        page.encode().map(Event::Feed).map_err(|error| error.to_string())
    }

    fn exchange(&self, step: &Step) -> Result<Exchange, String> {
        let expect = step.expect.clone().ok_or("says nothing of what to expect")?;
        if step.asked.is_some() != step.sidecar.is_some() {
            return Err("`asked` and `sidecar` come together".into());
        }
        let mut headers = self.headers(step.request.as_deref().unwrap_or_default())?;
        for (name, value) in [(":scheme", "http"), (":path", "/"), (":method", "GET")] {
            if !headers.iter().any(|(found, _)| found == name.as_bytes()) {
                headers.insert(0, (name.into(), value.into()));
            }
        }
        let (mut job_headers, mut endpoints, mut job_cookies) = (Vec::new(), Vec::new(), Vec::new());
        if let Expect::Permit(permit) = &expect {
            job_cookies.clone_from(&permit.job_cookies);
            job_headers.clone_from(&headers);
            for name in &permit.without {
                let before = job_headers.len();
                job_headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name.as_bytes()));
                if job_headers.len() == before {
                    return Err(format!("`without` names {name:?}, which the request does not have"));
                }
            }
            job_headers.extend(self.headers(&permit.with)?);
            let id = &permit.service;
            endpoints.clone_from(self.endpoints.get(id).ok_or_else(|| format!("the table has no service {id:?}"))?);
        }
        let asked = match step.asked.clone() {
            Some(asked) => {
                let epoch = self.epochs.get(asked.service()).copied();
                let mut query = asked.query(epoch.ok_or("asks about a service that the table never had")?);
                query.credential.value = text::expand(&query.credential.value, self.fixtures)?;
                Some(query)
            }
            None => None,
        };
        let answer = step.sidecar.as_ref().map(|answer| self.answer(answer)).transpose()?;
        Ok(Exchange { headers, asked, answer, expect, job_headers, endpoints, job_cookies })
    }

    fn headers(&self, pairs: &[Pair]) -> Result<Vec<Header>, String> {
        let header =
            |(name, value): &Pair| Ok((text::latin1(name)?, text::latin1(&text::expand(value, self.fixtures)?)?));
        pairs.iter().map(header).collect()
    }

    fn answer(&self, answer: &AnswerRef) -> Result<Answer, String> {
        let name = match answer {
            AnswerRef::Verdict(verdict) => {
                let body = WireVerdict::from(verdict.clone()).encode();
                return Ok(Answer::Http { status: 200, marker: Some(VERDICT_ANSWER.into()), body });
            }
            AnswerRef::Named(name) => name,
        };
        let answer = self.fixtures.answers.get(name).ok_or_else(|| format!("no answer {name:?}"))?;
        if answer.lost {
            return Ok(Answer::Lost);
        }
        let mut body = match (answer.verdict.clone(), &answer.text) {
            (Some(verdict), None) => WireVerdict::from(verdict).encode(),
            (None, Some(text)) => text::latin1(text)?,
            _ => return Err(format!("answer {name:?} has either `verdict` or `text`")),
        };
        body.truncate(body.len().saturating_sub(answer.cut));
        body.extend(text::latin1(&answer.more)?);
        if let (Some(format), Some(first)) = (answer.format, body.first_mut()) {
            *first = format;
        }
        Ok(Answer::Http { status: answer.status, marker: answer.marker.clone(), body })
    }
}

pub(crate) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}
