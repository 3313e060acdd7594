//! Services that are not open: whom a client certificate names comes in, at a port that the sidecar had Envoy make.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskgate_test_kit::{Authority, Issued, environment, wait_for};

use super::job::Job;
use super::site::{Plan, Site};
use crate::support::client::Client;
use crate::support::service::{Service, id};
use crate::support::{Outcome, PATIENCE};

const TASK: &str = "closed";
/// How soon a connection has to end when the right to it does.
const SOON: Duration = Duration::from_secs(15);

/// With certificates of that authority, which name Alice and Bob.
fn plan(service: Service, authority: &Authority) -> anyhow::Result<Plan> {
    let server = authority.issue("server", "DNS:localhost")?;
    let known = |name: &str| json!({"san": format!("spiffe://example.test/{name}"), "actor": name});
    Ok(Plan::new([service], 8)?.configure(|config| {
        config["verdicts"]["allow_lifetime_secs"] = json!(2);
        let gateway = &mut config["internal_task_gateway"];
        gateway["client_certificates"] = json!({"users": [known("alice"), known("bob")]});
        gateway["envoy"]["certificate_file"] = json!(server.certificate);
        gateway["envoy"]["key_file"] = json!(server.key);
        gateway["envoy"]["client_ca_file"] = json!(authority.certificate());
    }))
}

fn user(authority: &Authority, name: &str) -> anyhow::Result<Issued> {
    authority.issue(name, &format!("URI:spiffe://example.test/{name}"))
}

/// The line of the access log about a connection of that actor.
async fn line(site: &Site, actor: Option<&str>, denial: Option<&str>) -> anyhow::Result<Value> {
    let what = format!("a line about {actor:?}, {denial:?}");
    let line = wait_for(PATIENCE, &what, async || {
        let log = site.envoy.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| {
            line["tcp.service"] == id(TASK)
                && line["actor.id"].as_str() == actor
                && line["denial.code"].as_str() == denial
        })
    });
    line.await.map_err(|error| error.context(site.envoy.log()))
}

#[tokio::test]
async fn a_known_user_comes_in_until_the_grant_goes_and_nobody_else_does() -> Outcome {
    known_users(None).await
}

#[tokio::test]
async fn the_oldest_envoy_does_so_too() -> Outcome {
    known_users(Some(environment::envoy_oldest()?)).await
}

async fn known_users(program: Option<PathBuf>) -> Outcome {
    let (authority, job) = (Authority::new()?, Job::start(b'A').await?);
    let service = Service::tcp(TASK).at(job.address());
    let site = plan(service.clone(), &authority)?.program(program).start().await?;
    let address = site.address(TASK).await?;
    let connect = |shown: Option<&Issued>| Client::secure(address, &authority.certificate(), shown);

    let let_in = async |name: &str| {
        let shown = user(&authority, name)?;
        let opened = wait_for(PATIENCE, "to be let in", async || {
            let mut client = connect(Some(&shown)).ok()?;
            client.expect(b"A").await.ok()?;
            Some(client)
        });
        opened.await
    };
    let mut owner = let_in("alice").await?;
    let before = job.connections();

    let eve = user(&authority, "eve")?;
    for shown in [None, Some(&eve)] {
        let mut stranger = connect(shown)?;
        // It may be over before the first byte.
        let _ = stranger.send(b"let me in\n").await;
        assert_eq!(stranger.rest().await?, b"", "{shown:?}");
    }
    assert_eq!(job.connections(), before, "neither of them reached the job");
    line(&site, None, Some("credential-rejected")).await?;

    let mut granted = let_in("bob").await?;
    for client in [&mut owner, &mut granted] {
        client.echo("hello\n").await?;
    }

    let since = Instant::now();
    site.publish(&[service.without_grants()])?;
    assert_eq!(granted.rest().await?, b"");
    assert!(since.elapsed() < SOON, "it took {:?}", since.elapsed());
    line(&site, Some("bob"), Some("unknown-service")).await?;
    owner.echo("the owner stays\n").await?;
    drop(owner);
    let line = line(&site, Some("alice"), None).await?;
    assert_eq!((&line["service.id"], &line["access.level"]), (&json!(id(TASK)), &json!("can_read")), "{line}");
    assert_eq!(line["upstream.addr"], json!(job.address()), "{line}");
    Ok(())
}
