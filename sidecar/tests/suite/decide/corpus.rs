//! The case corpus by forward-auth: the same gate, but every outcome goes through the headers that ingresses read.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::http::HeaderMap;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap as CheckedHeaders, HeaderValue as CheckedHeader};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use percent_encoding::percent_decode_str;
use taskgate::decide::answer;
use taskgate::decide::dialect::Dialect;
use taskgate::decide::engine::Engine;
use taskgate::decide::original::Original;
use taskgate::decide::passed::HeaderEdits;
use taskgate::replica::NotTaken;
use taskgate_core::edit::RequestEdits;
use taskgate_core::gate::{ApplyError, Decision};
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::VerdictAnswer;
use taskgate_suite::case::Need;
use taskgate_suite::script::{Answer, Event, Exchange, Header, Script};
use taskgate_suite::{Corpus, Observed, Outcome, Permitted, Refused, RunError, Runner, Seen, compare};

/// How the ingress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// `/v1/decide`.
    Headers,
    /// Envoy's `ext_authz` over gRPC.
    Check,
}

/// The gate behind one of the wires, and an ingress that does what it is told.
#[derive(Debug)]
struct DecideRunner(Wire);

impl Runner for DecideRunner {
    fn supports(&self, script: &Script) -> bool {
        self.beyond(script).is_none()
    }

    fn run(&mut self, script: &Script) -> Result<Seen, RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
        let engine = Engine::new(1).map_err(|error| error.to_string())?;
        let (mut now, mut seen) = (script.start, Seen::default());
        for event in &script.events {
            match event {
                Event::Advance(duration) => now = now.after(*duration),
                Event::Feed(bytes) => match engine.take(0, bytes, now) {
                    Ok(_) | Err(NotTaken::Apply(ApplyError::Config(_))) => {}
                    Err(error) => return Err(error.to_string()),
                },
                Event::Request(exchange) => {
                    let observed = self.observe(&engine, script.rewrites_path, exchange, now);
                    seen.observed.push(runtime.block_on(observed)?);
                }
                Event::Fails(_) | Event::Look(_) => return Err("not to be seen by an ingress that asks".into()),
            }
        }
        Ok(seen)
    }
}

