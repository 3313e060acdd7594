//! Who gets in, what others are told, and what it costs the cluster.

use std::time::Duration;

use taskgate_emulators::ytsaurus::{ClusterError, Fault, Ytsaurus};
use taskgate_jobs::JobHandle;

use crate::support::ask::{Answer, Ask};
use crate::support::cluster::{self, ALICE_COOKIE, EVERY_PORT, Name, job, operation, yson};
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, BOB, MALLORY};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

/// A cluster with one operation, and its job.
struct Office {
    cluster: Ytsaurus,
    web: Name,
    job: JobHandle,
}

impl Office {
    async fn new() -> anyhow::Result<Self> {
        let (cluster, handle) = (cluster::start().await?, jobs::http_on(2, "A").await?);
        let web = Name::new(cluster.add_operation(operation(EVERY_PORT)?), "web", "port_0");
        cluster.add_job(web.operation, job("web", &handle));
        Ok(Self { cluster, web, job: handle })
    }

    async fn visit(&self, gateway: &Gateway, token: &str) -> anyhow::Result<Answer> {
        gateway.ingress.send(self.web.get("/", token)).await
    }

    async fn becomes(&self, gateway: &Gateway, token: &str, status: u16, denial: &str) -> Outcome {
        let what = format!("{token} to get {status} {denial}");
        gateway.ingress.answers(&what, || self.web.get("/", token), |answer| answer.denial() == (status, denial)).await
    }
}

#[tokio::test]
async fn the_cluster_decides_and_everybody_is_told_what_is_so() -> Outcome {
    let office = Office::new().await?;
    let gateway = Setup::cluster(&office.cluster).start().await?;
    let send = async |ask: Ask| gateway.ingress.send(ask).await;
    let host = office.web.host();
    let cookie = |value: &str| Ask::get(&host, "/").header("cookie", format!("YTCypressCookie={value}"));
    let nothing = Name { task: "other".into(), ..office.web.clone() };
    let refusals = [
        (Ask::get(&host, "/"), 401, "credential-missing"),
        (Ask::get(&host, "/").header("authorization", "Basic dXNlcjpwYXNz"), 401, "credential-missing"),
        (office.web.get("/", "wrong-token"), 401, "credential-rejected"),
        (cookie("wrong-value"), 401, "credential-rejected"),
        (office.web.get("/", MALLORY), 403, "access-denied"),
        // What is not there is said to be not there, with a credential and without.
        (nothing.get("/", ALICE), 404, "unknown-service"),
        (Ask::get(&nothing.host(), "/"), 404, "unknown-service"),
    ];
    for (ask, status, denial) in refusals {
        let what = format!("{ask:?}");
        assert_eq!(send(ask).await?.denial(), (status, denial), "{what}");
    }
    assert_eq!(office.job.requests(), 0);
    for ask in [office.web.get("/", ALICE), office.web.get("/", BOB), cookie(ALICE_COOKIE)] {
        assert_eq!(send(ask).await?.text(), "hello from A\n");
    }

    // A changed access list counts at once with the next listing, whatever was decided before.
    office.cluster.set_acl(office.web.operation, yson("[{action=allow; subjects=[mallory]; permissions=[read]}]")?);
    let starting = office.cluster.add_operation(operation(&cluster::tasks_info("{web={ui={port_index=0}}}"))?);
    office.becomes(&gateway, BOB, 403, "access-denied").await?;
    office.becomes(&gateway, MALLORY, 200, "").await?;
    office.becomes(&gateway, ALICE, 200, "").await?;
    // An operation whose job is not there yet has its service all the same, and one that is over has none.
    let starting = Name::new(starting, "web", "ui");
    let comes_later = |answer: &Answer| answer.denial() == (503, "no-endpoint") && answer.header("retry-after") == "5";
    gateway.ingress.answers("the job to be awaited", || starting.get("/", ALICE), comes_later).await?;
    office.cluster.finish_operation(office.web.operation);
    office.becomes(&gateway, ALICE, 404, "unknown-service").await
}

