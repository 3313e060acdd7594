//! Who gets a tunnel, for how long, and what is recorded of it.

use std::time::{Duration, Instant};

use serde_json::json;
use taskgate_test_kit::wait_until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::ask::Ask;
use crate::support::ingress::handshake;
use crate::support::service::{ALICE, BOB, MALLORY, Service, host, id};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, soon};

use super::site::{Job, Tunnel, rest, ssh_proxy, stock, stock_with, with_tunnels};

/// How soon everything has to be over.
const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn who_may_not_is_told_so_and_reaches_nothing() -> Outcome {
    let job = Job::open().await?;
    let service = Service::tcp("job").at(job.address);
    let gateway = with_tunnels(Setup::new([service, Service::tcp("nowhere")])).start().await?;
    for (task, token, words) in
        [("job", "wrong", "401"), ("job", MALLORY, "404"), ("other", BOB, "404"), ("nowhere", BOB, "503")]
    {
        let (status, said) = ssh_proxy(&gateway, task, token).await?;
        assert!(!status.success() && said.contains(words), "{task} {token}: {said}");
    }
    assert!(stock(gateway.ingress.address, "job", None).await.is_err(), "without a token");
    let plain = gateway.ingress.send(Ask::get(&host("job"), "/").token(BOB)).await?;
    assert_eq!((plain.status, plain.json()?["code"].as_str()), (400, Some("protocol-mismatch")));
    let mut tunnel = Tunnel::open(&gateway, "job", MALLORY).await?;
    let refused = rest(&mut tunnel.connect().await?).await;
    assert!(refused.is_err(), "an end without a word would look like an answer");
    assert!(tunnel.complaint().await?.contains("404"));

    // It is there for whoever may.
    let mut owners = stock(gateway.ingress.address, "job", Some(ALICE)).await?;
    let connection = job.next().await?;
    owners.close(None).await?;
    drop(connection);
    let nobody_else = tokio::time::timeout(Duration::from_millis(300), job.next()).await;
    assert!(nobody_else.is_err(), "nobody else reached the job");
    Ok(())
}

#[tokio::test]
async fn no_more_are_open_than_may_be() -> Outcome {
    let job = Job::open().await?;
    let services = ["job", "other"].map(|task| Service::tcp(task).at(job.address));
    let setup = with_tunnels(Setup::new(services)).configure(|config| {
        config["tunnels"]["max_open"] = json!(2);
        config["tunnels"]["max_open_per_service"] = json!(1);
    });
    let gateway = setup.start().await?;
    let mut first = stock(gateway.ingress.address, "job", Some(BOB)).await?;
    let (status, said) = ssh_proxy(&gateway, "job", BOB).await?;
    assert!(!status.success() && said.contains("503") && said.contains("as many"), "{said}");
    let _other = stock(gateway.ingress.address, "other", Some(BOB)).await?;
    let (connection, _another) = (job.next().await?, job.next().await?);
    first.close(None).await?;
    drop((first, connection));
    let again = async || stock(gateway.ingress.address, "job", Some(BOB)).await.is_ok();
    wait_until(PATIENCE, "room for another tunnel", again).await
}

#[tokio::test]
async fn a_public_service_is_everybodys() -> Outcome {
    let job = Job::open().await?;
    let gateway = with_tunnels(Setup::new([Service::tcp("job").access("public").at(job.address)])).start().await?;
    let _socket = stock(gateway.ingress.address, "job", None).await?;
    job.next().await?;
    Ok(())
}

#[tokio::test]
async fn a_grant_that_goes_ends_tunnels_and_leaves_those_who_stay() -> Outcome {
    let job = Job::open().await?;
    let service = Service::tcp("job").at(job.address);
    let gateway = with_tunnels(Setup::new([service.clone()])).start().await?;
    let (bobs, owners) = (Tunnel::open(&gateway, "job", BOB).await?, Tunnel::open(&gateway, "job", ALICE).await?);
    let mut bob = bobs.connect().await?;
    let mut to_bob = job.next().await?;
    let mut owner = owners.connect().await?;
    let mut to_owner = job.next().await?;

    let since = Instant::now();
    gateway.publish(&[service.without_grants()])?;
    assert!(rest(&mut bob).await.is_err() && rest(&mut to_bob).await.is_err());
    assert!(since.elapsed() < BOUND, "it took {:?}", since.elapsed());
    owner.write_all(b"!").await?;
    assert_eq!(soon("a byte", to_owner.read_u8()).await??, b'!', "the owner notices nothing");

    gateway.publish(&[])?;
    assert!(rest(&mut owner).await.is_err() && rest(&mut to_owner).await.is_err(), "the service is gone");
    Ok(())
}

#[tokio::test]
async fn jobs_that_come_and_go_end_nothing() -> Outcome {
    let (job, other) = (Job::open().await?, Job::open().await?);
    let service = Service::tcp("job");
    let gateway = with_tunnels(Setup::new([service.clone().at(job.address)])).start().await?;
    let tunnel = Tunnel::open(&gateway, "job", BOB).await?;
    let mut client = tunnel.connect().await?;
    let mut connection = job.next().await?;
    gateway.publish(&[service.at(other.address)])?;
    let moved = async || tunnel.connect().await.is_ok() && soon_or_not(&other).await;
    wait_until(PATIENCE, "new tunnels to lead to the other job", moved).await?;
    client.write_all(b"!").await?;
    assert_eq!(soon("a byte", connection.read_u8()).await??, b'!');
    Ok(())
}

/// Whether somebody connects to a job within a moment.
async fn soon_or_not(job: &Job) -> bool {
    tokio::time::timeout(Duration::from_millis(300), job.next()).await.is_ok()
}

#[tokio::test]
async fn a_tunnel_is_recorded_when_it_ends() -> Outcome {
    let job = Job::open().await?;
    let gateway = with_tunnels(Setup::new([Service::tcp("job").at(job.address)])).start().await?;
    let mut request = handshake("job", Some(BOB))?;
    request.headers_mut().insert("x-request-id", "recorded-1".parse()?);
    let mut socket = stock_with(gateway.ingress.address, request).await?;
    let mut connection = job.next().await?;
    connection.write_all(b"seven b").await?;
    drop(connection);
    while futures_util::StreamExt::next(&mut socket).await.is_some() {}
    let wanted = [id("job"), "bob".to_owned(), job.address.to_string(), "tunnel-ended".to_owned()];
    let recorded = async || {
        let log = gateway.sidecar.log();
        log.lines().any(|line| wanted.iter().all(|word| line.contains(word)) && line.contains("sent_bytes\":7"))
    };
    wait_until(PATIENCE, "the tunnel to be recorded", recorded).await?;
    let metrics = gateway.sidecar.metrics().await?;
    assert!(metrics.contains("taskgate_tunnels_sent_bytes_total 7"), "{metrics}");
    assert!(metrics.contains("taskgate_tunnels_open 0"), "{metrics}");
    Ok(())
}
