//! Verdicts that a cluster gives.

mod access;
mod logs;
mod stage;
mod trouble;

use std::time::Duration;

use futures_util::future::join_all;
use taskgate::ytsaurus::client::error::code;
use taskgate_core::verdict::Scheme;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, codes};

use crate::kit::{bearer, credential, outcome};
use crate::ytsaurus::support::{TOKEN, yson};
use crate::ytsaurus::verdicts::stage::{ALICES_COOKIE, Stage, shown};

#[tokio::test]
async fn tokens_and_cookies_are_the_clusters_however_they_are_written() {
    let stage = Stage::start("").await;
    for (header, value) in [
        ("authorization", "OAuth token-of-alice"),
        ("authorization", "oauth token-of-alice"),
        ("authorization", "OAUTH  token-of-alice"),
        ("authorization", "Bearer token-of-alice"),
        ("authorization", "bEaReR token-of-alice"),
        ("x-taskgate-authorization", "bearer token-of-alice"),
        ("cookie", "a=1; YTCypressCookie=cookie-of-alice; b=2"),
        ("cookie", "YTCypressCookie cookie-of-alice"),
    ] {
        assert_eq!(stage.outcome(shown(header, value)).await, "alice", "{header}: {value}");
    }
    assert_eq!(stage.outcome(credential(Scheme::Query, Some("token"), "token-of-alice")).await, "alice");
    for wrong in [
        bearer("token-of-nobody"),
        bearer(ALICES_COOKIE),
        credential(Scheme::Oauth, None, "token-of-alice2"),
        credential(Scheme::Cookie, Some("YTCypressCookie"), "token-of-alice"),
        // Not one of the cluster's, so nobody's.
        credential(Scheme::Cookie, Some("other"), ALICES_COOKIE),
        credential(Scheme::Cookie, Some("YTCypressCookie"), "cookie-of-alice; x=1"),
    ] {
        assert_eq!(stage.outcome(wrong.clone()).await, "CredentialRejected", "{wrong:?}");
    }
}

#[tokio::test]
async fn the_cluster_sees_that_one_credential_and_nothing_else() {
    let stage = Stage::start("").await;
    stage.outcome(shown("authorization", "oauth token-of-alice")).await;
    stage.outcome(shown("cookie", "a=1; YTCypressCookie cookie-of-alice; b=2")).await;
    let whoami = stage.cluster.seen("whoami");
    let mut seen: Vec<String> = Vec::new();
    for call in &whoami {
        for (name, value) in &call.headers {
            let told = ["authorization", "cookie", "x-yt-user-name", "x-csrf-token"].contains(&name.as_str());
            if told || !["accept", "host", "user-agent"].contains(&name.as_str()) {
                seen.push(format!("{name}: {}", value.to_str().expect("text")));
            }
        }
    }
    assert_eq!(seen, ["authorization: OAuth token-of-alice", "cookie: YTCypressCookie=cookie-of-alice"]);
    let checks = stage.cluster.seen("check_operation_permission");
    assert_eq!(checks.len(), 2);
    for call in checks {
        assert_eq!(call.headers["authorization"], format!("OAuth {TOKEN}").as_str());
        assert!(!call.headers.contains_key("x-yt-user-name") && !call.headers.contains_key("cookie"));
        let asked = |name: &str| call.parameters.find(name).and_then(|value| value.as_str()).unwrap_or_default();
        assert_eq!((asked("user"), asked("permission")), ("alice", "read"));
        assert_eq!(asked("operation_id"), stage.operation.to_string());
    }
}

#[tokio::test]
async fn fifty_who_ask_the_same_cost_two_calls() {
    let stage = Stage::start("").await;
    let verdicts = join_all((0..50).map(|_| stage.outcome(bearer("token-of-alice")))).await;
    assert!(verdicts.iter().all(|verdict| verdict == "alice"), "{verdicts:?}");
    assert_eq!(stage.calls(), (1, 1));
}

