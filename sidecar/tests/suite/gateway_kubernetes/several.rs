//! Several sidecars at one Gateway, which do not see the same services all the time; and several owners at one sidecar.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use taskgate::gateway::keeper::Terms;
use taskgate::gateway::probe::Probe;
use taskgate::gateway::standing::Reason;
use tokio::time::Instant;

use super::stage::{MODES, Stage, held};
use crate::gateway::stage::{Life, terms, until};

/// Takes what the cluster says for the truth.
#[derive(Debug)]
struct Trusting;

#[async_trait]
impl Probe for Trusting {
    async fn answers(&self, _: u16, _: Instant) -> Result<(), String> {
        Ok(())
    }
}

/// A sidecar with a keeper.
fn begin(stage: &Stage) -> Life {
    begin_with(stage, terms(10).ports_per_owner)
}

/// The same, where one owner gets so many ports.
fn begin_with(stage: &Stage, ports_per_owner: usize) -> Life {
    let gateway = Arc::new(stage.life());
    let (kept, program_timeout) = (Duration::from_secs(3), Duration::from_secs(20));
    let patient = Terms { kept, program_timeout, ports_per_owner, ..terms(10) };
    Life::begin_with(Arc::<_>::clone(&gateway) as _, gateway, Arc::new(Trusting), patient)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_sidecar_sees_stays_whatever_others_see() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let (one, other) = (begin(&stage), begin(&stage));
        other.see(&["a"]);
        one.see(&["a"]);
        until("both tell it", async || one.port("a").is_some() && one.port("a") == other.port("a")).await;
        let a = one.port("a").expect("it is told");
        // One does not see it any more, one never did; of something else, that is the end.
        let blind = begin(&stage);
        blind.see(&[]);
        other.see(&["b"]);
        until("it is told", async || other.port("b").is_some()).await;
        let b = other.port("b").expect("it is told");
        other.see(&[]);
        let gateway = stage.life();
        until("it is given back", async || held(&gateway).await == [a]).await;
        assert_eq!((stage.behind(a).as_str(), one.port("a")), ("10.0.0.1:5432", Some(a)), "{mode:?}");
        let writes = stage.cluster.writes();
        let deletes = |port: u16| format!("delete tcproutes taskgate-p{port} ");
        assert!(!writes.iter().any(|call| call.starts_with(&deletes(a))), "{mode:?}: {writes:?}");
        assert!(writes.iter().any(|call| call.starts_with(&deletes(b))), "{mode:?}: {writes:?}");
        // Who died sees nothing.
        drop(one);
        until("it leads nowhere", async || ["", "-"].contains(&stage.behind(a).as_str())).await;
        until("it is given back", async || held(&gateway).await.is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_owner_gets_its_share_of_the_ports_and_no_more() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let life = begin_with(&stage, 1);
        life.see_of(&[("a", "alice")]);
        until("it is told", async || life.port("a").is_some()).await;
        life.see_of(&[("a", "alice"), ("b", "alice"), ("c", "bob")]);
        until("the other owner's is told", async || life.port("c").is_some()).await;
        let reason = life.place("b").and_then(|place| place.reason);
        assert_eq!((life.port("a").is_some(), reason), (true, Some(Reason::OwnerLimit)), "{mode:?}");
    }
}
