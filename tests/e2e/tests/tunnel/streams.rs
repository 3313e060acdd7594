//! What goes through a tunnel, and how it ends.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use taskgate_test_kit::ReservedAddress;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::support::gateway::Gateway;
use crate::support::service::{BOB, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, soon};

use super::site::{Job, Tunnel, bytes, finish, rest, stock, with_tunnels};

#[tokio::test]
async fn each_way_ends_by_itself() -> Outcome {
    let job = Job::open().await?;
    let gateway = with_tunnels(Setup::new([Service::tcp("job").at(job.address)])).start().await?;
    let tunnel = Tunnel::open(&gateway, "job", BOB).await?;
    let question = bytes(3_000_000);

    // The client is done first: the job has all of it, and answers after that.
    let mut client = tunnel.connect().await?;
    let asks = async {
        client.write_all(&question).await?;
        finish(&mut client).await
    };
    let answers = async {
        let mut connection = job.next().await?;
        let mut asked = rest(&mut connection).await?;
        asked.reverse();
        soon("the answer to be taken", connection.write_all(&asked)).await??;
        Ok::<_, anyhow::Error>(asked)
    };
    let (answer, asked) = tokio::try_join!(asks, answers)?;
    assert!(answer == asked && asked.iter().rev().eq(&question));

    // The job is done first, and still hears what the client says.
    let mut client = tunnel.connect().await?;
    let mut connection = job.next().await?;
    connection.write_all(b"all that I have").await?;
    connection.shutdown().await?;
    assert_eq!(rest(&mut client).await?, b"all that I have");
    client.write_all(b"go on").await?;
    client.shutdown().await?;
    assert_eq!(rest(&mut connection).await?, b"go on");
    Ok(())
}

#[tokio::test]
async fn a_stock_client_closes_when_it_has_no_more_to_say_and_gets_the_rest() -> Outcome {
    let job = Job::open().await?;
    let gateway = with_tunnels(Setup::new([Service::tcp("job").at(job.address)])).start().await?;
    let mut socket = stock(gateway.ingress.address, "job", Some(BOB)).await?;
    let mut connection = job.next().await?;
    for part in bytes(100_000).chunks(4_096) {
        soon("a message to be taken", socket.send(Message::binary(part.to_vec()))).await??;
    }
    soon("the close to be taken", socket.close(None)).await??;
    let asked = rest(&mut connection).await?;
    assert!(asked == bytes(100_000));
    soon("the answer to be taken", connection.write_all(&asked)).await??;
    drop(connection);
    let mut answer = Vec::new();
    while let Some(message) = soon("a message", socket.next()).await? {
        match message? {
            Message::Binary(data) => answer.extend_from_slice(&data),
            Message::Close(_) => break,
            _ => {}
        }
    }
    assert!(answer == asked);
    Ok(())
}

#[tokio::test]
async fn what_breaks_off_is_no_end() -> Outcome {
    let job = Job::open().await?;
    let gateway = with_tunnels(Setup::new([Service::tcp("job").at(job.address)])).start().await?;
    let mut tunnel = Tunnel::open(&gateway, "job", BOB).await?;

    let mut client = tunnel.connect().await?;
    let mut connection = job.next().await?;
    connection.write_all(b"half").await?;
    let mut half = [0; 4];
    soon("the first half", client.read_exact(&mut half)).await??;
    connection.set_zero_linger()?;
    drop(connection);
    assert!(rest(&mut client).await.is_err(), "the client sees a job that broke off");
    assert!(tunnel.complaint().await?.contains("the job broke off"));

    let mut client = tunnel.connect().await?;
    let mut connection = job.next().await?;
    client.write_all(b"half").await?;
    soon("the first half", connection.read_exact(&mut half)).await??;
    client.set_zero_linger()?;
    drop(client);
    assert!(rest(&mut connection).await.is_err(), "the job sees a client that broke off");
    Ok(())
}

#[tokio::test]
async fn a_dead_job_costs_nobody_a_tunnel() -> Outcome {
    let (dead, alive) = (ReservedAddress::new()?, Job::open().await?);
    let service = Service::tcp("job").at(dead.address()).at(alive.address);
    let gateway = with_tunnels(Setup::new([service])).start().await?;
    let tunnel = Tunnel::open(&gateway, "job", BOB).await?;
    for _ in 0..4 {
        let mut client = tunnel.connect().await?;
        let mut connection = alive.next().await?;
        client.write_all(b"?").await?;
        assert_eq!(soon("a byte", connection.read_u8()).await??, b'?');
    }
    Ok(())
}

/// Every limit of Envoy's for a quiet stream as short as it may be.
fn impatient(document: &mut Value) -> Outcome {
    let manager = &mut document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let hosts = manager["route_config"]["virtual_hosts"].as_array_mut();
    for route in hosts.into_iter().flatten().flat_map(|host| host["routes"].as_array_mut()).flatten() {
        if route["route"].get("idle_timeout").is_some() {
            route["route"]["idle_timeout"] = json!("3s");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_tunnel_in_which_nobody_says_anything_stays_open() -> Outcome {
    let job = Job::open().await?;
    let setup = with_tunnels(Setup::new([Service::tcp("job").at(job.address)]));
    let config = setup.config().clone();
    let sidecar = setup.start_sidecar().await?;
    let ingress = setup.start_envoy_with(sidecar.internal_address(), impatient).await?;
    ingress.wait_for_table().await?;
    let gateway = Gateway { sidecar, ingress, config };
    let tunnel = Tunnel::open(&gateway, "job", BOB).await?;
    let mut client = tunnel.connect().await?;
    let mut connection = job.next().await?;
    // More than twice what Envoy waits for a stream in which nothing is sent.
    let quiet = tokio::time::timeout(Duration::from_secs(7), connection.read_u8()).await;
    assert!(quiet.is_err(), "it ended: {quiet:?}");
    client.write_all(b"!").await?;
    assert_eq!(soon("a byte", connection.read_u8()).await??, b'!');
    Ok(())
}

#[tokio::test]
async fn a_sidecar_that_is_restarted_ends_tunnels_and_takes_new_ones() -> Outcome {
    let job = Job::open().await?;
    let mut gateway = with_tunnels(Setup::new([Service::tcp("job").at(job.address)])).start().await?;
    let mut tunnel = Tunnel::open(&gateway, "job", BOB).await?;
    let mut client = tunnel.connect().await?;
    let mut connection = job.next().await?;
    client.write_all(b"1").await?;
    assert_eq!(soon("a byte", connection.read_u8()).await??, b'1');

    let home = gateway.sidecar.stop().await?;
    assert!(rest(&mut connection).await.is_err() && rest(&mut client).await.is_err(), "both see that it broke off");
    assert!(tunnel.complaint().await?.contains("restarted"));
    gateway.sidecar = home.start(&gateway.config.to_string()).await?;
    let knows = async || {
        let asked = stock(gateway.ingress.address, "job", Some(BOB)).await;
        asked.is_ok()
    };
    gateway.ingress.everywhere(&format!("{} to be reached again", host("job")), knows).await?;
    let mut client = tunnel.connect().await?;
    client.write_all(b"2").await?;
    let found = async {
        loop {
            // Those that only looked whether it is there have said nothing.
            if let Ok(b'2') = job.next().await?.read_u8().await {
                return Ok::<_, anyhow::Error>(());
            }
        }
    };
    soon("the byte to arrive", found).await?
}
