//! Clusters that are down, slow, old or open: nothing of that is a no.

use std::time::Duration;

use taskgate::ytsaurus::client::error::code;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, codes};

use crate::kit::bearer;
use crate::ytsaurus::support::config;
use crate::ytsaurus::verdicts::stage::{Stage, eventually, sources, with_operation};

fn refuse(status: u16, code: i64) -> Fault {
    Fault::Refuse { status, error: ClusterError::new(code, "as this test wants it") }
}

#[tokio::test]
async fn a_cluster_that_is_down_refuses_nobody() {
    let stage = Stage::start("").await;
    stage.cluster.set_reachable(false);
    for name in ["alice", "mallory", "nobody"] {
        assert_eq!(stage.outcome(bearer(&format!("token-of-{name}"))).await, "unavailable", "{name}");
    }
    // Nothing of that was kept.
    stage.cluster.set_reachable(true);
    for (name, expected) in [("alice", "alice"), ("mallory", "AccessDenied"), ("nobody", "CredentialRejected")] {
        assert_eq!(stage.outcome(bearer(&format!("token-of-{name}"))).await, expected);
    }
    assert_eq!(
        stage.sidecar.metric(r#"taskgate_verdicts_total{outcome="unavailable",source="ytsaurus"}"#).await,
        Some(3)
    );
}

#[tokio::test]
async fn what_is_no_answer_of_whoami_is_no_verdict() {
    let stage = Stage::start("").await;
    for fault in [
        Fault::Unavailable { retry_after_secs: 60 },
        refuse(500, codes::INVALID_CREDENTIALS),
        refuse(503, codes::INVALID_CREDENTIALS),
        refuse(429, 1),
        refuse(404, 1),
        refuse(403, 1),
        refuse(302, 1),
        Fault::Hang,
    ] {
        stage.cluster.fail("whoami", 1, fault.clone());
        assert_eq!(stage.outcome(bearer("token-of-alice")).await, "unavailable", "{fault:?}");
    }
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
}

#[tokio::test]
async fn what_is_no_answer_of_the_check_is_no_verdict() {
    let stage = Stage::start("").await;
    for fault in [
        Fault::Unavailable { retry_after_secs: 60 },
        // The robot's own trouble is not the visitor's.
        refuse(401, codes::INVALID_CREDENTIALS),
        refuse(403, codes::USER_BANNED),
        refuse(400, codes::ACCESS_DENIED),
        refuse(400, code::AUTHENTICATION),
        refuse(400, codes::RESOLVE),
        refuse(400, 1),
        refuse(404, 1),
    ] {
        stage.cluster.fail("check_operation_permission", 1, fault.clone());
        assert_eq!(stage.outcome(bearer("token-of-alice")).await, "unavailable", "{fault:?}");
    }
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
}

#[tokio::test]
async fn a_cluster_in_trouble_is_asked_once_a_question() {
    let stage = Stage::start("").await;
    for fault in [
        Fault::Unavailable { retry_after_secs: 0 },
        refuse(503, code::UNAVAILABLE),
        refuse(500, 1),
        refuse(429, 1),
        refuse(400, code::QUEUE_SIZE_LIMIT),
        refuse(400, code::REQUEST_RATE_LIMIT),
    ] {
        stage.cluster.fail("check_operation_permission", u64::MAX, fault.clone());
        for name in ["alice", "bob", "carol", "mallory"] {
            assert_eq!(stage.outcome(bearer(&format!("token-of-{name}"))).await, "unavailable", "{fault:?}");
        }
        stage.cluster.clear_faults();
        stage.cluster.fail("whoami", u64::MAX, fault.clone());
        assert_eq!(stage.outcome(bearer("token-of-alice")).await, "unavailable", "{fault:?}");
        stage.cluster.clear_faults();
        assert_eq!(stage.calls(), (5, 4), "{fault:?}");
        stage.cluster.reset_calls();
    }
    // Old clusters too.
    stage.cluster.set_command("check_operation_permission", false);
    stage.cluster.fail("check_permission_by_acl", u64::MAX, refuse(503, code::UNAVAILABLE));
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "unavailable");
    assert_eq!((stage.calls(), stage.cluster.count("check_permission_by_acl")), ((1, 1), 1));
}

