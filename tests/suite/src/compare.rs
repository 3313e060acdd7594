//! Whether what was observed is what a case expects.

use core::fmt::Write as _;
use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};

use taskgate_core::reply::DENIAL_HEADER;
use taskgate_core::service::Protocol;
use taskgate_core::verdict::VerdictQuery;

use crate::case::{BodyKind, Expect, Permit, Redirect, Refuse};
use crate::fixture::Fixtures;
use crate::runner::{Outcome, Permitted, Refused, Seen};
use crate::script::{Exchange, Header, Script, socket_address};
use crate::text::{opened, shown};

/// Every difference between a script's expectations and what was observed; none: they agree.
#[must_use]
pub fn differences(script: &Script, seen: &Seen, fixtures: &Fixtures) -> Vec<String> {
    let observed = &seen.observed;
    let exchanges: Vec<&Exchange> = script.exchanges().collect();
    let mut found = Vec::new();
    if exchanges.len() != observed.len() {
        found.push(format!("{} requests were sent, {} outcomes came back", exchanges.len(), observed.len()));
    }
    for (nth, (exchange, observed)) in exchanges.iter().zip(observed).enumerate() {
        let mut differences = Differences { found: Vec::new(), fixtures };
        differences.asked(exchange.asked.as_ref(), &observed.asked);
        differences.outcome(exchange, &observed.outcome);
        found.extend(differences.found.into_iter().map(|what| format!("request {nth}: {what}")));
    }
    let expected: Vec<&Vec<usize>> = script.looks().map(|look| &look.ends).collect();
    let ended: Vec<&Vec<usize>> = seen.ended.iter().collect();
    if expected != ended {
        found.push(format!("requests that end: expected {expected:?}, got {ended:?}"));
    }
    found
}

struct Differences<'f> {
    found: Vec<String>,
    fixtures: &'f Fixtures,
}

