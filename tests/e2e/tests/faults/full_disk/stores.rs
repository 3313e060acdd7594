//! Tasks, links and objects while the disk is full: what is not kept is refused, and nothing that was is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use taskgate_test_kit::{Hsds, HsdsUser, wait_for, wait_until};

use super::{disk, fill, make_room, start};
use crate::support::ask::{Answer, Ask, Body};
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, BASE_DOMAIN, Service, id};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

/// What is left of the disk when it is nearly full, and the larger object that finds no room there.
const LEFT: u64 = 256 << 10;
const OBJECT: usize = 1 << 20;
/// How often something that is kept is asked for until there is no room for more.
const MOST: usize = 500;

/// Alice may write.
pub(super) fn catalog() -> String {
    let project = json!({
        "name": "p", "domains": ["d"], "writers": {"users": ["alice"]}, "readers": {"users": ["alice"]},
    });
    json!({"projects": [project]}).to_string()
}

/// A site whose stores are all on the disk.
async fn site(hsds: &Hsds, services: Vec<Service>) -> anyhow::Result<Gateway> {
    let setup = Setup::new(services).configure(|config| {
        config["state"] = json!({"directory": "state"});
        config["public"] = json!({});
        config["access"] = json!({"store": "sqlite:state/access.db"});
        config["tasks"] = json!({"store": "sqlite:state/tasks.db", "hsds": {"endpoint": hsds.url()}});
        let local = json!({
            "folder": "state/objects", "public_url": format!("https://{}", host()), "keep_free": "0",
        });
        config["data"] = json!({
            "stores": {"main": {"local": local}}, "catalog": [{"file": {"path": "catalog.yaml"}}],
        });
    });
    start(&setup, "16m").await
}

fn host() -> String {
    format!("data.{BASE_DOMAIN}")
}

/// Uploads an object in pieces, whose length is told before or not.
async fn upload(gateway: &Gateway, name: &str, bytes: usize, is_told: bool) -> anyhow::Result<Answer> {
    let wanted = json!({
        "project": "p", "domain": "d", "filename": name, "filename_root": "r", "expires_in": "15m",
    });
    let ask = Ask::post(&host(), "/v1/data/uploads", wanted.to_string()).token(ALICE);
    let place = gateway.ingress.send(ask).await?;
    ensure!(place.is_ok(), "no place: {}", place.text());
    let place = place.json()?;
    let url = place["url"].as_str().with_context(|| place.to_string())?;
    let path = url.strip_prefix(&format!("https://{}", host())).context("another host")?.to_owned();
    let ask = Ask::new(Method::PUT, &host(), &path).body(body(bytes, is_told));
    gateway.ingress.send(ask).await
}

fn body(bytes: usize, is_told: bool) -> Body {
    let all = Bytes::from(vec![b'x'; bytes]);
    if is_told {
        return Full::new(all).boxed();
    }
    let pieces: Vec<_> = all.chunks(64 << 10).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    StreamBody::new(stream::iter(pieces)).boxed()
}

/// The files of objects: whole ones, and those that are being written.
fn objects(folder: &Path) -> anyhow::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        if metadata.is_dir() {
            found.extend(objects(&path)?);
        } else if metadata.len() > 0 {
            found.push((path, metadata.len()));
        }
    }
    Ok(found)
}

/// Asks for a task that does nothing, different for each number.
async fn submit(gateway: &Gateway, number: usize) -> anyhow::Result<Answer> {
    let wanted = json!({"operation": "noop", "args": {"steps": number}});
    let ask = Ask::post("tasks", "/tasks", wanted.to_string()).header("content-type", "application/json");
    let ask = ask.header("authorization", HsdsUser::One.authorization());
    ask.send(gateway.sidecar.home().public_address()).await
}

fn task_id(task: &Value) -> Option<&str> {
    task["taskid"].as_str()
}

fn share_id(made: &Value) -> Option<&str> {
    made["share"]["id"].as_str()
}

/// The states of all tasks.
async fn tasks(gateway: &Gateway) -> anyhow::Result<Vec<Value>> {
    let ask = Ask::get("tasks", "/tasks").header("authorization", HsdsUser::One.authorization());
    let answer = ask.send(gateway.sidecar.home().public_address()).await?;
    ensure!(answer.is_ok(), "no list: {}", answer.text());
    Ok(answer.json()?["tasks"].as_array().cloned().unwrap_or_default())
}

/// An operator asks the sidecar.
async fn operator(gateway: &Gateway, method: Method, path: &str, wanted: Option<Value>) -> anyhow::Result<Answer> {
    let ask = match wanted {
        Some(wanted) => Ask::post("taskgate", path, wanted.to_string()).header("content-type", "application/json"),
        None => Ask::get("taskgate", path),
    };
    ask.method(method).send(gateway.sidecar.internal_address()).await
}