#[tokio::test]
async fn a_hundred_requests_cost_the_cluster_two_questions() -> Outcome {
    let office = Office::new().await?;
    let gateway = Setup::cluster(&office.cluster).start().await?;
    let visits = (0..100).map(|_| office.visit(&gateway, BOB));
    for answer in futures_util::future::join_all(visits).await {
        assert_eq!(answer?.text(), "hello from A\n");
    }
    assert_eq!(office.job.requests(), 100);
    let asked = office.cluster.seen("whoami");
    let about_bob = asked.iter().filter(|call| call.headers.contains_key("authorization")).count();
    assert_eq!((about_bob, office.cluster.count("check_operation_permission")), (1, 1));
    // Refusals are remembered as well: whoever knocks all the time costs no more.
    for _ in 0..50 {
        assert_eq!(office.visit(&gateway, MALLORY).await?.status, 403);
    }
    assert_eq!(office.cluster.count("check_operation_permission"), 2);
    Ok(())
}

#[tokio::test]
async fn an_outage_stops_nobody_who_was_let_in_before() -> Outcome {
    let office = Office::new().await?;
    let setup = Setup::cluster(&office.cluster).configure(|config| {
        // A yes is old after a second, and then counts only because nobody can be asked.
        config["verdicts"]["allow_lifetime_secs"] = 1.into();
    });
    let gateway = setup.start().await?;
    office.becomes(&gateway, ALICE, 200, "").await?;
    office.cluster.set_reachable(false);
    let refused = office.visit(&gateway, BOB).await?;
    assert_eq!((refused.denial(), refused.header("retry-after")), ((503, "verdict-unavailable"), "2"));
    // Alice's requests go on well until some of them were asked about in vain, and beyond.
    let metric = "taskgate_verdicts_total{outcome=\"unavailable\"";
    let asked_in_vain = async || {
        let metrics = gateway.sidecar.metrics().await?;
        let counts = metrics.lines().filter(|line| line.starts_with(metric)).filter_map(|line| line.rsplit(' ').next());
        Ok::<u64, anyhow::Error>(counts.filter_map(|count| count.parse::<u64>().ok()).sum())
    };
    let before = asked_in_vain().await?;
    assert!(before > 0, "the question about Bob is counted");
    tokio::time::timeout(PATIENCE, async {
        while asked_in_vain().await? < before + 4 {
            let answer = office.visit(&gateway, ALICE).await?;
            anyhow::ensure!(answer.is_ok(), "{:?}", answer.denial());
        }
        anyhow::Ok(())
    })
    .await??;
    assert_eq!(office.visit(&gateway, BOB).await?.denial(), (503, "verdict-unavailable"));
    office.cluster.set_reachable(true);
    office.becomes(&gateway, BOB, 200, "").await?;
    assert_eq!(office.visit(&gateway, MALLORY).await?.denial(), (403, "access-denied"));
    Ok(())
}

#[tokio::test]
async fn trouble_of_the_cluster_is_never_a_no() -> Outcome {
    let office = Office::new().await?;
    let setup = Setup::cluster(&office.cluster).configure(|config| {
        config["verdicts"]["deadline_ms"] = 600.into();
        config["verdicts"]["sources"][0]["ytsaurus"]["timeout_ms"] = 300.into();
    });
    let gateway = setup.start().await?;
    let refuse = |status: u16, code: i64| {
        let error = ClusterError::new(code, "Something is wrong inside");
        Fault::Refuse { status, error }
    };
    let faults = [
        refuse(500, 1),
        refuse(400, 1),
        refuse(503, 2100),
        Fault::Unavailable { retry_after_secs: 60 },
        Fault::Close,
        Fault::Truncate,
        Fault::Hang,
        Fault::Delay(Duration::from_secs(20)),
    ];
    for command in ["whoami", "check_operation_permission"] {
        for fault in &faults {
            office.cluster.fail(command, 100, fault.clone());
            let answer = office.visit(&gateway, BOB).await?;
            assert_eq!(answer.denial(), (503, "verdict-unavailable"), "{command}: {fault:?}");
            assert_ne!(answer.header("retry-after"), "", "{command}: {fault:?}");
            office.cluster.clear_faults();
        }
    }
    // None of it is remembered.
    office.becomes(&gateway, BOB, 200, "").await
}
