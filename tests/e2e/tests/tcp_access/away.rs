//! While the sidecar says nothing.

use crate::support::Outcome;

use super::job::GREETING;
use super::site::{GREETS, OPEN, Site, WAITS};

#[tokio::test]
async fn no_byte_passes_before_the_sidecar_has_answered() -> Outcome {
    let mut site = Site::start_with(|setup| {
        let setup = setup.configure(|config| config["verdicts"]["deadline_ms"] = 30_000.into());
        setup.line("verdict_timeout_ms = 40000")
    })
    .await?;
    let alice = site.user("alice")?;
    site.gateway.sidecar.pause().await?;
    let mut greeted = site.connect(GREETS, Some(&alice)).await?;
    let mut speaks = site.connect(WAITS, Some(&alice)).await?;
    speaks.send(b"select 1\n").await?;
    let mut plain = site.connect_plainly(OPEN).await?;
    plain.send(b"select 2\n").await?;
    site.asked(3).await?;
    speaks.send(b"select 3\n").await?;
    assert_eq!((site.greets.connections(), site.waits.connections()), (0, 0), "the jobs hear of nobody");
    site.gateway.sidecar.resume()?;
    greeted.expect(GREETING).await?;
    speaks.expect(b"select 1\nselect 3\n").await?;
    plain.expect(b"select 2\n").await
}

#[tokio::test]
async fn a_sidecar_that_is_dead_keeps_out_those_who_are_new_alone() -> Outcome {
    let mut site = Site::start().await?;
    let (alice, bob) = (site.user("alice")?, site.authority.issue("bob", "DNS:b.example.test")?);
    let mut open = site.connect(GREETS, Some(&alice)).await?;
    open.expect(GREETING).await?;
    site.gateway.sidecar.kill()?;
    site.connect(GREETS, Some(&alice)).await?.expect(GREETING).await?;
    assert_eq!(site.connect(GREETS, Some(&bob)).await?.rest().await?, b"", "nobody can say");
    let line = site.line(GREETS, |line| line["denial.code"] == "verdict-unavailable").await?;
    assert!(line["actor.id"].is_null(), "{line}");
    open.echo("still there\n").await?;
    site.gateway.sidecar.restart().await?;
    let mut returned = site.connect(GREETS, Some(&bob)).await?;
    returned.expect(GREETING).await?;
    open.echo("and on\n").await
}
