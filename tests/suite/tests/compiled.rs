//! The corpus against the compiled filter, in hosts that behave as Envoy and as WasmX do.

mod ingress;

use std::time::Duration;

use taskgate_core::feed::FeedPage;
use taskgate_core::verdict::VerdictQuery;
use taskgate_suite::script::{Answer as SidecarAnswer, Event, Exchange, Header, Look};
use taskgate_suite::{Corpus, Observed, Outcome as Happened, Refused, RunError, Runner, Script, Seen, compare};
use taskgate_test_host::{
    Answer, Callout, Delivery, FilterModule, Headers, Host, Outcome, Reply, Request, RootId, StreamId, Vm,
};

use ingress::Ingress;

/// Ticks after which the filter must have asked for the table again, whatever it was answered.
const PATIENCE: usize = 50;
/// After so many ticks the filter has looked at what it permitted.
const TICKS_BETWEEN_LOOKS: usize = 11;
/// Less than the steps in which the filter lets a clock that it does not trust go on.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// The filter as it is shipped, on a proxy.
struct CompiledRunner {
    filter: FilterModule,
    ingress: Ingress,
}

impl Runner for CompiledRunner {
    fn supports(&self, script: &Script) -> bool {
        self.ingress.supports(script)
    }

    fn run(&mut self, script: &Script) -> Result<Seen, RunError> {
        let host = self.ingress.host();
        host.set_now_ns(script.start.as_millis().saturating_mul(1_000_000));
        let mut vm = host.vm(&self.filter).map_err(|error| error.to_string())?;
        let root = vm.add_plugin(self.ingress.configuration()).map_err(|error| error.to_string())?;
        let keeps = script.looks().next().is_some();
        let ingress = &self.ingress;
        let mut play = Play { ingress, host, vm, root, open: Vec::new(), keeps, life: None };
        let mut seen = Seen::default();
        for event in &script.events {
            match event {
                Event::Advance(duration) => play.pass(*duration),
                Event::Fails(address) => play.fail(&address.to_string())?,
                Event::Feed(page) => play.feed(page)?,
                Event::Request(exchange) => seen.observed.push(play.exchange(exchange)),
                Event::Look(look) => seen.ended.push(play.look(look)),
            }
        }
        match play.vm.trap() {
            Some(trap) => Err(format!("trapped in {}: {}", trap.callback, trap.reason)),
            None => Ok(seen),
        }
    }
}

/// One worker of a proxy, and its sidecar.
struct Play<'i> {
    ingress: &'i Ingress,
    host: Host,
    vm: Vm,
    root: RootId,
    /// The requests so far, those that were not permitted as none.
    open: Vec<Option<StreamId>>,
    /// Whether anybody wants to know what becomes of them.
    keeps: bool,
    /// The life of the sidecar that the last page was of.
    life: Option<u64>,
}

impl Play<'_> {
    fn pass(&mut self, duration: Duration) {
        let mut left = duration;
        while !left.is_zero() {
            let step = left.min(LONGEST_STEP);
            self.host.advance(step);
            self.vm.tick(self.root);
            left -= step;
        }
    }

    /// Answers the poll that the filter holds open; no time passes. A sidecar that starts anew was away, which the
    /// poll before it shows.
    fn feed(&mut self, page: &[u8]) -> Result<(), RunError> {
        let life = FeedPage::decode(page).map_err(|error| error.to_string())?.epoch;
        if self.life.replace(life).is_some_and(|before| before != life) {
            self.answer_poll(Answer::reset())?;
        }
        self.answer_poll(Answer::new(200).header("x-taskgate-answer", "table-v1").body(page))
    }

    fn answer_poll(&mut self, answer: Answer) -> Result<(), RunError> {
        for _ in 0..PATIENCE {
            let poll = self.callouts().into_iter().find(|callout| callout.path().starts_with("/internal/table?"));
            let Some(poll) = poll else {
                self.vm.tick(self.root);
                continue;
            };
            return match self.vm.answer(poll.id, answer) {
                Delivery::Delivered => Ok(()),
                other => Err(format!("the page was not delivered: {other:?}")),
            };
        }
        Err("the filter does not poll".into())
    }

    /// A second attempt of some request, as the filter on the upstream's side sees it.
    fn fail(&mut self, address: &str) -> Result<(), RunError> {
        let attempt = Request::get("any.example", "/")
            .header("x-envoy-attempt-count", "2")
            .property(&["upstream", "request_attempt_count"], 2_u64.to_le_bytes())
            .property(&["metadata", "filter_metadata", "taskgate", "up1"], address);
        let stream = self.vm.request(self.root, attempt);
        match self.vm.outcome(stream) {
            Outcome::Continued { .. } => Ok(()),
            other => Err(format!("a second attempt did not go on: {other:?}")),
        }
    }

    fn callouts(&self) -> Vec<Callout> {
        self.vm.callouts()
    }

    fn exchange(&mut self, exchange: &Exchange) -> Observed {
        let headers = exchange.headers.iter().fold(Headers::new(), |headers, (name, value)| headers.with(name, value));
        let stream = self.vm.request(self.root, Request::new(headers));
        let mut asked = Vec::new();
        let mut broken = None;
        for question in self.callouts().into_iter().filter(|callout| callout.path() == "/internal/verdict") {
            match VerdictQuery::decode(&question.body) {
                Some(query) => asked.push(query),
                None => broken = Some("the sidecar was asked what it can't read"),
            }
            let answer = exchange.answer.as_ref().map_or_else(Answer::refused, answer);
            if self.vm.answer(question.id, answer) != Delivery::Delivered {
                broken = Some("the sidecar's answer went to nobody");
            }
        }
        self.open.push(None);
        let outcome = match self.vm.outcome(stream) {
            Outcome::Continued { headers } => {
                self.open.pop();
                self.open.push(Some(stream));
                let cookies = self.answered(stream, &exchange.job_cookies);
                let permitted =
                    cookies.and_then(|cookies| self.ingress.permitted(&self.vm, stream, &headers, cookies, exchange));
                permitted.map_or_else(Happened::Broken, Happened::Permit)
            }
            Outcome::Replied(reply) => match (self.vm.upstream(stream), u16::try_from(reply.status)) {
                (None, Ok(status)) => {
                    let refused = refused(status, &reply);
                    let is_redirect = status == 303 && reply.headers.text("x-taskgate-denial").is_none();
                    if is_redirect { Happened::Redirect(refused) } else { Happened::Refuse(refused) }
                }
                other => Happened::Broken(format!("refused, but: {other:?}")),
            },
            other => Happened::Broken(format!("{other:?}")),
        };
        if !self.keeps {
            self.vm.finish(stream);
        }
        Observed { asked, outcome: broken.map_or(outcome, |why| Happened::Broken(why.into())) }
    }

    /// The job answers; what cookies the visitor gets.
    fn answered(&mut self, stream: StreamId, cookies: &[String]) -> Result<Vec<String>, String> {
        let headers = Headers::new().with(":status", "200");
        let headers = cookies.iter().fold(headers, |headers, line| headers.with("set-cookie", line));
        match self.vm.response_headers(stream, headers, false) {
            Outcome::Continued { headers } => {
                Ok(headers.values("set-cookie").map(|line| String::from_utf8_lossy(line).into_owned()).collect())
            }
            other => Err(format!("the answer did not go on: {other:?}")),
        }
    }

    /// The filter looks at what it permitted, asks, and looks again; which requests end.
    fn look(&mut self, look: &Look) -> Vec<usize> {
        for _ in 0..2 {
            for _ in 0..TICKS_BETWEEN_LOOKS {
                self.vm.tick(self.root);
            }
            for question in self.callouts().into_iter().filter(|callout| callout.path() == "/internal/verdict") {
                let answer = look.answer.as_ref().map_or_else(Answer::refused, answer);
                let _ = self.vm.answer(question.id, answer);
            }
        }
        let mut ended = Vec::new();
        for (nth, place) in self.open.iter_mut().enumerate() {
            if place.is_some_and(|stream| matches!(self.vm.outcome(stream), Outcome::Closed)) {
                *place = None;
                ended.push(nth);
            }
        }
        ended
    }
}