impl DecideRunner {
    /// Why an ingress that asks can't be in the script's situation; none: it can.
    fn beyond(&self, script: &Script) -> Option<&'static str> {
        let needs = |need| script.needs.contains(&need);
        let all = |holds: fn(&Exchange) -> bool| script.exchanges().all(holds);
        let is_value = |(name, value): &Header| {
            let is_pseudo = name.first() == Some(&b':');
            (is_pseudo || HeaderName::from_bytes(name).is_ok()) && HeaderValue::from_bytes(value).is_ok()
        };
        if needs(Need::EndStreams) {
            Some("ends streams")
        } else if needs(Need::SeeFailures) {
            Some("sees failed addresses")
        } else if needs(Need::ShowHosts) || !all(has_one_host) {
            Some("answers a request without one host and path itself")
        } else if !all(|exchange| exchange.job_cookies.is_empty()) {
            Some("shows no cookies of jobs")
        } else if self.0 == Wire::Headers && !script.exchanges().all(|exchange| exchange.headers.iter().all(is_value)) {
            Some("refuses what no header can have")
        } else {
            None
        }
    }

    async fn observe(
        &self,
        engine: &Engine,
        rewrites_path: bool,
        exchange: &Exchange,
        now: UnixTime,
    ) -> Result<Observed, RunError> {
        let original = self.original(&exchange.headers)?;
        let mut asked = Vec::new();
        let ask = async |query| {
            asked.push(query);
            exchange.answer.as_ref().map_or(VerdictAnswer::Unavailable, Answer::verdict)
        };
        let decision = engine.decide(&original.request(), rewrites_path, now.into(), ask).await;
        let outcome = match decision {
            Decision::Permit(mut edits) => match self.0 {
                Wire::Headers => {
                    let uri = original.header(":path").unwrap_or_default();
                    let told = answer::permit(&mut edits, None, uri, Dialect::Haproxy);
                    let told = told.map_err(|denial| denial.code().to_owned())?;
                    Outcome::Permit(carry_out(&told, exchange.headers.clone()))
                }
                Wire::Check => Outcome::Permit(edited(&mut edits, exchange.headers.clone())),
            },
            Decision::Redirect(reply) => Outcome::Redirect(read(answer::whole(*reply)).await?),
            Decision::Refuse(_, reply) => Outcome::Refuse(read(answer::whole(*reply)).await?),
        };
        Ok(Observed { asked, outcome })
    }

    /// What the ingress says of a request.
    fn original(&self, headers: &[Header]) -> Result<Original, RunError> {
        let pseudo = |name: &str| once(headers, name).map(|value| text(value).into_owned()).unwrap_or_default();
        let lines = headers.iter().filter(|(name, _)| name.first() != Some(&b':'));
        let original = match self.0 {
            Wire::Headers => {
                let mut said = HeaderMap::new();
                for (name, value) in lines {
                    let name = HeaderName::from_bytes(name).map_err(|error| error.to_string())?;
                    said.append(name, HeaderValue::from_bytes(value).map_err(|error| error.to_string())?);
                }
                for (name, of) in [
                    ("x-forwarded-method", ":method"),
                    ("x-forwarded-host", ":authority"),
                    ("x-forwarded-uri", ":path"),
                ] {
                    let value = HeaderValue::from_bytes(once(headers, of).unwrap_or_default());
                    said.insert(name, value.map_err(|error| error.to_string())?);
                }
                Original::forwarded(&said)
            }
            Wire::Check => {
                let header = |(name, value): &Header| CheckedHeader {
                    key: text(name).into_owned(),
                    raw_value: value.clone(),
                    ..CheckedHeader::default()
                };
                Original::checked(&HttpRequest {
                    method: pseudo(":method"),
                    host: pseudo(":authority"),
                    path: pseudo(":path"),
                    header_map: Some(CheckedHeaders { headers: headers.iter().map(header).collect() }),
                    ..HttpRequest::default()
                })
            }
        };
        original.map_err(|error| error.to_string())
    }
}

/// An ingress that does what it is told, by the headers of the answer alone.
fn carry_out(told: &Response, mut headers: Vec<Header>) -> Permitted {
    let told = told.headers();
    let value = |name: &str| told.get(name).map(|value| value.as_bytes().to_vec());
    for name in value("x-taskgate-remove").unwrap_or_default().split(|byte| *byte == b',') {
        remove(&mut headers, name);
    }
    for (name, what, to) in [
        ("authorization", "x-taskgate-edit-authorization", "x-taskgate-job-authorization"),
        ("cookie", "x-taskgate-edit-cookie", "x-taskgate-cookie"),
    ] {
        match value(what).as_deref() {
            Some(b"keep") => {}
            Some(b"set") => set(&mut headers, name, value(to).unwrap_or_default()),
            _ => remove(&mut headers, name.as_bytes()),
        }
    }
    set(&mut headers, ":path", value("x-taskgate-uri").unwrap_or_default());
    for name in [
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-arvados-user-uuid",
        "x-taskgate-assertion",
        "x-taskgate-visitor",
    ] {
        if let Some(value) = value(name) {
            set(&mut headers, name, value);
        }
    }
    let candidates = ["x-taskgate-upstream", "x-taskgate-next", "x-taskgate-third"];
    let cookies = ["x-taskgate-set-cookie-1", "x-taskgate-set-cookie-2"];
    Permitted {
        candidates: candidates
            .into_iter()
            .filter_map(value)
            .filter_map(|text| self::text(&text).parse().ok())
            .collect(),
        http2: value("x-taskgate-protocol").as_deref() == Some(b"h2"),
        headers,
        cookies: cookies.into_iter().filter_map(value).map(|line| text(&line).into_owned()).collect(),
    }
}

