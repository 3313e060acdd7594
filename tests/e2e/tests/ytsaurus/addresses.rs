//! One request, one service: whatever names it, access is checked for the very one that it goes to.

use taskgate_emulators::ytsaurus::{Operation, Ytsaurus};
use taskgate_jobs::JobHandle;

use crate::support::ask::Ask;
use crate::support::cluster::{self, Name, gateway_host, host, job, operation, tasks_info, yson};
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, MALLORY};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

/// Alice's service, and one of Mallory's own, who may do nothing with Alice's.
struct Street {
    _cluster: Ytsaurus,
    gateway: Gateway,
    alices: Name,
    mallorys: Name,
    victim: JobHandle,
    own: JobHandle,
}

impl Street {
    async fn new() -> anyhow::Result<Self> {
        let cluster = cluster::start().await?;
        let (victim, own) = (jobs::http_on(2, "victim").await?, jobs::http_on(3, "own").await?);
        let annotations = tasks_info("{web={ui={port_index=0}}}");
        let alices = cluster.add_operation(operation(&annotations)?.alias("*alices"));
        let mallorys = Operation::new("mallory").annotations(yson(&annotations)?).alias("*mallorys");
        let mallorys = cluster.add_operation(mallorys);
        cluster.add_job(alices, job("web", &victim));
        cluster.add_job(mallorys, job("web", &own));
        let gateway = Setup::cluster(&cluster).start().await?;
        let [alices, mallorys] = [alices, mallorys].map(|id| Name::new(id, "web", "ui"));
        Ok(Self { _cluster: cluster, gateway, alices, mallorys, victim, own })
    }
}

/// All ways to name a service by headers: the id, the alias name, the triple by id and by alias.
fn headers(name: &Name, alias: &str) -> Vec<Vec<(&'static str, String)>> {
    let [operation, task, service] = name.triple();
    let by_alias = ("x-yt-taskproxy-operation-alias", alias.to_owned());
    vec![
        vec![("x-yt-taskproxy-id", name.id())],
        vec![("x-yt-taskproxy-id", format!("{alias}-web-ui"))],
        vec![operation, task.clone(), service.clone()],
        vec![by_alias, task, service],
    ]
}

fn with(ask: Ask, headers: &[(&'static str, String)]) -> Ask {
    headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
}

#[tokio::test]
async fn names_that_disagree_reach_nobody() -> Outcome {
    let street = Street::new().await?;
    let (alices, mallorys) = (&street.alices, &street.mallorys);
    let both = [(alices, "alices", mallorys, "mallorys"), (mallorys, "mallorys", alices, "alices")];
    let mut refused = 0;
    for (at, at_alias, other, other_alias) in both {
        for hostname in [at.host(), host(&format!("{at_alias}-web-ui")), format!("{}:9090", at.host())] {
            for headers in headers(other, other_alias) {
                let ask = with(Ask::get(&hostname, "/static").token(MALLORY), &headers);
                let answer = street.gateway.ingress.send(ask).await?;
                assert_eq!(answer.denial(), (400, "conflicting-address"), "{hostname} {headers:?}");
                refused += 1;
            }
        }
        // Header against header, at the gateway's own name.
        for (number, one) in headers(at, at_alias).iter().enumerate() {
            for (other_number, other) in headers(other, other_alias).iter().enumerate() {
                let ask = with(with(Ask::get(&gateway_host(), "/").token(MALLORY), one), other);
                let (status, denial) = {
                    let answer = street.gateway.ingress.send(ask).await?;
                    (answer.status, answer.header("x-taskgate-denial").to_owned())
                };
                // The same header twice is refused for that alone.
                assert_eq!(status, 400, "{one:?} {other:?}");
                let is_twice = (number < 2) == (other_number < 2);
                assert_eq!(denial == "conflicting-address", !is_twice, "{one:?} {other:?}: {denial}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2 * (3 * 4 + 16));
    assert_eq!((street.victim.connections(), street.own.connections()), (0, 0), "someone was reached");
    // All of them by themselves lead where they say.
    for (name, alias, expected) in [(alices, "alices", (403, "")), (mallorys, "mallorys", (200, "hello from own\n"))] {
        for headers in headers(name, alias) {
            let ask = with(Ask::get(&gateway_host(), "/").token(MALLORY), &headers);
            let answer = street.gateway.ingress.send(ask).await?;
            assert_eq!(answer.status, expected.0, "{headers:?}");
            assert!(answer.status == 403 || answer.text() == expected.1, "{headers:?}");
        }
    }
    assert_eq!(street.victim.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn static_files_need_a_credential_like_everything_else() -> Outcome {
    let street = Street::new().await?;
    let host = street.alices.host();
    let paths = [
        "/static",
        "/static/",
        "/static/app.js",
        "/static?x=1",
        "/staticX",
        "/static/../headers",
        "/static/%2e%2e/headers",
        "/static%2f..%2fheaders",
        "/static/..;/headers",
        "/%73tatic/app.js",
        "//static/app.js",
        "/x/../static/app.js",
        "/static//headers",
        "/STATIC/app.js",
    ];
    for path in paths {
        let refused = street.gateway.ingress.send(Ask::get(&host, path)).await?;
        assert_eq!(refused.denial(), (401, "credential-missing"), "{path}");
        let refused = street.gateway.ingress.send(Ask::get(&host, path).token(MALLORY)).await?;
        assert_eq!(refused.denial(), (403, "access-denied"), "{path}");
    }
    assert_eq!(street.victim.connections(), 0);
    for path in paths {
        let answer = street.gateway.ingress.send(Ask::get(&host, path).token(ALICE)).await?;
        assert_eq!(answer.json()?["target"], path, "the job gets the bytes that were sent");
    }
    Ok(())
}
