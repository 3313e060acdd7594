//! What reaches a job, and what reaches the cluster.

use std::collections::BTreeMap;

use serde_json::Value;
use taskgate_emulators::ytsaurus::Ytsaurus;
use taskgate_jobs::JobHandle;

use crate::support::ask::{Answer, Ask};
use crate::support::cluster::{self, ALICE_COOKIE, Name, job, operation};
use crate::support::service::ALICE;
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

/// A cluster with a service that asks for credentials and one that does not, of the same job.
struct Place {
    cluster: Ytsaurus,
    plain: Name,
    asking: Name,
    _job: JobHandle,
}

impl Place {
    async fn new() -> anyhow::Result<Self> {
        let cluster = cluster::start().await?;
        let handle = jobs::http_on(2, "A").await?;
        let services = "{plain={port_index=0}; asking={port_index=0; forward_credential=%true}}";
        let operation = operation(&cluster::tasks_info(&format!("{{web={services}}}")))?;
        let id = cluster.add_operation(operation);
        cluster.add_job(id, job("web", &handle));
        let [plain, asking] = ["plain", "asking"].map(|service| Name::new(id, "web", service));
        Ok(Self { cluster, plain, asking, _job: handle })
    }
}

/// The headers that a job saw, by name.
fn seen(answer: &Answer) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in answer.json()?.as_array().into_iter().flatten() {
        let text = |index: usize| pair[index].as_str().map(ToOwned::to_owned).unwrap_or_default();
        seen.entry(text(0)).or_default().push(text(1));
    }
    Ok(seen)
}

/// A visit with a credential of Alice's and much that would be a lie.
fn visit(name: &Name, credential: (&'static str, &str)) -> Ask {
    let mut ask = Ask::get(&name.host(), "/headers?secret=in-the-query").header(credential.0, credential.1);
    for (name, value) in name.triple() {
        ask = ask.header(name, value);
    }
    for name in ["x-yt-user-name", "x-forwarded-user", "x_forwarded_user", "x-yt-taskproxy-anything"] {
        ask = ask.header(name, "root");
    }
    ask.header("x-yt-taskproxy-id", name.id()).header("x-own", "kept").header("cookie", "theirs=1")
}

fn credentials() -> [(&'static str, String); 4] {
    [
        ("authorization", format!("Bearer {ALICE}")),
        ("authorization", format!("OAuth {ALICE}")),
        ("cookie", format!("YTCypressCookie={ALICE_COOKIE}")),
        ("cookie", format!("YTCypressCookie {ALICE_COOKIE}")),
    ]
}

#[tokio::test]
async fn a_job_gets_the_visitors_name_and_no_credential() -> Outcome {
    let place = Place::new().await?;
    let gateway = Setup::cluster(&place.cluster).start().await?;
    for (header, value) in credentials() {
        let answer = gateway.ingress.send(visit(&place.plain, (header, &value))).await?;
        let seen = seen(&answer)?;
        let text = answer.text();
        for secret in [ALICE, ALICE_COOKIE, "YTCypressCookie", "root", "taskproxy", "x-yt-", "authorization"] {
            assert!(!text.contains(secret), "{value}: {secret} in {text}");
        }
        for (name, expected) in [("x-forwarded-user", "alice"), ("x-own", "kept"), ("cookie", "theirs=1")] {
            assert_eq!(seen.get(name), Some(&vec![expected.to_owned()]), "{value}: {name}");
        }
    }
    // The cluster is shown the one credential, and nothing else that the visitor sent.
    let mut shown = Vec::new();
    for call in place.cluster.seen("whoami") {
        assert!(!format!("{:?}", call.headers).contains("root"), "{call:?}");
        let text = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        shown.extend([text("authorization"), text("cookie")].into_iter().flatten());
    }
    shown.sort();
    shown.dedup();
    let cookie = format!("YTCypressCookie={ALICE_COOKIE}");
    assert_eq!(shown, [format!("Bearer {ALICE}"), format!("OAuth {ALICE}"), cookie]);
    // Nobody finds any of it in a log.
    let metrics = gateway.sidecar.metrics().await?;
    for log in [gateway.sidecar.log(), gateway.ingress.envoy.log(), metrics] {
        for secret in [ALICE, ALICE_COOKIE, "in-the-query", cluster::ROBOT] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_asks_gets_the_credential_unless_the_operator_forbids_it() -> Outcome {
    let place = Place::new().await?;
    let mut gateway = Setup::cluster(&place.cluster).start().await?;
    for (header, value) in credentials() {
        let answer = gateway.ingress.send(visit(&place.asking, (header, &value))).await?;
        let text = seen(&answer)?.get(header).map(|values| values.join("; ")).unwrap_or_default();
        assert!(text.contains(&value), "{value} in {text}");
        let other = if header == "cookie" { ALICE } else { ALICE_COOKIE };
        assert!(!answer.text().contains(other), "{}", answer.text());
        let plain = gateway.ingress.send(visit(&place.plain, (header, &value))).await?;
        assert_eq!(seen(&plain)?.get("authorization"), None, "{value}");
    }
    gateway.reconfigure(|config| config["providers"][0]["ytsaurus"]["forward_credential"] = Value::from("never"))?;
    let forbidden = |answer: &Answer| answer.is_ok() && !answer.text().contains(ALICE);
    let token = format!("Bearer {ALICE}");
    gateway
        .ingress
        .answers("no credential to be passed on", || visit(&place.asking, ("authorization", &token)), forbidden)
        .await?;
    for (header, value) in credentials() {
        let answer = gateway.ingress.send(visit(&place.asking, (header, &value))).await?;
        assert_eq!(seen(&answer)?.get("x-forwarded-user"), Some(&vec!["alice".to_owned()]));
        assert!(!answer.text().contains(ALICE) && !answer.text().contains(ALICE_COOKIE), "{}", answer.text());
    }
    Ok(())
}
