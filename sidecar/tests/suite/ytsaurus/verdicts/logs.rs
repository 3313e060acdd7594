//! A whole sign-in, with everything logged that anything logs.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use taskgate::config::logs::{LogFormat, LogsConfig};
use taskgate::telemetry::logs::Logs;
use taskgate::ytsaurus::commands::cypress::Get;
use taskgate_core::verdict::{Credential, Scheme, VerdictQuery};
use taskgate_emulators::ytsaurus::{ClusterError, Fault};
use tokio::net::TcpStream;

use crate::kit::{bearer, credential};
use crate::log_lines::Lines;
use crate::ytsaurus::support::{TOKEN, client, cluster, within};
use crate::ytsaurus::verdicts::stage::{ALICES_COOKIE, Stage};

/// What a long token starts with.
const LONG: &str = "long-token";
/// What an open listener is shown all the same.
const LISTENERS_SECRET: &str = "secret-of-the-listener";

/// Asks as Envoy does: over HTTP/2, with the listener's secret.
async fn ask_over_http2(stage: &Stage, credential: &Credential) {
    let stream = TcpStream::connect(&stage.sidecar.running.addresses.internal).await.expect("connects");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("speaks HTTP/2");
    let connection = tokio::spawn(connection);
    let epoch = stage.sidecar.running.app.registry.service(&stage.id).expect("a service").epoch;
    let body = VerdictQuery { service: stage.id.clone(), epoch, credential: credential.clone() }.encode();
    let request =
        http::Request::post("http://taskgate/internal/verdict").header("x-taskgate-internal", LISTENERS_SECRET);
    let request = request.body(Full::<Bytes>::from(body)).expect("a request");
    assert_eq!(sender.send_request(request).await.expect("an answer").status(), 200);
    connection.abort();
}

/// Has the cluster quote what it is shown, as the end of a text that is cut there or as a value.
async fn quote_everything(stage: &Stage) {
    let long = bearer(&format!("{LONG}{}", "L".repeat(2_000)));
    let refuse = |status, message: &str| Fault::Refuse {
        status,
        error: ClusterError::generic("outer").because(ClusterError::generic(message)),
    };
    for before in [0, 400, 470, 485, 495] {
        for (status, shown) in [(400, &long), (503, &long), (400, &bearer("token-of-alice"))] {
            let before = "x".repeat(before);
            stage.sidecar.clock.advance(Duration::from_secs(60));
            stage.cluster.fail("whoami", 1, refuse(status, &format!("{before}{}", shown.value)));
            assert_eq!(stage.outcome(shown.clone()).await, "unavailable");
            let quoted = refuse(status, &format!("{before}{TOKEN}"));
            stage.cluster.fail("check_operation_permission", 10, quoted);
            assert_eq!(stage.outcome(bearer("token-of-bob")).await, "unavailable");
            stage.cluster.clear_faults();
        }
    }
}

#[tokio::test]
async fn no_credential_is_in_any_log_metric_or_debug_form() {
    let lines = Lines::default();
    let config = LogsConfig { format: LogFormat::Json, level: "trace".into() };
    Logs::start(&config, lines.clone()).expect("a level");

    let stage = Stage::start("").await;
    let cookie = credential(Scheme::Cookie, Some("YTCypressCookie"), ALICES_COOKIE);
    let oauth = credential(Scheme::Oauth, None, "token-of-bob");
    let shown = [bearer("token-of-alice"), cookie, oauth, bearer("token-of-mallory"), bearer("token-of-nobody")];
    for fault in [None, Some(Fault::Close), Some(Fault::Unavailable { retry_after_secs: 1 }), Some(Fault::Truncate)] {
        for credential in &shown {
            stage.sidecar.clock.advance(Duration::from_secs(60));
            if let Some(fault) = &fault {
                stage.cluster.fail("whoami", 2, fault.clone());
            }
            stage.outcome(credential.clone()).await;
            ask_over_http2(&stage, credential).await;
            stage.cluster.clear_faults();
        }
    }
    quote_everything(&stage).await;
    let (_, metrics) = stage.sidecar.get(stage.sidecar.operations("/metrics")).await;
    let logged = lines.text();
    // Both what we log and what is below us.
    for expected in ["\"verdict\":\"allow\"", "\"verdict\":\"unavailable\"", "hyper", "h2::", "TRACE"] {
        assert!(logged.contains(expected), "{expected}");
    }
    // That visitors wait is said in their lines.
    assert!(!logged.contains("is asked again"));
    let shown_forms = format!("{shown:?} {:?}", stage.sidecar.running);
    let of_visitors = ["token-of-alice", "token-of-bob", "token-of-mallory", "token-of-nobody", ALICES_COOKIE];
    // Of long ones, not a part either.
    let secrets = of_visitors.into_iter().chain([TOKEN, &TOKEN[..8], LONG, LISTENERS_SECRET]);
    for text in [&logged, &metrics, &shown_forms] {
        for secret in secrets.clone() {
            let found = text.find(secret).map(|at| &text[at.saturating_sub(200)..(at + 50).min(text.len())]);
            assert_eq!(found, None);
        }
    }
}

#[tokio::test]
async fn one_failed_command_of_a_batch_shows_the_token_as_little_as_all_of_them() {
    let cluster = cluster().await;
    for before in [0, 485] {
        let error = ClusterError::generic(format!("{}{TOKEN}", "x".repeat(before)));
        cluster.fail("execute_batch/get", 1, Fault::Refuse { status: 400, error });
        let gets = [Get { path: "//home".into() }];
        let results = client(&cluster.url()).batch(&gets, within(5_000)).await.expect("a batch");
        let shown = format!("{results:?} {}", results[0].as_ref().expect_err("as this test wants it"));
        assert!(!shown.contains(&TOKEN[..8]), "{shown}");
    }
}
