//! The corpus itself: enough cases, each with a name of its own, every denial reached.

use std::collections::BTreeSet;

use taskgate_core::denial::Denial;
use taskgate_core::naming::ServiceDigest;
use taskgate_suite::case::{Expect, Need};
use taskgate_suite::fixture::Row;
use taskgate_suite::script::{Event, Exchange};
use taskgate_suite::{Corpus, Script};

/// What no request alone can bring about: too many requests at once, a host that fails, an answer that an ingress can't
/// read. The tests of the compiled filter (`filter`) and of the sidecar's forward-auth reach them.
const BEYOND_CASES: [Denial; 3] = [Denial::HeadersTooLarge, Denial::Overloaded, Denial::ProxyFailure];

fn scripts() -> Result<Vec<Script>, String> {
    Corpus::load()?.scripts()
}

#[test]
fn has_at_least_150_cases_with_names_of_their_own() {
    let corpus = Corpus::load().expect("the corpus loads");
    assert!(corpus.cases.len() >= 150, "{} cases", corpus.cases.len());
    let mut names = BTreeSet::new();
    for (file, case) in &corpus.cases {
        let kebab = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        assert!(case.name.bytes().all(kebab), "{file}: {:?} is not in kebab-case", case.name);
        assert!(names.insert(&case.name), "{file}: {:?} is there twice", case.name);
    }
}

#[test]
fn every_case_sends_a_request() {
    for script in scripts().expect("the corpus loads") {
        assert!(script.exchanges().next().is_some(), "{}", script.name);
    }
}

#[test]
fn reaches_every_denial() {
    let mut missing: BTreeSet<&str> = Denial::ALL.iter().map(|denial| denial.code()).collect();
    for script in scripts().expect("the corpus loads") {
        for exchange in script.exchanges() {
            if let Expect::Refuse(refuse) = &exchange.expect {
                missing.remove(refuse.code.as_str());
            }
        }
    }
    assert_eq!(missing, BEYOND_CASES.iter().map(|denial| denial.code()).collect());
}

#[test]
fn expects_only_codes_that_exist() {
    let codes: BTreeSet<&str> = Denial::ALL.iter().map(|denial| denial.code()).collect();
    for script in scripts().expect("the corpus loads") {
        for exchange in script.exchanges() {
            if let Expect::Refuse(refuse) = &exchange.expect {
                assert!(codes.contains(refuse.code.as_str()), "{}: {}", script.name, refuse.code);
            }
        }
    }
}

#[test]
fn ids_in_the_fixtures_are_suffixes_of_their_own_digest() {
    let corpus = Corpus::load().expect("the corpus loads");
    for (name, row) in &corpus.fixtures.services {
        let Row::Service(row) = row else { continue };
        let service = row.service();
        let digest = ServiceDigest::of(service.operation, service.task, service.name());
        assert!(digest.ids().any(|id| id.as_str() == service.id), "{name}: {} is no id of its names", service.id);
    }
}

#[test]
fn every_case_says_what_not_every_ingress_can_do() {
    let is_named = |(name, value): &(Vec<u8>, Vec<u8>)| {
        let target = value.split(|byte| *byte == b'?').next().unwrap_or_default();
        name.eq_ignore_ascii_case(b"host")
            || name == b":authority"
            || (name == b":path" && target.windows(3).any(|part| part == b"://"))
    };
    for script in scripts().expect("the corpus loads") {
        let changes_path = |exchange: &&Exchange| {
            let path =
                |headers: &[(Vec<u8>, Vec<u8>)]| headers.iter().rev().find(|(name, _)| name == b":path").cloned();
            matches!(exchange.expect, Expect::Permit(_)) && path(&exchange.headers) != path(&exchange.job_headers)
        };
        let several = |exchange: &&Exchange| exchange.headers.iter().filter(|header| is_named(header)).count() > 1;
        for (need, is_needed) in [
            (Need::EndStreams, script.looks().next().is_some()),
            (Need::RewritePaths, script.exchanges().any(|exchange| changes_path(&exchange))),
            (Need::SeeFailures, script.events.iter().any(|event| matches!(event, Event::Fails(_)))),
        ] {
            assert_eq!(script.needs.contains(&need), is_needed, "{}: {need:?}", script.name);
        }
        let shows = script.exchanges().any(|exchange| several(&exchange));
        assert!(!shows || script.needs.contains(&Need::ShowHosts), "{}: several hosts", script.name);
    }
}

#[test]
fn every_fixture_is_used() {
    let corpus = Corpus::load().expect("the corpus loads");
    let text: String = corpus.cases.iter().map(|(_, case)| format!("{case:?}")).collect();
    let tables: String = corpus.fixtures.tables.values().map(|table| format!("{table:?}")).collect();
    let used = |name: &str| text.contains(&format!("{name:?}"));
    let names = |names: Vec<&String>| names.into_iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
    for name in names(corpus.fixtures.answers.keys().chain(corpus.fixtures.gates.keys()).collect()) {
        assert!(used(&name), "nothing uses {name}");
    }
    for name in names(corpus.fixtures.services.keys().chain(corpus.fixtures.controls.keys()).collect()) {
        assert!(used(&name) || tables.contains(&format!("{name:?}")), "nothing uses {name}");
    }
    for name in names(corpus.fixtures.tables.keys().collect()) {
        assert!(used(&name), "no case starts with table {name}");
    }
}
