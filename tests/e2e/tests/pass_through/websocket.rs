//! WebSockets.

use std::pin::pin;

use crate::support::service::{ALICE, Service};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn a_handshake_waits_for_a_verdict_and_then_messages_go_to_and_fro() -> Outcome {
    let job = jobs::websocket("W").await?;
    let mut platform = Stage::open().await?;
    let services = [Service::websocket("ws").at(job.address())];
    let gateway = Setup::new(services).platform(platform.address()).start().await?;

    let mut connecting = pin!(gateway.ingress.websocket("ws", ALICE));
    let question = tokio::select! {
        question = platform.next() => question?,
        early = &mut connecting => anyhow::bail!("connected before the verdict: {early:?}"),
    };
    assert_eq!(question.head.all("authorization"), [format!("Bearer {ALICE}")]);
    assert_eq!(job.connections(), 0, "nothing reaches a job before the verdict");
    question.identify("alice").await?;

    let mut socket = connecting.await?;
    for number in 0..100 {
        assert_eq!(socket.say(&format!("message {number}")).await?, format!("W: message {number}"));
    }
    let large: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    assert!(socket.say_bytes(large.clone()).await? == large);
    assert_eq!((job.requests(), platform.seen()), (1, 1));
    Ok(())
}
