//! Copies that are stopped, and go on from where they were.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use taskgate::hsds::domain::DomainName;
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::operations::copy::settings::Settings;

use super::stage::{SOURCE, Stage, at};

/// Small pieces and many checkpoints.
fn settings() -> Settings {
    Settings {
        slab_bytes: 64 << 10,
        objects: 4,
        page: 3,
        checkpoint_every: Duration::from_millis(40),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_copy_that_is_stopped_at_every_checkpoint_is_the_same_tree() {
    let stage = Stage::planted().await;
    let flags = json!({"refs": "map-inside", "expand_refs": true, "expand_external": true});
    let other = "/home/test_user1/stopped.h5";
    stage.domain(other).await;
    stage.copy(at(SOURCE, "/tree"), flags.clone(), at(other, "/whole")).await.expect("a copy");

    let copying = stage.copying(&at(SOURCE, "/tree"), &flags, &at(other, "/in/parts"), settings());
    let mut stops = 0;
    let result = loop {
        // Each second one is lost, as if the machine had died before it was kept.
        match copying.attempt_to_next(stops % 2 == 0).await {
            Err(WorkError::Stopped) => stops += 1,
            other => break other.expect("a copy"),
        }
        // Nothing is visible before the end.
        let is_visible =
            stage.session.resolve(&DomainName::new(other), None, "/in/parts", Default::default()).await.is_ok();
        assert!(!is_visible, "after {stops} stops");
        if stops == 30 {
            break copying.attempt().await.expect("a copy");
        }
    };
    assert!(stops > 4 && copying.kept.count.load(Ordering::SeqCst) > 2, "{stops} stops");
    let trees = stage.dump(other, &["/whole".to_owned(), "/in/parts".to_owned()]).await;
    assert_eq!(trees[0], trees[1]);

    // An attempt after the end, whose outcome was lost, finds all done.
    assert_eq!(copying.attempt().await.expect("a copy"), result);
}
