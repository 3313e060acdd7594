//! What the real client makes of answers that go wrong.

use std::time::Duration;

use taskgate_emulators::ytsaurus::{ClusterError, Fault, codes};

use super::client::{Client, cluster};

/// Retries without the long waits.
const QUICK: &str = "proxy={retries={count=3;backoff={policy=constant_time;constant_time=1}};\
                     heavy_request_timeout=5000;request_timeout=5000};read_retries={enable=%false};\
                     write_retries={enable=%false}";

#[tokio::test]
async fn it_tries_again_when_the_proxy_is_unavailable() {
    let cluster = cluster().await;
    let client = Client::of(&cluster).config(QUICK);
    cluster.fail("exists", 1, Fault::Unavailable { retry_after_secs: 60 });
    cluster.fail("exists", 1, Fault::Close);
    assert_eq!(client.yt(&["exists", "//sys"]).await, "true\n");
    assert_eq!(cluster.count("exists"), 3);
}

#[tokio::test]
async fn a_mutation_whose_answer_was_lost_is_done_once() {
    let cluster = cluster().await;
    let client = Client::of(&cluster).config(QUICK);
    cluster.fail("create", 1, Fault::LoseAnswer);
    let id = client.yt(&["create", "map_node", "//tmp/once"]).await;
    assert_eq!(cluster.count("create"), 2);
    let made = cluster.get("//tmp/once/@id").unwrap();
    assert_eq!(made.as_str(), Some(id.trim()));
}

#[tokio::test]
async fn it_finds_errors_in_trailers() {
    let cluster = cluster().await;
    let client = Client::of(&cluster).config(QUICK);
    let written = client.try_yt(&["write-table", "//tmp/t", "--format", "json"], "{\"a\":1}\n{\"a\":2}\n").await;
    assert!(written.succeeded, "{}", written.err);
    let error = ClusterError::new(codes::TIMEOUT, "a chunk could not be read");
    cluster.fail("read_table", 1, Fault::Trailers(error));
    let read = client.try_yt(&["read-table", "//tmp/t", "--format", "json"], "").await;
    assert!(!read.succeeded && read.err.contains("a chunk could not be read"), "{}", read.err);
    cluster.fail("read_table", 1, Fault::Truncate);
    let read = client.try_yt(&["read-table", "//tmp/t", "--format", "json"], "").await;
    assert!(!read.succeeded, "{}", read.out);
}

#[tokio::test]
async fn it_waits_for_slow_answers() {
    let cluster = cluster().await;
    let client = Client::of(&cluster).config(QUICK);
    cluster.fail("exists", 1, Fault::Delay(Duration::from_millis(300)));
    assert_eq!(client.yt(&["exists", "//sys"]).await, "true\n");
    assert_eq!(cluster.count("exists"), 1);
}

#[tokio::test]
async fn only_superusers_are_somebody_else() {
    let cluster = cluster().await;
    let client = Client::of(&cluster).config("impersonation_user=bob");
    let refused = client.try_yt(&["list", "/"], "").await;
    assert!(refused.err.contains("is not whitelisted, or a superuser"), "{}", refused.err);
    cluster.set_superuser("alice", true);
    assert_eq!(client.yt(&["whoami"]).await, "bob\n");
}
