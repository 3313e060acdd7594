//! Friendly names, and what browsers keep of who had them before.

use crate::support::ask::Ask;
use crate::support::service::{BASE_DOMAIN, Service};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

use super::{by_a_person, cookies, with_access};

#[tokio::test]
async fn a_browser_starts_anew_once_where_a_name_has_another_owner() -> Outcome {
    let job = jobs::http("A").await?;
    let service = Service::http("web").access("public").name("ollama").at(job.address());
    let gateway = with_access(Setup::new([service])).start().await?;
    let host = format!("ollama.{BASE_DOMAIN}");
    let first = gateway.ingress.send(by_a_person(Ask::get(&host, "/a/b"))).await?;
    assert_eq!(first.status, 200);
    let [own] = &cookies(&first)[..] else { anyhow::bail!("one cookie, but {:?}", first.headers) };

    // Who comes with things of an owner before.
    let stale = format!("{}=00000001; s=1", own.split('=').next().unwrap_or_default());
    let moved = gateway.ingress.send(by_a_person(Ask::get(&host, "/a/b?q")).header("cookie", &stale)).await?;
    assert_eq!((moved.status, moved.header("location")), (303, "/a/b?q"));
    assert_eq!(moved.header("clear-site-data"), "\"cache\", \"storage\"");
    assert!(cookies(&moved).contains(own) && cookies(&moved).contains(&"s=".to_owned()), "{:?}", moved.headers);
    let again = gateway.ingress.send(by_a_person(Ask::get(&host, "/a/b?q")).header("cookie", own)).await?;
    assert_eq!(again.status, 200, "once, and no more");
    let post = gateway.ingress.send(Ask::post(&host, "/a/b", "x").header("cookie", &stale)).await?;
    assert_eq!((post.status, post.header("x-taskgate-denial")), (410, "name-moved"));
    assert_eq!(job.requests(), 2, "nothing of the old owner's reached the job");
    Ok(())
}