fn answer(answer: &SidecarAnswer) -> Answer {
    match answer {
        SidecarAnswer::Lost => Answer::reset(),
        SidecarAnswer::Http { status, marker, body } => {
            let answer = Answer::new(*status).body(body.clone());
            marker.iter().fold(answer, |answer, marker| answer.header("x-taskgate-answer", marker))
        }
    }
}

/// A refusal as the client of a job sees it. A proxy that knows nothing of gRPC is given gRPC's own headers.
fn refused(status: u16, reply: &Reply) -> Refused {
    let written = reply.headers.text("grpc-status").and_then(|code| code.parse().ok());
    let Some(code) = written else {
        let grpc = reply.grpc_status.and_then(|status| u8::try_from(status).ok());
        return Refused { status, grpc, headers: pairs(&reply.headers), body: reply.body.clone() };
    };
    let body = reply.headers.value("grpc-message").unwrap_or_default().to_vec();
    let own = |name: &[u8]| [&b"content-type"[..], b"grpc-status", b"grpc-message"].contains(&name);
    let headers = pairs(&reply.headers).into_iter().filter(|(name, _)| !own(name)).collect();
    Refused { status, grpc: Some(code), headers, body }
}

fn pairs(headers: &Headers) -> Vec<Header> {
    headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// Plays every case that it can be in; what is wrong, and the cases that it can't be in.
fn play(ingress: Ingress, filter: &str, variable: &str) -> Result<(Vec<String>, Vec<Script>), String> {
    let corpus = Corpus::load()?;
    let scripts = corpus.scripts()?;
    let filter = FilterModule::load(crate::artefact::path(variable, filter)).map_err(|error| error.to_string())?;
    let mut runner = CompiledRunner { filter, ingress };
    let (supported, others): (Vec<Script>, Vec<Script>) =
        scripts.into_iter().partition(|script| runner.supports(script));
    let mut wrong = Vec::new();
    for script in &supported {
        let differences = match runner.run(script) {
            Ok(seen) => compare::differences(script, &seen, &corpus.fixtures),
            Err(error) => vec![error],
        };
        wrong.extend(differences.into_iter().map(|what| format!("{}: {what}", script.name)));
    }
    Ok((wrong, others))
}

#[test]
fn the_filter_decides_every_case_as_written() {
    let (wrong, others) = play(Ingress::Envoy, "taskgate_filter.wasm", "TASKGATE_FILTER").expect("it is played");
    assert!(others.len() < 20, "{} cases are beyond this runner", others.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_filter_decides_every_case_as_written_on_wasmx() {
    let (wrong, others) =
        play(Ingress::wasmx(), "taskgate_filter_wasmx.wasm", "TASKGATE_WASMX_FILTER").expect("it is played");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    // Each case that WasmX can't be in says why, and there are no more of them than are known.
    for (need, count) in Ingress::lacks() {
        let names: Vec<&str> =
            others.iter().filter(|script| script.needs.contains(&need)).map(|script| script.name.as_str()).collect();
        assert_eq!(names.len(), count, "{need:?}: {names:?}");
    }
}
