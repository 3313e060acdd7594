//! Sidecars and Envoys that come and go.

use taskgate_test_kit::wait_until;

use super::job::{Caller, Job};
use super::site::{Plan, address};
use crate::support::service::Service;
use crate::support::{Outcome, PATIENCE};

#[tokio::test]
async fn a_sidecar_that_is_killed_before_it_announces_goes_on_with_the_same_port() -> Outcome {
    let job = Job::start(b'A').await?;
    let plan = Plan::new([Service::tcp("one").access("public").at(job.address())], 8)?;
    let mut sidecar = plan.sidecar().await?;
    let envoy = plan.envoy(&sidecar).await?;
    let mut reserved = None;
    for _ in 0..3 {
        // As soon as it is reserved, which is before it is announced.
        let port = held(&sidecar).await?;
        assert_eq!(*reserved.get_or_insert(port), port, "one port, and the same after each life");
        sidecar.restart().await?;
    }
    let address = address(&sidecar, "one").await?;
    assert_eq!(Some(address.port()), reserved);
    let answers = async || Caller::connect(address).await.is_ok_and(|(_, name)| name == b'A');
    wait_until(PATIENCE, "the port to answer", answers).await?;
    assert_eq!(envoy.stat("listener_manager.total_listeners_active").await?, 1);
    Ok(())
}

/// The port that the store says is held, once there is one.
async fn held(sidecar: &taskgate_test_kit::Sidecar) -> anyhow::Result<u16> {
    let path = sidecar.home().directory().join("state/gateway.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let held = taskgate_test_kit::wait_for(PATIENCE, "a port in the store", async || {
        use sqlx::{ConnectOptions as _, Row as _};
        let mut connection = options.clone().connect().await.ok()?;
        let rows = sqlx::query("SELECT port FROM gateway_port WHERE holder IS NOT NULL")
            .fetch_all(&mut connection)
            .await
            .ok()?;
        let ports: Vec<i64> = rows.iter().filter_map(|row| row.try_get("port").ok()).collect();
        (ports.len() == 1).then(|| ports[0])
    });
    Ok(u16::try_from(held.await?)?)
}

#[tokio::test]
async fn an_envoy_that_starts_again_listens_where_it_did() -> Outcome {
    let job = Job::start(b'A').await?;
    let open = |task: &str| Service::tcp(task).access("public").at(job.address());
    let site = Plan::new([open("one"), open("two")], 8)?.start().await?;
    let before = (site.address("one").await?, site.address("two").await?);
    let site = site.restart_envoy().await?;
    for address in [before.0, before.1] {
        let answers = async || Caller::connect(address).await.is_ok_and(|(_, name)| name == b'A');
        wait_until(PATIENCE, "the port to answer", answers).await?;
    }
    assert_eq!((site.address("one").await?, site.address("two").await?), before);
    Ok(())
}

#[tokio::test]
async fn a_sidecar_that_starts_again_disturbs_no_connection() -> Outcome {
    let job = Job::start(b'A').await?;
    let open = |task: &str| Service::tcp(task).access("public").at(job.address());
    let mut site = Plan::new([open("one"), open("goes")], 8)?.start().await?;
    let (address, gone) = (site.address("one").await?, site.address("goes").await?);
    let (mut caller, _) = site.call("one").await?;
    site.sidecar.kill()?;
    caller.echo("while it is gone\n").await?;
    // What ends while it is gone is taken away when it is back.
    site.publish(&[open("one"), open("new")])?;
    site.sidecar.restart().await?;
    let new = site.address("new").await?;
    assert_ne!(new, address);
    assert_eq!(site.address("one").await?, address);
    let refused = async || tokio::net::TcpStream::connect(gone).await.is_err();
    wait_until(PATIENCE, "the one that is gone to be taken away", refused).await?;
    site.listeners(2).await?;
    caller.echo("still there\n").await?;
    assert_eq!(site.call("new").await?.1, b'A');
    for what in ["listener_modified", "listener_in_place_updated", "listener_create_failure"] {
        assert_eq!(site.envoy.stat(&format!("listener_manager.{what}")).await?, 0, "{what}");
    }
    Ok(())
}