/// An Envoy that does what it is told.
fn edited(edits: &mut RequestEdits, mut headers: Vec<Header>) -> Permitted {
    let told = HeaderEdits::of(edits);
    let mut ours = BTreeMap::new();
    for (name, value) in told.set {
        if name.starts_with("x-taskgate-up") || name == "x-taskgate-protocol" {
            remove(&mut headers, name.as_bytes());
            ours.insert(name, text(&value).into_owned());
        } else {
            set(&mut headers, name, value);
        }
    }
    for name in told.remove {
        remove(&mut headers, name.as_bytes());
    }
    Permitted {
        http2: ours.remove("x-taskgate-protocol").as_deref() == Some("h2"),
        candidates: ours.values().filter_map(|address| address.parse().ok()).collect(),
        headers,
        cookies: edits.standing.take_cookies(),
    }
}

/// What a client makes of a reply.
async fn read(response: Response) -> Result<Refused, RunError> {
    let (mut parts, body) = response.into_parts();
    let mut body = to_bytes(body, 1 << 20).await.map_err(|error| error.to_string())?.to_vec();
    let grpc = parts.headers.remove("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
    if grpc.is_some() {
        parts.headers.remove("content-type");
        let message = parts.headers.remove("grpc-message");
        body = percent_decode_str(message.as_ref().and_then(|text| text.to_str().ok()).unwrap_or_default()).collect();
    }
    let header = |(name, value): (&HeaderName, &HeaderValue)| (name.as_str().into(), value.as_bytes().into());
    Ok(Refused { status: parts.status.as_u16(), grpc, headers: parts.headers.iter().map(header).collect(), body })
}

fn once<'a>(headers: &'a [Header], wanted: &str) -> Option<&'a [u8]> {
    let mut found = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()));
    found.next().filter(|_| found.next().is_none()).map(|(_, value)| value.as_slice())
}

fn has_one_host(exchange: &Exchange) -> bool {
    let once = |name| once(&exchange.headers, name);
    once(":method").is_some()
        && once(":authority").is_some()
        && once(":path").is_some_and(|path| path.first() == Some(&b'/'))
        && !exchange.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"host"))
}

fn remove(headers: &mut Vec<Header>, name: &[u8]) {
    headers.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
}

fn set(headers: &mut Vec<Header>, name: &str, value: Vec<u8>) {
    remove(headers, name.as_bytes());
    headers.push((name.into(), value));
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Runs the corpus; how many cases can't be had on that wire, by what an ingress does there.
fn run(wire: Wire) -> BTreeMap<&'static str, usize> {
    let corpus = Corpus::load().expect("the corpus loads");
    let (mut wrong, mut beyond) = (Vec::new(), BTreeMap::new());
    let mut runner = DecideRunner(wire);
    for script in &corpus.scripts().expect("the corpus loads") {
        if let Some(reason) = runner.beyond(script) {
            *beyond.entry(reason).or_default() += 1;
            continue;
        }
        let seen = runner.run(script).unwrap_or_else(|error| panic!("{}: {error}", script.name));
        let differences = compare::differences(script, &seen, &corpus.fixtures);
        wrong.extend(differences.into_iter().map(|what| format!("{}: {what}", script.name)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    beyond
}

/// Cases that no ingress that asks can be in. A new one is looked at before it is counted here.
const BEYOND: [(&str, usize); 4] = [
    ("answers a request without one host and path itself", 25),
    ("ends streams", 15),
    ("sees failed addresses", 7),
    ("shows no cookies of jobs", 4),
];

#[test]
fn headers_of_an_answer_say_all_that_the_gate_decides() {
    let refused = ("refuses what no header can have", 4);
    assert_eq!(run(Wire::Headers), BEYOND.into_iter().chain([refused]).collect());
}

#[test]
fn envoy_is_told_all_that_the_gate_decides() {
    assert_eq!(run(Wire::Check), BEYOND.into_iter().collect());
}