impl Differences<'_> {
    fn add(&mut self, what: impl Into<String>) {
        self.found.push(what.into());
    }

    fn unless_equal<Value: PartialEq + core::fmt::Debug>(&mut self, what: &str, expected: &Value, actual: &Value) {
        if expected != actual {
            self.add(format!("{what}: expected {expected:?}, got {actual:?}"));
        }
    }

    fn asked(&mut self, expected: Option<&VerdictQuery>, actual: &[VerdictQuery]) {
        let text = |VerdictQuery { service, epoch, credential }: &VerdictQuery| {
            format!("{service} of epoch {epoch} {:?} {:?} {}", credential.scheme, credential.name, credential.value)
        };
        let expected: Vec<String> = expected.iter().map(|query| text(query)).collect();
        let actual: Vec<String> = actual.iter().map(text).collect();
        self.unless_equal("asked", &expected, &actual);
    }

    fn outcome(&mut self, exchange: &Exchange, actual: &Outcome) {
        match (&exchange.expect, actual) {
            (Expect::Permit(expected), Outcome::Permit(actual)) => self.permit(exchange, expected, actual),
            (Expect::Refuse(expected), Outcome::Refuse(actual)) => self.refuse(exchange, expected, actual),
            (Expect::Redirect(expected), Outcome::Redirect(actual)) => self.redirect(exchange, expected, actual),
            (expected, Outcome::Redirect(actual)) => {
                let location = value(&actual.headers, "location");
                self.add(format!("expected {expected:?}, got a redirect to {location:?}"));
            }
            (Expect::Redirect(_), actual) => self.add(format!("expected a redirect, got {actual:?}")),
            (Expect::Permit(_), Outcome::Refuse(actual)) => {
                self.add(format!(
                    "expected a permit, got {} {:?}",
                    actual.status,
                    value(&actual.headers, DENIAL_HEADER)
                ));
            }
            (Expect::Refuse(expected), Outcome::Permit(actual)) => {
                self.add(format!("expected {}, got a permit to {:?}", expected.code, actual.candidates));
            }
            (_, Outcome::Broken(why)) => self.add(why.clone()),
        }
    }

    fn permit(&mut self, exchange: &Exchange, expected: &Permit, actual: &Permitted) {
        self.unless_equal("HTTP/2 to the job", &(expected.protocol == Protocol::Grpc), &actual.http2);
        self.candidates(exchange, expected, &actual.candidates);
        self.cookies(&expected.cookies, &actual.cookies);
        let (mut expected, mut actual) = (by_name(&exchange.job_headers), by_name(&actual.headers));
        // Lines of cookies may be joined on their way (RFC 9113, section 8.2.3).
        for headers in [&mut expected, &mut actual] {
            headers.entry("cookie".into()).and_modify(|lines| *lines = vec![lines.join("; ")]);
        }
        for name in expected.keys().chain(actual.keys()).collect::<BTreeSet<_>>() {
            self.unless_equal(&format!("the job's header {name}"), &expected.get(name), &actual.get(name));
        }
    }

    /// A redirect gives away nothing, is not kept, and has these cookies and no other.
    fn redirect(&mut self, exchange: &Exchange, expected: &Redirect, actual: &Refused) {
        self.unless_equal("status", &303, &actual.status);
        self.unless_equal("location", &Some(expected.location.clone()), &value(&actual.headers, "location"));
        self.unless_equal("cache-control", &Some("no-store".to_owned()), &value(&actual.headers, "cache-control"));
        self.unless_equal("body", &"", &String::from_utf8_lossy(&actual.body).trim_end());
        for (name, text) in &expected.headers {
            self.unless_equal(
                &format!("the reply's header {name}"),
                &Some(text.clone()),
                &value(&actual.headers, name),
            );
        }
        let is_cookie = |(name, value): &Header| (name == b"set-cookie").then(|| shown(value));
        let cookies: Vec<String> = actual.headers.iter().filter_map(is_cookie).collect();
        self.cookies(&expected.cookies, &cookies);
        self.no_secret(exchange, actual);
    }

    fn cookies(&mut self, expected: &[String], actual: &[String]) {
        let actual: Vec<String> = actual.iter().map(|line| opened(line, self.fixtures)).collect();
        self.unless_equal("cookies of the answer", &expected, &actual.as_slice());
    }

    fn candidates(&mut self, exchange: &Exchange, expected: &Permit, actual: &[SocketAddr]) {
        for stranger in actual.iter().filter(|address| !exchange.endpoints.contains(address)) {
            self.add(format!("candidate {stranger} is no endpoint of {}", expected.service));
        }
        let distinct: BTreeSet<&SocketAddr> = actual.iter().collect();
        self.unless_equal("slots", &3, &actual.len());
        self.unless_equal("distinct candidates", &exchange.endpoints.len().min(3), &distinct.len());
        let parsed = |list: &[String]| list.iter().map(|text| socket_address(text)).collect::<Result<Vec<_>, _>>();
        match expected.candidates.as_deref().map(parsed).transpose() {
            Ok(None) => {}
            Ok(Some(list)) => {
                let slots: Vec<SocketAddr> = list.iter().copied().cycle().take(3).collect();
                self.unless_equal("candidates", &slots.as_slice(), &actual);
            }
            Err(error) => self.add(error),
        }
        match expected.first.as_deref().map(parsed).transpose() {
            Ok(Some(list)) if !actual.first().is_some_and(|first| list.contains(first)) => {
                self.add(format!("first candidate: expected one of {list:?}, got {:?}", actual.first()));
            }
            Ok(_) => {}
            Err(error) => self.add(error),
        }
    }

    fn refuse(&mut self, exchange: &Exchange, expected: &Refuse, actual: &Refused) {
        self.unless_equal("code", &Some(expected.code.clone()), &value(&actual.headers, DENIAL_HEADER));
        // A gRPC client's reply is a 200 where the ingress writes it out itself.
        if expected.grpc.is_none() || actual.status != 200 {
            self.unless_equal("status", &expected.status, &actual.status);
        }
        self.unless_equal("gRPC status", &expected.grpc, &actual.grpc);
        for (name, text) in &expected.headers {
            self.unless_equal(
                &format!("the reply's header {name}"),
                &Some(text.clone()),
                &value(&actual.headers, name),
            );
        }
        for name in &expected.absent {
            self.unless_equal(&format!("the reply's header {name}"), &None, &value(&actual.headers, name));
        }
        self.unless_equal("cache-control", &Some("no-store".to_owned()), &value(&actual.headers, "cache-control"));
        self.body(expected, actual);
        self.no_secret(exchange, actual);
    }

    fn body(&mut self, expected: &Refuse, actual: &Refused) {
        let content_type = value(&actual.headers, "content-type");
        let text = String::from_utf8_lossy(&actual.body);
        match expected.body {
            BodyKind::Connect => {
                self.unless_equal("content-type", &Some("application/json".to_owned()), &content_type);
                let error: serde_json::Value = serde_json::from_slice(&actual.body).unwrap_or_default();
                let message = error["message"].as_str().unwrap_or_default();
                if !error["code"].is_string() || !message.starts_with(&format!("{}: ", expected.code)) {
                    self.add(format!("Connect error: {text}"));
                }
            }
            BodyKind::Grpc => {
                self.unless_equal("content-type", &None, &content_type);
                if !text.starts_with(&format!("{}: ", expected.code)) {
                    self.add(format!("gRPC message: {text}"));
                }
            }
            BodyKind::Page => {
                self.unless_equal("content-type", &Some("text/html; charset=utf-8".to_owned()), &content_type);
                if !text.starts_with("<!doctype html>") || !text.contains(&expected.code) {
                    self.add(format!("page: {text}"));
                }
            }
            BodyKind::Problem => {
                self.unless_equal("content-type", &Some("application/problem+json".to_owned()), &content_type);
                let problem: serde_json::Value = serde_json::from_slice(&actual.body).unwrap_or_default();
                let member = |name: &str| problem.get(name).cloned().unwrap_or_default();
                self.unless_equal("problem's code", &expected.code.clone().into(), &member("code"));
                self.unless_equal("problem's status", &expected.status.into(), &member("status"));
            }
        }
    }

    /// Nothing of what the client sent comes back: neither a secret nor markup.
    fn no_secret(&mut self, exchange: &Exchange, actual: &Refused) {
        let body = shown(&actual.body);
        let said = exchange.headers.iter().filter(|(name, _)| {
            [&b"authorization"[..], b"cookie", b"x-taskgate-authorization"]
                .contains(&name.to_ascii_lowercase().as_slice())
        });
        for word in said.flat_map(|(_, value)| words(value)).filter(|word| word.len() > 6) {
            if body.contains(&word) {
                self.add(format!("the reply repeats {word:?}"));
            }
        }
    }
}

fn words(value: &[u8]) -> Vec<String> {
    shown(value).split([' ', ';', '=']).filter(|word| !["Bearer", "bearer"].contains(word)).map(Into::into).collect()
}

/// The one value of a header; several are shown joined, so that they equal no single one.
fn value(headers: &[Header], name: &str) -> Option<String> {
    let mut values = headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
    let mut text = shown(&values.next()?.1);
    for (_, more) in values {
        // Writing to a String can't fail.
        let _ = write!(text, " AND {}", shown(more));
    }
    Some(text)
}

/// Values by name in lower case: the order of different names does not matter, that within one does.
fn by_name(headers: &[Header]) -> BTreeMap<String, Vec<String>> {
    let mut grouped: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        grouped.entry(shown(name).to_ascii_lowercase()).or_default().push(shown(value));
    }
    grouped
}