#[tokio::test]
async fn a_connection_that_was_closed_is_tried_anew_at_once() {
    let stage = Stage::start("").await;
    assert_eq!(stage.outcome(bearer("token-of-bob")).await, "bob");
    stage.cluster.reset_calls();
    stage.cluster.fail("whoami", 1, Fault::Close);
    stage.cluster.fail("check_operation_permission", 1, Fault::Close);
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
    assert_eq!(stage.calls(), (2, 2));
    // But not for ever.
    stage.cluster.reset_calls();
    stage.cluster.fail("whoami", u64::MAX, Fault::Close);
    assert_eq!(stage.outcome(bearer("token-of-mallory")).await, "unavailable");
    assert_eq!(stage.calls(), (2, 0));
}

#[tokio::test]
async fn a_slow_cluster_is_slow_once() {
    let (cluster, operation) = with_operation().await;
    let config =
        format!("{}{}", config(&cluster.url(), ""), sources("").replace("5000", "3000").replace("2500", "2900"));
    let stage = Stage::settled(cluster, operation, &config).await;
    stage.cluster.fail("whoami", u64::MAX, Fault::Delay(Duration::from_millis(1_500)));
    stage.cluster.fail("check_operation_permission", u64::MAX, Fault::Delay(Duration::from_millis(1_700)));
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "unavailable");
    eventually("is decided", async || stage.outcome(bearer("token-of-alice")).await == "alice").await;
    assert_eq!(stage.calls(), (1, 1));
}

#[tokio::test]
async fn an_old_cluster_is_shown_the_operations_access_list() {
    let stage = Stage::start("").await;
    stage.cluster.set_command("check_operation_permission", false);
    for (name, expected) in [("alice", "alice"), ("bob", "bob"), ("mallory", "AccessDenied")] {
        assert_eq!(stage.outcome(bearer(&format!("token-of-{name}"))).await, expected);
    }
    assert_eq!(stage.calls(), (3, 1));
    assert_eq!(stage.cluster.count("check_permission_by_acl"), 3);
}

#[tokio::test]
async fn a_cluster_that_asks_nobody_for_a_credential_is_not_believed() {
    let (cluster, operation) = with_operation().await;
    cluster.require_authentication(false);
    let config = format!("{}{}", config(&cluster.url(), ""), sources(""));
    let stage = Stage::start_with(cluster, operation, &config).await;
    for token in ["token-of-alice", "whatever"] {
        assert_eq!(stage.outcome(bearer(token)).await, "unavailable");
    }
    // Nobody's credential is shown to it.
    assert!(stage.cluster.seen("whoami").iter().all(|call| !call.headers.contains_key("authorization")));
    // Ten minutes later it is asked again.
    stage.cluster.require_authentication(true);
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "unavailable");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(600)).await;
    tokio::time::resume();
    eventually("is believed", async || stage.outcome(bearer("token-of-alice")).await == "alice").await;
    assert_eq!(stage.outcome(bearer("whatever")).await, "CredentialRejected");
}

#[tokio::test]
async fn a_cluster_that_stops_asking_is_not_believed_any_more() {
    let stage = Stage::start("").await;
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
    stage.cluster.require_authentication(false);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(600)).await;
    tokio::time::resume();
    eventually("is asked again", async || stage.cluster.count("whoami") > 1).await;
    eventually("is not believed", async || stage.outcome(bearer("token-of-bob")).await == "unavailable").await;
}

#[tokio::test]
async fn an_open_cluster_is_believed_where_the_configuration_says_so() {
    let (cluster, operation) = with_operation().await;
    cluster.require_authentication(false);
    let config = format!("{}{}", config(&cluster.url(), ""), sources(", allow_unauthenticated_cluster: true"));
    let stage = Stage::start_with(cluster, operation, &config).await;
    assert_eq!(stage.outcome(bearer("whatever")).await, "root");
}

#[tokio::test]
async fn nothing_counts_before_the_cluster_could_be_asked() {
    let (cluster, operation) = with_operation().await;
    cluster.fail("whoami", 1, Fault::Unavailable { retry_after_secs: 60 });
    let config = format!("{}{}", config(&cluster.url(), ""), sources(""));
    let stage = Stage::start_with(cluster, operation, &config).await;
    // The source itself asks again only later: the question does it.
    eventually("is asked", async || stage.cluster.count("whoami") > 0).await;
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
}
