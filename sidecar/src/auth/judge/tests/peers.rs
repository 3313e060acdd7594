//! Questions about connections without headers.

use std::sync::Arc;

use taskgate_core::peer::{Peer, PeerCertificate};
use taskgate_core::service::{AccessLevel, Protocol};

use super::*;
use crate::auth::peers::PeerRules;
use crate::config::internal_task_gateway::peers::ClientCertificatesConfig;

fn rules() -> PeerRules {
    let config =
        ClientCertificatesConfig { san_prefix: Some("spiffe://x/".into()), ..ClientCertificatesConfig::default() };
    PeerRules::resolve(&config, Arc::from(["10.0.0.0/8".parse().expect("a network")])).expect("holds")
}

fn certificate(name: &str) -> Credential {
    let end = UnixTime::from_millis(900_000_000);
    let name = Some(format!("spiffe://x/{name}").into_bytes());
    Peer::Certificate(PeerCertificate::new([1; 32], end).named(name, None, None)).credential()
}

fn address(text: &str) -> Credential {
    Peer::Address(text.parse().expect("an address")).credential()
}

/// A judge with a source that knows everybody, before the one that is meant.
fn court() -> (Judge, Arc<Scripted>) {
    let court = Court::new(vec![]);
    let anybody = (0..9).map(|_| identified("anybody", None)).collect();
    let scripted = Arc::new(Scripted { answers: Mutex::new(anybody), ..Scripted::default() });
    let settings = VerdictSettings {
        deadline: Duration::from_millis(700),
        allow_lifetime: Duration::from_secs(30),
        deny_lifetime: Duration::from_secs(5),
        cache_entries: 100,
        sources: Vec::new(),
        fingerprint: Digest::of(b"sources"),
    };
    let list: Vec<Arc<dyn Source>> = vec![Arc::<Scripted>::clone(&scripted), Arc::new(rules())];
    (Judge::of(list, &settings, Arc::clone(&court.judge.shared), &court.tasks), scripted)
}

fn tcp(access: AccessLevel) -> Arc<Published> {
    let http = service(access);
    let entry = Entry { protocol: Protocol::Tcp, ..(*http.entry).clone() };
    let published = Published::new(http.id.clone(), Vec::new(), Arc::clone(&http.provider), Arc::new(entry));
    Arc::new(published.expect("publishable"))
}

async fn decided(judge: &Judge, service: &Arc<Published>, credential: &Credential) -> Result<String, Refusal> {
    match judge.decide(service, Some(Arc::new(ByPolicy)), credential).await {
        WireVerdict::Allow { identity, .. } => Ok(identity.actor),
        WireVerdict::Deny { code, .. } => Err(code),
        WireVerdict::Unavailable => panic!("can be said"),
    }
}

#[tokio::test]
async fn a_certificates_name_is_looked_at_by_the_provider_and_by_no_other_source() {
    let (judge, anybody) = court();
    let service = tcp(AccessLevel::CanRead);
    assert_eq!(decided(&judge, &service, &certificate("alice")).await, Ok("alice".to_owned()));
    assert_eq!(decided(&judge, &service, &certificate("mallory")).await, Err(Refusal::UnknownService));
    assert_eq!(decided(&judge, &service, &certificate("a/b")).await, Err(Refusal::CredentialRejected));
    assert_eq!(*anybody.asked.lock().expect("a count"), 0);
}

#[tokio::test]
async fn an_address_opens_what_is_public_from_the_networks_that_are_named() {
    let (judge, _) = court();
    let (open, closed) = (tcp(AccessLevel::Public), tcp(AccessLevel::CanRead));
    assert_eq!(decided(&judge, &open, &address("10.1.2.3")).await, Ok("source:10.0.0.0/8".to_owned()));
    assert_eq!(decided(&judge, &open, &address("11.1.2.3")).await, Err(Refusal::AccessDenied));
    assert_eq!(decided(&judge, &closed, &address("10.1.2.3")).await, Err(Refusal::CredentialRejected));
}

#[tokio::test]
async fn what_speaks_http_is_opened_by_no_peer() {
    let (judge, anybody) = court();
    for access in [AccessLevel::CanRead, AccessLevel::Public] {
        for credential in [certificate("alice"), address("10.1.2.3")] {
            assert_eq!(decided(&judge, &service(access), &credential).await, Err(Refusal::CredentialRejected));
        }
    }
    assert_eq!(*anybody.asked.lock().expect("a count"), 0);
}

#[tokio::test]
async fn what_comes_in_a_request_is_no_peer() {
    let (judge, _) = court();
    let service = tcp(AccessLevel::CanRead);
    // The other source knows everybody: who is named is whom it says, never who is in the text.
    let forged = Credential { scheme: Scheme::Bearer, ..certificate("alice") };
    assert_ne!(decided(&judge, &service, &forged).await, Ok("alice".to_owned()));
}
