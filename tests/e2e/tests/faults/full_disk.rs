//! The disk under the sidecar is full: requests go on, what could not be kept is said, and kept when there is room.
//!
//! The disk is a small file system of its own, in a name space where its maker may mount one: that needs no rights on
//! most machines. Where it may not, the test fails and says so.

mod stores;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use taskgate_test_kit::{Sidecar, wait_until};

use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, Service};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, ask::Ask, jobs};

/// Mounts the disk, and goes on as the program that is named after it.
const MOUNT: &str = "mkdir -p \"$0\" && mount -t tmpfs -o size=\"$1\" tmpfs \"$0\" && shift && exec \"$@\"";

/// Starts a sidecar whose folder `state` is a disk of that size, and an Envoy.
async fn start(setup: &Setup, size: &str) -> anyhow::Result<Gateway> {
    let home = setup.home()?;
    let place = home.directory().join("state");
    let words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT].map(OsString::from);
    let home = home.launched_by(words.into_iter().chain([place.into_os_string(), size.into()]));
    home.write("catalog.yaml", &stores::catalog())?;
    let sidecar = home.start(&setup.config().to_string()).await?;
    let ingress = setup.start_envoy(sidecar.internal_address()).await?;
    ingress.wait_for_table().await?;
    Ok(Gateway { sidecar, ingress, config: setup.config().clone() })
}

/// The directory as the sidecar sees it, from here.
fn disk(sidecar: &Sidecar) -> PathBuf {
    let inside = sidecar.home().directory().join("state");
    PathBuf::from(format!("/proc/{}/root", sidecar.id())).join(inside.strip_prefix("/").unwrap_or(&inside))
}

/// Fills the disk but for so many bytes.
fn fill(sidecar: &Sidecar, but: u64) -> Outcome {
    let mut file = File::create(disk(sidecar).join("filler"))?;
    let full = loop {
        if let Err(error) = file.write_all(&[0; 4096]) {
            break error;
        }
        anyhow::ensure!(file.metadata()?.len() < 1 << 30, "the disk has no end");
    };
    anyhow::ensure!(full.raw_os_error() == Some(28), "not full, but: {full}");
    file.set_len(file.metadata()?.len().checked_sub(but).context("the disk is small")?)?;
    Ok(())
}

fn make_room(sidecar: &Sidecar) -> Outcome {
    Ok(fs::remove_file(disk(sidecar).join("filler"))?)
}

async fn count(sidecar: &Sidecar, metric: &str) -> u64 {
    let metrics = sidecar.metrics().await.unwrap_or_default();
    let line = metrics.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn requests_go_on_and_what_was_not_kept_is_kept_when_there_is_room() -> Outcome {
    let job = jobs::http("A").await?;
    let services = |count: usize| {
        (0..count).map(|number| Service::http(&format!("web-{number}")).at(job.address())).collect::<Vec<_>>()
    };
    let setup = Setup::new(services(1)).configure(|config| {
        config["state"] = serde_json::json!({"directory": "state"});
        config["logs"] = serde_json::json!({"level": "info"});
    });
    let gateway = start(&setup, "256k").await?;
    let names = disk(&gateway.sidecar).join("names.json");
    let kept = async || fs::read_to_string(&names).is_ok_and(|text| text.contains("web-0"));
    wait_until(PATIENCE, "names to be kept", kept).await?;
    let before = fs::read_to_string(&names)?;

    fill(&gateway.sidecar, 0)?;
    gateway.publish(&services(400))?;
    for task in ["web-0", "web-399"] {
        let new = || Ask::get(&crate::support::service::host(task), "/").token(ALICE);
        gateway.ingress.answers(task, new, crate::support::ask::Answer::is_ok).await?;
    }
    let said = async || count(&gateway.sidecar, "taskgate_state_write_failed_total").await > 0;
    wait_until(PATIENCE, "it to be counted that names are not kept", said).await?;
    assert!(gateway.sidecar.log().contains("ids are not kept"), "{}", gateway.sidecar.log());
    assert_eq!(fs::read_to_string(&names)?, before, "what was kept is whole");
    for _ in 0..20 {
        assert!(gateway.ingress.visit("web-399", ALICE).await?.is_ok());
        assert!(gateway.session("web-0").await.is_ok(), "sessions need no disk");
    }

    make_room(&gateway.sidecar)?;
    let kept = async || fs::read_to_string(&names).is_ok_and(|text| text.contains("web-399"));
    wait_until(PATIENCE, "names to be kept when there is room", kept).await?;
    let left: Vec<_> = fs::read_dir(disk(&gateway.sidecar))?.flatten().map(|file| file.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("tmp")), "no half file is left: {left:?}");
    Ok(())
}
