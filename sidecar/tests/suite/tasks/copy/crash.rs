//! The server dies while it is copied: what was not in its storage is copied again.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use taskgate::hsds::domain::DomainName;
use taskgate::tasks::operations::copy::settings::Settings;

use super::stage::{SOURCE, Stage, at};

#[tokio::test]
async fn a_copy_survives_the_death_of_the_server() {
    let mut stage = Stage::planted().await;
    let other = "/home/test_user1/survivor.h5";
    let domain = stage.domain(other).await;
    stage.session.flush(&DomainName::new(SOURCE)).await.expect("a flush");
    stage.session.flush(&domain).await.expect("a flush");
    let flags = json!({"refs": "map-inside"});
    let settings = Settings {
        slab_bytes: 64 << 10,
        slabs: 1,
        objects: 2,
        checkpoint_every: Duration::from_millis(100),
        ..Settings::default()
    };
    let copying = stage.copying(&at(SOURCE, "/tree"), &flags, &at(other, "/copy"), settings);
    let kept = Arc::clone(&copying.kept);
    let attempt = tokio::spawn(async move { copying.attempt().await });
    for _ in 0..2 {
        tokio::time::timeout(Duration::from_secs(100), kept.news.notified()).await.expect("a checkpoint");
    }
    // What is written from here on is lost.
    stage.server.kill().expect("it is killed");
    stage.server.restart().await.expect("it starts again");
    attempt.await.expect("no panic").expect("a copy");

    // What is left after another death is what was in the storage. Another copy was not disturbed.
    stage.server.restart().await.expect("it starts again");
    stage.copy(at(SOURCE, "/tree"), flags, at(other, "/another")).await.expect("a copy");
    let trees = stage.dump(other, &["/copy".to_owned(), "/another".to_owned()]).await;
    assert_eq!(trees[0], trees[1]);
    assert!(trees[0].as_array().expect("a list").len() > 30);
}