async fn share(gateway: &Gateway) -> anyhow::Result<Answer> {
    let wanted = json!({"service": id("web"), "lifetime_secs": 3600});
    operator(gateway, Method::POST, "/internal/shares", Some(wanted)).await
}

/// What was accepted until one is refused, by the id that it has; the refusal.
async fn until_refused(
    mut ask: impl AsyncFnMut(usize) -> anyhow::Result<Answer>,
    id: impl Fn(&Value) -> Option<&str>,
) -> anyhow::Result<(BTreeSet<String>, Answer)> {
    let mut accepted = BTreeSet::new();
    for number in 0..MOST {
        let answer = ask(number).await?;
        if !matches!(answer.status, 200 | 201) {
            return Ok((accepted, answer));
        }
        accepted.insert(id(&answer.json()?).with_context(|| answer.text())?.to_owned());
    }
    anyhow::bail!("a full disk takes {MOST} of them")
}

#[tokio::test]
async fn what_is_not_kept_is_refused_and_nothing_that_was_is_lost() -> Outcome {
    let (hsds, job) = (Hsds::start().await?, jobs::http("A").await?);
    let gateway = site(&hsds, vec![Service::http("web").at(job.address())]).await?;
    let folder = disk(&gateway.sidecar).join("objects");
    let before = upload(&gateway, "before", OBJECT, true).await?;
    ensure!(before.status == 201, "{before:?}");
    let first = share(&gateway).await?;
    ensure!(first.status == 201, "{first:?}");
    let whole = objects(&folder)?;

    fill(&gateway.sidecar, LEFT)?;
    for is_told in [true, false] {
        let refused = upload(&gateway, "large", OBJECT, is_told).await?;
        assert_eq!((refused.status, refused.json()?["code"].as_str()), (507, Some("no-room")), "{}", refused.text());
        let gone = async || objects(&folder).is_ok_and(|found| found == whole);
        wait_until(PATIENCE, "no half file to be left", gone).await?;
    }
    fill(&gateway.sidecar, 0)?;
    let refused = upload(&gateway, "small", 8192, true).await?;
    assert_eq!((refused.status, refused.json()?["code"].as_str()), (507, Some("no-room")), "{}", refused.text());

    let (mut accepted, refused) = until_refused(async |number| submit(&gateway, number).await, task_id).await?;
    assert_eq!((refused.status, refused.json()?["code"].as_str()), (503, Some("store-unavailable")));
    assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
    let (mut links, refused) = until_refused(async |_| share(&gateway).await, share_id).await?;
    assert_eq!((refused.status, refused.json()?["code"].as_str()), (503, Some("unavailable")));
    links.insert(share_id(&first.json()?).context("no id")?.to_owned());
    // A link that can't be taken back now is not said to be.
    let path = format!("/internal/shares/{}", share_id(&first.json()?).context("no id")?);
    let kept = operator(&gateway, Method::DELETE, &path, None).await?;
    assert_eq!(kept.status, 503, "{}", kept.text());
    for _ in 0..20 {
        assert!(gateway.ingress.visit("web", ALICE).await?.is_ok(), "requests need no disk");
        assert!(gateway.session("web").await.is_ok(), "sessions need no disk");
    }
    let refused: BTreeSet<_> = tasks(&gateway).await?.iter().filter_map(task_id).map(str::to_owned).collect();
    assert_eq!(refused, accepted, "what was refused is not there, what was accepted is");

    make_room(&gateway.sidecar)?;
    let uploaded = async || upload(&gateway, "large", OBJECT, false).await.is_ok_and(|answer| answer.status == 201);
    wait_until(PATIENCE, "an object to have room", uploaded).await?;
    let more = async || submit(&gateway, MOST).await.ok().filter(Answer::is_ok);
    let task = wait_for(PATIENCE, "a task to be taken", more).await?.json()?;
    accepted.insert(task_id(&task).context("no id")?.to_owned());
    let ended = async || {
        let all = tasks(&gateway).await.unwrap_or_default();
        let done: BTreeSet<_> = all.iter().filter(|task| task["status"] == "complete").filter_map(task_id).collect();
        done.len() == accepted.len() && done.iter().all(|id| accepted.contains(*id))
    };
    wait_until(PATIENCE, "all tasks that were accepted to be done", ended).await?;
    let revoked = operator(&gateway, Method::DELETE, &path, None).await?;
    assert!((200..300).contains(&revoked.status), "{}", revoked.text());
    let list = operator(&gateway, Method::GET, "/internal/shares", None).await?.json()?;
    let listed = list["shares"].as_array().into_iter().flatten().filter_map(|share| share["id"].as_str());
    let listed: BTreeSet<_> = listed.map(str::to_owned).collect();
    assert!(links.is_subset(&listed), "lost: {:?}", links.difference(&listed));
    Ok(())
}
