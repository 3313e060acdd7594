//! The corpus against the compiled filter, in a host that behaves as Envoy does.

use std::time::Duration;

use taskgate_core::verdict::VerdictQuery;
use taskgate_suite::script::{Answer as SidecarAnswer, Event, Exchange, Header};
use taskgate_suite::{Corpus, Observed, Outcome as Seen, Permitted, Refused, RunError, Runner, Script, compare};
use taskgate_test_host::{Answer, Callout, Delivery, FilterModule, Headers, Host, Outcome, Request, RootId, Vm};

const CLUSTER: &str = "taskgate-sidecar";
const CONFIGURATION: &str = "cluster = taskgate-sidecar";
/// The headers by which Envoy is told where a request goes, in order.
const CANDIDATES: [&str; 3] = ["x-taskgate-up1", "x-taskgate-up2", "x-taskgate-up3"];
/// And that the job speaks HTTP/2.
const PROTOCOL: &str = "x-taskgate-protocol";
/// Ticks after which the filter must have asked for the table again, whatever it was answered.
const PATIENCE: usize = 50;
/// Less than the steps in which the filter lets a clock that it does not trust go on.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// The filter as it is shipped, on Envoy.
struct CompiledRunner(FilterModule);

impl Runner for CompiledRunner {
    /// Envoy can change paths, and makes `:authority` of `Host`: an ingress that does otherwise is for
    /// other runners.
    fn supports(&self, script: &Script) -> bool {
        let is_host = |(name, _): &Header| name.eq_ignore_ascii_case(b"host");
        script.rewrites_path && !script.exchanges().any(|exchange| exchange.headers.iter().any(is_host))
    }

    fn run(&mut self, script: &Script) -> Result<Vec<Observed>, RunError> {
        let host = Host::envoy([CLUSTER]);
        host.set_now_ns(script.start.as_millis().saturating_mul(1_000_000));
        let mut vm = host.vm(&self.0).map_err(|error| error.to_string())?;
        let root = vm.add_plugin(CONFIGURATION).map_err(|error| error.to_string())?;
        let mut play = Play { host, vm, root };
        let mut observed = Vec::new();
        for event in &script.events {
            match event {
                Event::Advance(duration) => play.pass(*duration),
                Event::Fails(address) => play.fail(&address.to_string())?,
                Event::Feed(page) => play.feed(page)?,
                Event::Request(exchange) => observed.push(play.exchange(exchange)),
            }
        }
        match play.vm.trap() {
            Some(trap) => Err(format!("trapped in {}: {}", trap.callback, trap.reason)),
            None => Ok(observed),
        }
    }
}

/// One worker of Envoy, and its sidecar.
struct Play {
    host: Host,
    vm: Vm,
    root: RootId,
}

impl Play {
    fn pass(&mut self, duration: Duration) {
        let mut left = duration;
        while !left.is_zero() {
            let step = left.min(LONGEST_STEP);
            self.host.advance(step);
            self.vm.tick(self.root);
            left -= step;
        }
    }

    /// Answers the poll that the filter holds open; no time passes.
    fn feed(&mut self, page: &[u8]) -> Result<(), RunError> {
        for _ in 0..PATIENCE {
            let poll = self.callouts().into_iter().find(|callout| callout.path().starts_with("/internal/table?"));
            let Some(poll) = poll else {
                self.vm.tick(self.root);
                continue;
            };
            let answer = Answer::new(200).header("x-taskgate-answer", "table-v1").body(page);
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
        let outcome = match self.vm.outcome(stream) {
            Outcome::Continued { headers } => permitted(&headers).unwrap_or_else(Seen::Broken),
            Outcome::Replied(reply) => match (self.vm.upstream(stream), u16::try_from(reply.status)) {
                (None, Ok(status)) => Seen::Refuse(Refused {
                    status,
                    grpc: reply.grpc_status.and_then(|status| u8::try_from(status).ok()),
                    headers: pairs(&reply.headers),
                    body: reply.body,
                }),
                other => Seen::Broken(format!("refused, but: {other:?}")),
            },
            other => Seen::Broken(format!("{other:?}")),
        };
        Observed { asked, outcome: broken.map_or(outcome, |why| Seen::Broken(why.into())) }
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

/// What the job gets, and what the proxy is told of where it is.
fn permitted(headers: &Headers) -> Result<Seen, String> {
    let candidate = |name: &str| {
        let values: Vec<&[u8]> = headers.values(name).collect();
        match values[..] {
            [value] => String::from_utf8_lossy(value).parse().map_err(|_| format!("{name} is no address")),
            _ => Err(format!("{name} comes {} times", values.len())),
        }
    };
    let candidates = CANDIDATES.into_iter().map(candidate).collect::<Result<_, _>>()?;
    let http2 = match headers.text(PROTOCOL) {
        None => false,
        Some("h2") => true,
        Some(other) => return Err(format!("{PROTOCOL} is {other:?}")),
    };
    let told = |name: &[u8]| CANDIDATES.iter().chain([&PROTOCOL]).any(|told| told.as_bytes() == name);
    let headers = pairs(headers).into_iter().filter(|(name, _)| !told(name)).collect();
    Ok(Seen::Permit(Permitted { candidates, http2, headers }))
}

fn pairs(headers: &Headers) -> Vec<Header> {
    headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

#[test]
fn the_filter_decides_every_case_as_written() {
    let scripts = Corpus::load().and_then(|corpus| corpus.scripts()).expect("the corpus loads");
    let path = crate::artefact::path("TASKGATE_FILTER", "taskgate_filter.wasm");
    let mut runner = CompiledRunner(FilterModule::load(path).expect("the filter loads; `make filter`"));
    let (supported, others): (Vec<&Script>, Vec<&Script>) = scripts.iter().partition(|script| runner.supports(script));
    assert!(others.len() < 20, "{} cases are beyond this runner", others.len());
    let mut wrong = Vec::new();
    for script in supported {
        let differences = match runner.run(script) {
            Ok(observed) => compare::differences(script, &observed),
            Err(error) => vec![error],
        };
        wrong.extend(differences.into_iter().map(|what| format!("{}: {what}", script.name)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
