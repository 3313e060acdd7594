//! Jobs come, go and move; requests follow them, and nothing that is open breaks.

use crate::support::ask::{Ask, next_part};
use crate::support::cluster::{EVERY_PORT, Name, job, operation};
use crate::support::load::Load;
use crate::support::service::ALICE;
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::{Outcome, cluster, jobs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_moves_is_followed_and_nobody_notices() -> Outcome {
    let cluster = cluster::start().await?;
    let (old, new, echo) = (jobs::http_on(2, "A").await?, jobs::http_on(3, "B").await?, jobs::websocket("W").await?);
    let mut streaming = Stage::open().await?;
    let web = Name::new(cluster.add_operation(operation(EVERY_PORT)?), "web", "port_0");
    let others = "{notebook={ws={protocol=websocket; port_index=0}}; feed={events={port_index=0}}}";
    let others = cluster.add_operation(operation(&cluster::tasks_info(others))?);
    let (socket, feed) = (Name::new(others, "notebook", "ws"), Name::new(others, "feed", "events"));
    let first = cluster.add_job(web.operation, job("web", &old));
    cluster.add_job(others, job("notebook", &echo));
    cluster.add_job(others, cluster::job_at("feed", streaming.address()));
    let gateway = Setup::cluster(&cluster).start().await?;
    let ingress = &gateway.ingress;

    let handshake = crate::support::ingress::handshake_at(&socket.host(), Some(ALICE))?;
    let mut socket = ingress.websocket_with(handshake).await?;
    assert_eq!(socket.say("before").await?, "W: before");
    let mut link = ingress.http1().await?;
    let (events, visit) = tokio::join!(link.open(feed.get("/events", ALICE)), async {
        let mut visit = streaming.next().await?;
        visit.begin("text/event-stream").await?;
        visit.wire.write_chunk("before").await?;
        Ok::<_, anyhow::Error>(visit)
    });
    let (mut events, mut visit) = (events?.into_body(), visit?);
    assert_eq!(next_part(&mut events).await?, "before");
    let host = web.host();
    let load = Load::start(ingress.address, 2, move || Ask::get(&host, "/").token(ALICE));
    load.reached(50).await?;
    let listeners = async || ingress.envoy.stats("^(listener_manager|cluster_manager.cluster_[amr])").await;
    let before = listeners().await?;

    // Another job, another port, another node, as after a failure.
    cluster.add_job(web.operation, job("web", &new));
    cluster.finish_job(first, "aborted");
    ingress.answers("the new job", || web.get("/", ALICE), |answer| answer.text() == "hello from B\n").await?;
    old.kill().await;
    let seen = new.requests();
    gateway.ingress.answers("the new job", || web.get("/", ALICE), |answer| answer.is_ok()).await?;
    load.reached(200).await?;
    let tally = load.end().await?;
    assert_eq!(tally.failures(), [""; 0]);
    assert!(tally.answered("hello from A\n") > 0 && tally.answered("hello from B\n") > 0, "{tally:?}");
    assert!(new.requests() > seen);

    // What was open goes on, over the same connections, and Envoy has not been touched.
    assert_eq!(socket.say("after").await?, "W: after");
    visit.wire.write_chunk("after").await?;
    assert_eq!(next_part(&mut events).await?, "after");
    assert_eq!(echo.connections(), 1);
    assert_eq!(listeners().await?, before);
    Ok(())
}
