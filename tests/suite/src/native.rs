//! Runs cases against the core as a library, carrying its edits out as a proxy would.

use taskgate_core::assertion::ASSERTION_HEADER;
use taskgate_core::edit::{FieldEdit, RequestEdits};
use taskgate_core::feed::FeedPage;
use taskgate_core::gate::{ApplyError, Decision, Gate, Stand, Step};
use taskgate_core::reply::Reply;
use taskgate_core::request::Request;
use taskgate_core::service::Protocol;
use taskgate_core::standing::Standing;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::VerdictAnswer;
use taskgate_core::visitor::VISITOR_HEADER;

use crate::runner::{Observed, Outcome, Permitted, Refused, RunError, Runner, Seen};
use crate::script::{Answer, Event, Exchange, Header, Look, Script};

/// The core in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeRunner;

impl Runner for NativeRunner {
    fn supports(&self, _: &Script) -> bool {
        true
    }

    fn run(&mut self, script: &Script) -> Result<Seen, RunError> {
        let mut gate = Gate::new(1, script.rewrites_path);
        let mut now = script.start;
        let mut seen = Seen::default();
        let mut open: Vec<Option<Standing>> = Vec::new();
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
                Event::Request(exchange) => {
                    let (observed, standing) = observe(&mut gate, exchange, now);
                    seen.observed.push(observed);
                    open.push(standing);
                }
                Event::Look(look) => {
                    // What is asked at the first look is known at the second.
                    let mut ended = look_at(&mut gate, &mut open, look, now);
                    ended.extend(look_at(&mut gate, &mut open, look, now));
                    seen.ended.push(ended);
                }
            }
        }
        Ok(seen)
    }
}

/// Which requests end.
fn look_at(gate: &mut Gate, open: &mut [Option<Standing>], look: &Look, now: UnixTime) -> Vec<usize> {
    let mut ended = Vec::new();
    for (nth, place) in open.iter_mut().enumerate() {
        let Some(standing) = place else { continue };
        match gate.stand(standing, now.into(), true) {
            Stand::Ask(key, _) => {
                let answer = look.answer.as_ref().map_or(VerdictAnswer::Unavailable, Answer::verdict);
                gate.learn(key, answer, now);
            }
            Stand::Ends(_) => {
                *place = None;
                ended.push(nth);
            }
            Stand::Holds => {}
        }
    }
    ended
}

fn observe(gate: &mut Gate, exchange: &Exchange, now: UnixTime) -> (Observed, Option<Standing>) {
    let request = Request::read(exchange.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
    let (decision, asked) = match gate.on_request(&request, now) {
        Step::Ask(question) => {
            let answer = exchange.answer.as_ref().map_or(VerdictAnswer::Unavailable, Answer::verdict);
            let learned = gate.learn(question.key, answer, now);
            (gate.on_verdict(question.pending, &learned), vec![question.query])
        }
        Step::Done(decision) => (decision, Vec::new()),
    };
    let mut standing = None;
    let outcome = match decision {
        Decision::Permit(mut edits) => {
            let lines: Vec<&[u8]> = exchange.job_cookies.iter().map(String::as_bytes).collect();
            let answer = gate.on_answer(&mut edits.standing, &lines);
            let kept = answer.kept.unwrap_or_else(|| lines.iter().map(|line| line.to_vec()).collect());
            let kept = kept.iter().map(|line| String::from_utf8_lossy(line).into_owned());
            standing = Some(edits.standing.clone());
            Outcome::Permit(Permitted {
                candidates: edits.upstream.candidates.to_vec(),
                http2: edits.upstream.protocol == Protocol::Grpc,
                cookies: kept.chain(answer.added).collect(),
                headers: carry_out(*edits, exchange.headers.clone()),
            })
        }
        Decision::Redirect(reply) => Outcome::Redirect(refused(*reply)),
        Decision::Refuse(_, reply) => Outcome::Refuse(refused(*reply)),
    };
    (Observed { asked, outcome }, standing)
}

fn refused(reply: Reply) -> Refused {
    let header = |(name, value): (&str, String)| (name.into(), value.into_bytes());
    Refused {
        status: reply.status,
        grpc: reply.grpc_status,
        headers: reply.headers.into_iter().map(header).collect(),
        body: reply.body.into_bytes(),
    }
}

/// What the job gets of `headers`.
#[must_use]
pub fn carry_out(edits: RequestEdits, mut headers: Vec<Header>) -> Vec<Header> {
    for name in &edits.remove {
        remove(&mut headers, name);
    }
    let identity = edits.identity().cloned();
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
    if let Some(identity) = identity {
        set(&mut headers, "x-forwarded-user", identity.actor().into());
        if let Some(email) = identity.email() {
            set(&mut headers, "x-forwarded-email", email.into());
        }
        if !identity.groups().is_empty() {
            set(&mut headers, "x-forwarded-groups", identity.groups().into());
        }
        if let Some(uuid) = identity.arvados_user_uuid() {
            set(&mut headers, "x-arvados-user-uuid", uuid.into());
        }
    }
    if let Some(assertion) = &edits.assertion {
        set(&mut headers, ASSERTION_HEADER, assertion.as_bytes().into());
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
