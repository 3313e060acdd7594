use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::data::testing::{MemoryStore, Parts, caller, lock};

const KEY: &str = "uploads/p/d/ROOT/a b?#%.txt";
const MISSING: &str = "there is no such object, or none that you may read";

fn stage() -> (DataService, Arc<MemoryStore>, Arc<MemoryStore>) {
    let (service, main, team) = Parts::default().service();
    for store in [&main, &team] {
        for key in [
            KEY,
            "uploads/q/d/x",
            "uploads/p/e/x",
            "uploads/open/any/x",
            "uploads/p/d/offloaded-inputs/h/inputs.pb",
            "uploads/p/d/x/offloaded-inputs/h/inputs.pb",
            "uploads/open/p/d/offloaded-inputs/h/inputs.pb",
            "uploads/open/offloaded-inputs/h/inputs.pb",
            "uploads/p/d",
            "uploads/p",
            "outputs/p/d/x",
            "p/d/x",
            "uploads-2/p/d/x",
        ] {
            store.put(key, b"bytes", Some([1; 16]));
        }
    }
    (service, main, team)
}

async fn link(service: &DataService, user: &str, uri: &str) -> Result<Download, DataError> {
    service.object_link(&caller(user), ObjectAsk { uri: uri.into(), ..ObjectAsk::default() }).await
}

#[tokio::test]
async fn an_upload_is_got_back_by_who_reads_its_project() {
    let (service, main, team) = stage();
    for user in ["ann", "bob", "carl"] {
        let download = link(&service, user, &format!("s3://main/{KEY}")).await.expect("is signed");
        assert_eq!((download.object.size, download.object.content_md5), (5, Some([1; 16])));
    }
    link(&service, "eve", "s3://main/uploads/open/any/x").await.expect("is everybody's");
    assert_eq!(lock(&main.downloads)[0].0, KEY);
    assert_eq!(lock(&main.downloads)[0].1.expires_in, Duration::from_secs(3_600));
    assert!(lock(&team.downloads).is_empty());
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_yours_look_alike() {
    let (service, main, team) = stage();
    for (user, uri) in [
        ("eve", "s3://main/uploads/p/d/ROOT/a b?#%.txt"),
        ("ann", "s3://main/uploads/p/d/ROOT/other"),
        ("ann", "s3://main/uploads/q/d/x"),
        ("ann", "s3://main/uploads/p/e/x"),
        ("ann", "s3://main/uploads/p/d"),
        ("ann", "s3://main/uploads/p"),
        ("ann", "s3://main/uploads/p/d/"),
        ("ann", "s3://main/outputs/p/d/x"),
        ("ann", "s3://main/p/d/x"),
        ("ann", "s3://main/uploads-2/p/d/x"),
        ("ann", "s3://main/uploads/q/../p/d/ROOT/a b?#%.txt"),
        ("ann", "s3://main/uploads/p/d/offloaded-inputs/h/inputs.pb"),
        ("ann", "s3://main/uploads/p/d/x/offloaded-inputs/h/inputs.pb"),
        ("ann", "s3://main/uploads/open/p/d/offloaded-inputs/h/inputs.pb"),
        ("ann", "s3://main/uploads/open/offloaded-inputs/h/inputs.pb"),
        // A store that the project's data do not go into.
        ("ann", "s3://team/uploads/p/d/ROOT/a b?#%.txt"),
        ("ann", "s3://elsewhere/uploads/p/d/x"),
        ("ann", "https://main/uploads/p/d/x"),
        ("ann", ""),
    ] {
        let refused = link(&service, user, uri).await.expect_err(uri);
        assert!(matches!(&refused, DataError::NotFound(text) if text == MISSING), "{uri}: {refused}");
    }
    assert!(lock(&main.downloads).is_empty() && lock(&team.downloads).is_empty());
    let broken = link(&service, "ann", "s3://main/uploads/broken/d/x").await.expect_err("can't be said");
    assert!(!matches!(broken, DataError::NotFound(_)), "{broken}");
    let long = ObjectAsk { expires_in: Some(Duration::from_secs(3_601).into()), ..ObjectAsk::default() };
    assert!(matches!(service.object_link(&caller("ann"), long).await, Err(DataError::Invalid(_))));
}

proptest! {
    /// Whatever is asked for: what is signed is under the prefix, of the project that the caller reads.
    #[test]
    fn nothing_else_is_ever_signed(
        parts in proptest::collection::vec("p|d|p/d|q|e|open|x|\\.\\.|\\.|offloaded-inputs|[a-z%/\\\\ ]{0,4}|\\PC{0,4}", 0..6),
        start in "s3://main/uploads/(p/d/|open/|)|s3://main/|s3://team/uploads/p/d/|s3a://main/uploads/p/d/|s3:/|/|",
    ) {
        let uri = format!("{start}{}", parts.join("/"));
        let (service, main, team) = stage();
        for (store, base) in [(&main, "s3://main/"), (&team, "s3://team/")] {
            if let Some(key) = uri.strip_prefix(base) {
                store.put(key, b"planted", None);
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let outcome = runtime.block_on(link(&service, "bob", &uri));
        let signed = lock(&main.downloads).clone();
        prop_assert!(lock(&team.downloads).is_empty());
        prop_assert_eq!(outcome.is_ok(), !signed.is_empty());
        for (key, _) in signed {
            prop_assert_eq!(&format!("s3://main/{key}"), &uri);
            prop_assert!(key.starts_with("uploads/p/d/") || key.starts_with("uploads/open/"), "{}", key);
            prop_assert!(key.split('/').all(|part| !matches!(part, "" | "." | ".." | "offloaded-inputs")), "{}", key);
        }
    }
}
