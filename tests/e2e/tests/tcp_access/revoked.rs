//! What is open ends when the right to it does, and says so in the log.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Outcome;
use crate::support::client::Client;
use crate::support::service::Service;

use super::job::GREETING;
use super::site::{GREETS, Site};

/// How soon everything has to be over.
const BOUND: Duration = Duration::from_secs(15);

async fn ended(client: &mut Client, since: Instant) -> anyhow::Result<()> {
    assert_eq!(client.rest().await?, b"");
    assert!(since.elapsed() < BOUND, "it took {:?}", since.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_grant_a_certificate_and_a_service_that_go_take_their_connections_along() -> Outcome {
    let mut site = Site::start().await?;
    let (alice, second) = (site.user("alice")?, site.authority.issue("a2", "URI:spiffe://example.test/alice")?);
    let bob = site.authority.issue("bob", "DNS:b.example.test")?;
    let mut open = Vec::new();
    for shown in [&alice, &second, &bob] {
        let mut client = site.connect(GREETS, Some(shown)).await?;
        client.expect(GREETING).await?;
        open.push(client);
    }
    let [mut first, mut other, mut granted] = <[Client; 3]>::try_from(open).map_err(|_| anyhow::anyhow!("three"))?;

    let since = Instant::now();
    site.gateway.publish(&site.services().map(Service::without_grants))?;
    ended(&mut granted, since).await?;
    let line = site.line(GREETS, |line| line["actor.id"] == "bob").await?;
    assert_eq!((&line["access.rule"], &line["denial.code"]), (&json!("verdict"), &json!("unknown-service")), "{line}");
    first.echo("the owner stays\n").await?;

    let since = Instant::now();
    let revoked = json!([alice.sha256()?]);
    site.gateway.reconfigure(|config| {
        config["internal_task_gateway"]["client_certificates"]["revoked_sha256"] = revoked;
    })?;
    ended(&mut first, since).await?;
    let line = site.line(GREETS, |line| line["denial.code"] == "credential-rejected").await?;
    assert_eq!(line["actor.id"], "alice", "{line}");
    other.echo("another certificate of hers stays\n").await?;
    assert_eq!(site.connect(GREETS, Some(&alice)).await?.rest().await?, b"", "nor does it come in again");

    let since = Instant::now();
    site.gateway.publish(&[])?;
    ended(&mut other, since).await
}
