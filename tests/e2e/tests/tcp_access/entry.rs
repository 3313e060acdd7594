//! Who comes in and who does not.

use serde_json::json;

use crate::support::Outcome;
use crate::support::client::Client;
use crate::support::service::id;

use super::job::GREETING;
use super::site::{GREETS, OPEN, PLAIN, Site, WAITS};

#[tokio::test]
async fn whom_a_certificate_names_comes_in_whoever_speaks_first() -> Outcome {
    let site = Site::start().await?;
    let alice = site.user("alice")?;
    let mut greeted = site.connect(GREETS, Some(&alice)).await?;
    greeted.expect(GREETING).await?;
    greeted.echo("hello\n").await?;
    let mut speaks = site.connect(WAITS, Some(&alice)).await?;
    speaks.echo("select 1\n").await?;
    drop(greeted);
    let line = site.line(GREETS, |_| true).await?;
    let said = ["service.id", "actor.id", "access.level", "access.rule"].map(|field| line[field].as_str());
    assert_eq!(said, [Some(id(GREETS).as_str()), Some("alice"), Some("can_read"), Some("verdict")], "{line}");
    assert!(line["denial.code"].is_null() && line["upstream.addr"].is_string(), "{line}");

    let bob = site.authority.issue("bob", "DNS:anything.example.test")?;
    site.connect(GREETS, Some(&bob)).await?.expect(GREETING).await?;
    let by_prefix = site.authority.issue("b", "URI:spiffe://example.test/users/bob")?;
    site.connect(GREETS, Some(&by_prefix)).await?.expect(GREETING).await
}

#[tokio::test]
async fn nobody_else_reaches_the_job() -> Outcome {
    let site = Site::start().await?;
    let known_elsewhere = taskgate_test_kit::Authority::new()?;
    let name = "URI:spiffe://example.test/alice";
    let strangers = [
        ("no certificate", None),
        ("of another authority", Some(known_elsewhere.issue("alice", name)?)),
        ("over", Some(site.authority.issue_expired("alice", name)?)),
        ("no user", Some(site.user("eve")?)),
        ("may nothing", Some(site.authority.issue("m", "URI:spiffe://example.test/users/mallory")?)),
    ];
    for (why, shown) in &strangers {
        let mut client = site.connect(GREETS, shown.as_ref()).await?;
        assert_eq!(client.rest().await?, b"", "{why}");
        let mut client = site.connect(WAITS, shown.as_ref()).await?;
        // It may be over before the first byte.
        let _ = client.send(b"select 1\n").await;
        assert_eq!(client.rest().await?, b"", "{why}");
    }
    assert_eq!((site.greets.connections(), site.waits.connections()), (0, 0), "not one of them");
    site.line(GREETS, |line| line["denial.code"] == "credential-rejected" && line["actor.id"].is_null()).await?;
    let line = site.line(GREETS, |line| line["actor.id"] == "mallory").await?;
    assert_eq!(line["denial.code"], "unknown-service", "{line}");
    Ok(())
}

#[tokio::test]
async fn what_is_open_is_so_from_where_the_operator_says() -> Outcome {
    let mut site = Site::start().await?;
    let mut open = site.connect_plainly(OPEN).await?;
    open.echo("hello\n").await?;
    let mut plain = site.connect_plainly(PLAIN).await?;
    assert_eq!(plain.rest().await?, b"", "an address is good for nothing else");
    let line = site.line(PLAIN, |_| true).await?;
    assert_eq!(line["denial.code"], "credential-missing", "{line}");

    site.gateway.reconfigure(|config| config["internal_task_gateway"]["source_ranges"] = json!(["10.0.0.0/8"]))?;
    assert_eq!(open.rest().await?, b"", "ends what is open");
    let line = site.line(OPEN, |line| line["actor.id"] == "source:127.0.0.0/8").await?;
    assert_eq!((&line["access.rule"], &line["denial.code"]), (&json!("verdict"), &json!("access-denied")), "{line}");
    let before = site.waits.connections();
    assert_eq!(Client::plain(site.port(OPEN).await?).await?.rest().await?, b"");
    assert_eq!(site.waits.connections(), before, "nobody new");
    Ok(())
}
