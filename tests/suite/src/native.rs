//! Runs cases against the core as a library, carrying its edits out as a proxy would.

use taskgate_core::edit::{FieldEdit, RequestEdits};
use taskgate_core::feed::FeedPage;
use taskgate_core::gate::{ApplyError, Decision, Gate, Step};
use taskgate_core::request::Request;
use taskgate_core::service::Protocol;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::VerdictAnswer;
use taskgate_core::visitor::VISITOR_HEADER;

use crate::runner::{Observed, Outcome, Permitted, Refused, RunError, Runner};
use crate::script::{Answer, Event, Exchange, Header, Script};

/// The core in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeRunner;

impl Runner for NativeRunner {
    fn supports(&self, _: &Script) -> bool {
        true
    }

    fn run(&mut self, script: &Script) -> Result<Vec<Observed>, RunError> {
        let mut gate = Gate::new(1, script.rewrites_path);
        let mut now = script.start;
        let mut observed = Vec::new();
        for event in &script.events {
            match event {
                Event::Advance(duration) => now = now.after(*duration),
                Event::Fails(address) => gate.on_endpoint_failure(*address, now),
                Event::Feed(bytes) => {
                    let page = FeedPage::decode(bytes).map_err(|error| error.to_string())?;
                    match gate.apply(page, now) {
                        // What is refused of a page is the gate's business; that it has to continue the
                        // table is the corpus's.
                        Ok(_) | Err(ApplyError::Config(_)) => {}
                        Err(ApplyError::Stale(error)) => return Err(error.to_string()),
                    }
                }
                Event::Request(exchange) => observed.push(observe(&mut gate, exchange, now)),
            }
        }
        Ok(observed)
    }
}

fn observe(gate: &mut Gate, exchange: &Exchange, now: UnixTime) -> Observed {
    let request = Request::read(exchange.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    let (decision, asked) = match gate.on_request(&request, now) {
        Step::Ask(question) => {
            let answer = exchange.answer.as_ref().map_or(VerdictAnswer::Unavailable, Answer::verdict);
            let learned = gate.learn(question.key, answer, now);
            (gate.on_verdict(question.pending, &learned), vec![question.query])
        }
        Step::Done(decision) => (decision, Vec::new()),
    };
    let outcome = match decision {
        Decision::Permit(edits) => Outcome::Permit(Permitted {
            candidates: edits.upstream.candidates.to_vec(),
            http2: edits.upstream.protocol == Protocol::Grpc,
            headers: carry_out(*edits, exchange.headers.clone()),
        }),
        Decision::Refuse(_, reply) => {
            let header = |(name, value): (&str, String)| (name.into(), value.into_bytes());
            Outcome::Refuse(Refused {
                status: reply.status,
                grpc: reply.grpc_status,
                headers: reply.headers.into_iter().map(header).collect(),
                body: reply.body.into_bytes(),
            })
        }
    };
    Observed { asked, outcome }
}

/// What the job gets of `headers`.
#[must_use]
pub fn carry_out(edits: RequestEdits, mut headers: Vec<Header>) -> Vec<Header> {
    for name in &edits.remove {
        remove(&mut headers, name);
    }
    for (name, edit) in [("authorization", edits.authorization), ("cookie", edits.cookie)] {
        match edit {
            FieldEdit::Keep => {}
            FieldEdit::Remove => remove(&mut headers, name.as_bytes()),
            FieldEdit::Set(value) => set(&mut headers, name, value),
        }
    }
    if let Some(path) = edits.path {
        set(&mut headers, ":path", path);
    }
    if let Some(identity) = edits.identity {
        set(&mut headers, "x-forwarded-user", identity.actor().into());
        if let Some(email) = identity.email() {
            set(&mut headers, "x-forwarded-email", email.into());
        }
        if !identity.groups().is_empty() {
            set(&mut headers, "x-forwarded-groups", identity.groups().into());
        }
    }
    if let Some(vouch) = edits.vouch {
        set(&mut headers, VISITOR_HEADER, vouch.into());
    }
    headers
}

fn remove(headers: &mut Vec<Header>, name: &[u8]) {
    headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
}

fn set(headers: &mut Vec<Header>, name: &str, value: Vec<u8>) {
    remove(headers, name.as_bytes());
    headers.push((name.into(), value));
}
