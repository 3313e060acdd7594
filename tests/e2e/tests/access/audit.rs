//! One line for each request, in Envoy's access log.

use serde_json::Value;

use crate::support::ask::Ask;
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, MALLORY, Service, host, id};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

use super::with_access;

/// The line of the request with that path.
async fn line(gateway: &Gateway, path: &str) -> anyhow::Result<Value> {
    let mut found = None;
    taskgate_test_kit::wait_until(PATIENCE, "a line in the access log", async || {
        let log = gateway.ingress.envoy.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        found = lines.into_iter().find(|line| line["http.path"] == path);
        found.is_some()
    })
    .await?;
    found.ok_or_else(|| anyhow::anyhow!("no line of {path}"))
}

#[tokio::test]
async fn allow_and_deny_have_the_same_fields() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").access("public").at(job.address())];
    let gateway = with_access(Setup::new(services)).start().await?;
    let session = gateway.session("web").await?;
    let forged = |ask: Ask| ask.header("x-forwarded-user", "root");
    let ask = |task: &str, path: &str| forged(Ask::get(&host(task), path));
    let requests = [
        (
            ask("web", "/verdict?secret=s3cret").token(ALICE),
            "/verdict",
            [Some("alice"), Some("can_read"), Some("verdict"), None],
        ),
        (
            ask("web", "/session").header("cookie", format!("taskgate={session}")),
            "/session",
            [Some("alice"), Some("can_read"), Some("session"), None],
        ),
        (ask("open", "/public"), "/public", [None, Some("public"), Some("public"), None]),
        (ask("web", "/nobody"), "/nobody", [None, Some("can_read"), None, Some("credential-missing")]),
        (
            ask("web", "/refused").token(MALLORY),
            "/refused",
            [Some("mallory"), Some("can_read"), None, Some("unknown-service")],
        ),
        (ask("nowhere", "/nowhere"), "/nowhere", [None, None, None, Some("unknown-service")]),
    ];
    for (ask, path, expected) in requests {
        gateway.ingress.send(ask).await?;
        let line = line(&gateway, path).await?;
        let said = ["actor.id", "access.level", "access.rule", "denial.code"].map(|field| line[field].as_str());
        assert_eq!(said, expected, "{line}");
        let task = match path {
            "/public" => Some(id("open")),
            "/nowhere" => None,
            _ => Some(id("web")),
        };
        assert_eq!(line["service.id"].as_str(), task.as_deref(), "{line}");
        assert!(line["request.id"].is_string() && line["duration_ms"].is_number(), "{line}");
        assert!(!line.to_string().contains("s3cret") && !line.to_string().contains("tg1."), "{line}");
    }
    Ok(())
}
