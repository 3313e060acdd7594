//! The sidecar's wall clock jumps: nobody is locked out, and nothing lasts longer for it.
//!
//! Envoy does not start with a clock that is made up, so its clock stays here what it is. What the filter makes of a
//! clock that jumps is tested in the test host (`filter::clock` of the suite).

use std::fs;

use taskgate_test_kit::environment;
use tempfile::TempDir;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, BOB, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

/// A clock that programs are told instead of the machine's.
struct FalseClock(TempDir);

impl FalseClock {
    fn new() -> anyhow::Result<Self> {
        let clock = Self(tempfile::tempdir()?);
        clock.set("+0")?;
        Ok(clock)
    }

    /// So many seconds from the machine's.
    fn set(&self, offset: &str) -> Outcome {
        let fresh = self.0.path().join("new");
        fs::write(&fresh, offset)?;
        Ok(fs::rename(fresh, self.0.path().join("offset"))?)
    }

    fn words(&self) -> anyhow::Result<[String; 5]> {
        Ok([
            "env".to_owned(),
            format!("LD_PRELOAD={}", environment::faketime()?.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.0.path().join("offset").display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            // A machine's clock is set, the time that it has been up is not.
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
        ])
    }
}

#[tokio::test]
async fn nobody_is_locked_out_and_nothing_lasts_longer() -> Outcome {
    let job = jobs::http("A").await?;
    let web = || Service::http("web").at(job.address());
    let open = || Service::http("open").at(job.address()).access("public");
    let clock = FalseClock::new()?;
    let setup = Setup::new([web(), open()]).one_worker().configure(|config| {
        config["verdicts"]["allow_lifetime_secs"] = 2.into();
        config["gate"]["verdict_grace_secs"] = 0.into();
    });
    let home = setup.home()?.launched_by(clock.words()?);
    let sidecar = home.start(&setup.config().to_string()).await?;
    let ingress = setup.start_envoy(sidecar.internal_address()).await?;
    ingress.wait_for_table().await?;
    let mut gateway = crate::support::gateway::Gateway { sidecar, ingress, config: setup.config().clone() };
    let session = gateway.session("web").await?;
    let visit = async |token: &str| gateway.ingress.visit("web", token).await.map(|answer| answer.status);
    assert_eq!((visit(&session).await?, visit(ALICE).await?), (200, 200));

    // Ahead, by twice what the table and the session have.
    clock.set("+7200")?;
    for token in [ALICE, BOB, &session] {
        assert_eq!(visit(token).await?, 200, "nobody is locked out");
    }
    assert!(gateway.ingress.send(Ask::get(&host("open"), "/")).await?.is_ok(), "the table has not expired");

    // Back, to before all of it began.
    clock.set("-86400")?;
    for (turn, token) in [ALICE, BOB].into_iter().enumerate() {
        let task = format!("later-{turn}");
        let later = Service::http(&task).at(job.address());
        gateway.publish(&[web(), open(), later])?;
        let new = || Ask::get(&host(&task), "/").token(token);
        gateway.ingress.answers("news", new, crate::support::ask::Answer::is_ok).await?;
        assert_eq!(visit(token).await?, 200);
    }
    gateway.publish(&[web().access("owner"), open()])?;
    let bob = || Ask::get(&host("web"), "/").token(BOB);
    gateway.ingress.answers("Bob to be refused", bob, |answer| answer.denial() == (403, "access-denied")).await?;

    // What was decided ends when its time has passed, whatever the clock says.
    assert_eq!(visit(ALICE).await?, 200);
    clock.set("-172800")?;
    gateway.sidecar.kill()?;
    let alice = || Ask::get(&host("web"), "/").token(ALICE);
    let over = |answer: &crate::support::ask::Answer| answer.denial() == (503, "verdict-unavailable");
    gateway.ingress.answers("the verdict to end", alice, over).await?;
    assert!(gateway.ingress.send(Ask::get(&host("open"), "/")).await?.is_ok());
    Ok(())
}