#[tokio::test]
async fn a_revoked_token_counts_until_its_verdict_ends() {
    let stage = Stage::start("").await;
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
    stage.cluster.revoke_token("token-of-alice");
    stage.sidecar.clock.advance(Duration::from_secs(29));
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
    stage.sidecar.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "CredentialRejected");
}

#[tokio::test]
async fn who_may_not_read_the_operation_is_refused_until_they_may() {
    let stage = Stage::start("").await;
    assert_eq!(stage.outcome(bearer("token-of-bob")).await, "bob");
    assert_eq!(stage.outcome(bearer("token-of-mallory")).await, "AccessDenied");
    stage.cluster.add_group("ml", &["mallory"]);
    assert_eq!(stage.outcome(bearer("token-of-mallory")).await, "AccessDenied");
    stage.sidecar.clock.advance(Duration::from_secs(5));
    assert_eq!(stage.outcome(bearer("token-of-mallory")).await, "mallory");
}

#[tokio::test]
async fn superusers_may_and_banned_users_are_nobody() {
    let stage = Stage::start("").await;
    stage.cluster.set_superuser("mallory", true);
    assert_eq!(stage.outcome(bearer("token-of-mallory")).await, "mallory");
    let refuse = |code, message: &str| Fault::Refuse { status: 403, error: ClusterError::new(code, message) };
    stage.cluster.fail("whoami", 1, refuse(codes::USER_BANNED, "User \"bob\" is banned"));
    assert_eq!(stage.outcome(bearer("token-of-bob")).await, "CredentialRejected");
    // Which says nothing about alice.
    stage.cluster.fail("whoami", 1, refuse(codes::ACCESS_DENIED, "not allowed to access proxy with role \"x\""));
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "unavailable");
}

#[tokio::test]
async fn a_user_who_is_gone_is_refused() {
    let stage = Stage::start("").await;
    let gone = ClusterError::new(code::AUTHENTICATION, "No such user \"alice\"; create user by requesting a role");
    let error = ClusterError::generic("Error checking permission").because(gone);
    stage.cluster.fail("check_operation_permission", 1, Fault::Refuse { status: 400, error });
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "AccessDenied");
}

#[tokio::test]
async fn names_of_any_language_are_the_same_for_whoami_and_check() {
    let stage = Stage::start("").await;
    stage.cluster.add_user("алиса é", "token-of-another");
    assert_eq!(stage.outcome(bearer("token-of-another")).await, "AccessDenied");
    stage.cluster.add_group("ml", &["алиса é"]);
    stage.sidecar.clock.advance(Duration::from_secs(5));
    assert_eq!(stage.outcome(bearer("token-of-another")).await, "алиса é");
    stage.cluster.add_user("a\nb", "token-of-crlf");
    assert_eq!(stage.outcome(bearer("token-of-crlf")).await, "CredentialRejected");
}

#[tokio::test]
async fn the_services_of_another_provider_are_none_of_the_clusters() {
    let stage = Stage::with_file().await;
    let verdict = stage.sidecar.verdict(crate::kit::GREETER, bearer("token-of-alice")).await;
    assert_eq!(outcome(&verdict), "CredentialRejected");
    assert_eq!(stage.calls(), (0, 0));
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
}

#[tokio::test]
async fn a_change_of_the_access_list_counts_as_soon_as_it_is_seen() {
    let stage = Stage::start(", operations_secs: 1, jobs_secs: 1").await;
    assert_eq!(stage.outcome(bearer("token-of-bob")).await, "bob");
    let mut reader = stage.sidecar.table().await;
    stage.cluster.set_acl(stage.operation, yson("[]"));
    stage.sidecar.next_page(&mut reader).await;
    assert_eq!(stage.outcome(bearer("token-of-bob")).await, "AccessDenied");
    assert_eq!(stage.outcome(bearer("token-of-alice")).await, "alice");
}
