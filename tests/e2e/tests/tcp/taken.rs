//! Ports that another program has.

use taskgate_test_kit::wait_until;
use tokio::net::{TcpListener, TcpSocket};

use super::job::Job;
use super::site::{Plan, place};
use crate::support::service::Service;
use crate::support::{Outcome, PATIENCE};

/// Listens there in a way that lets others listen as well, if they want that too.
fn shared(port: u16) -> anyhow::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections of a test that had the port before may not be forgotten yet.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    Ok(socket.listen(8)?)
}

#[tokio::test]
async fn another_port_is_announced_and_the_other_program_keeps_its_own() -> Outcome {
    let job = Job::start(b'A').await?;
    let plan = Plan::new([Service::tcp("one").access("public").at(job.address())], 3)?;
    let ports: Vec<u16> = plan.ports().collect();
    let others = (shared(ports[0])?, TcpListener::bind(("127.0.0.1", ports[1])).await?);
    let site = plan.start().await?;
    assert_eq!(site.address("one").await?.port(), ports[2]);
    let (mut caller, name) = site.call("one").await?;
    assert_eq!(name, b'A');
    // For a second one there is none left, and it is said why.
    site.publish(&[
        Service::tcp("one").access("public").at(job.address()),
        Service::tcp("two").access("public").at(job.address()),
    ])?;
    let failed = async || {
        let place = place(&site.sidecar, "two").await.unwrap_or_default();
        place["state"] == "failed" && (place["reason"] == "port-taken" || place["reason"] == "range-exhausted")
    };
    wait_until(PATIENCE, "the second one to fail", failed).await?;
    caller.echo("still there\n").await?;
    assert_eq!(site.address("one").await?.port(), ports[2]);
    // Whoever connects to the other program's port reaches that program.
    let (reached, client) = tokio::join!(others.0.accept(), tokio::net::TcpStream::connect(("127.0.0.1", ports[0])));
    assert_eq!(reached?.1, client?.local_addr()?);
    Ok(())
}
