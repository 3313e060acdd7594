//! Rights that are taken away while work is done.

use reqwest::Method;
use serde_json::json;
use taskgate_test_kit::{Hsds, HsdsUser};

use crate::tasks::cli::life::left;
use crate::tasks::cli::program::sidecar_with;

const DOMAIN: &str = "/home/test_user1/shared.h5";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_taken_away_ends_the_work() {
    let hsds = Hsds::start().await.expect("HSDS starts");
    let (owner, reader) = (HsdsUser::One, HsdsUser::Two);
    hsds.ask(owner, Method::PUT, &format!("/?domain={DOMAIN}"), Some(&json!({}))).await.expect("a domain");
    let may_read = async |who: &str, may: bool| {
        let path = format!("/acls/{who}?domain={DOMAIN}");
        hsds.ask(owner, Method::PUT, &path, Some(&json!({"read": may}))).await.expect("rights are set");
    };
    may_read(reader.name(), true).await;
    // For all others there are rights too.
    may_read("default", false).await;

    let script = "trap 'echo > $1/stopped; exit 0' TERM; sleep 1000 & echo > $1/begun; wait";
    let (sidecar, program) = sidecar_with(&hsds, &[("long", script)], 3).await;
    let source = format!("{DOMAIN}:/");
    let id = program.well(reader, &["submit", "long", "--src", &source]).await;
    left(&program, "begun").await;
    may_read(reader.name(), false).await;
    let watched = program.run(reader, &["watch", &id]).await;
    assert_eq!(watched.code, Some(3), "{watched:?}");
    assert!(watched.errors.contains("forbidden: the task's owner may not read"), "{watched:?}");
    left(&program, "stopped").await;
    sidecar.end().await;
}
