//! The SDK with no Flyte at all: it is told that the data service is one. Organizations are what it makes of hosts.

use std::fs;

use serde_json::json;

use super::site::{Catalog, Site, Store};
use crate::support::Outcome;
use crate::support::service::{ALICE, BOB};

#[tokio::test]
async fn uploads_need_no_flyte() -> Outcome {
    let site = Site::start(Store::Local, Catalog::File).await?;
    let path = site.file("a b.txt", b"hello")?;
    // A token that is shown with each call, and one that a command prints.
    let shown = format!("token:{ALICE}@{}", site.endpoint());
    let written = site.settings_for(&site.endpoint(), ALICE)?;
    for settings in [&shown, &written] {
        let answer = site.user.ask(settings, &["upload", &path]).await?;
        let key = "uploads/flytesnacks/development/LVAUAKV4JMVHNOLRTWIRAF6FSI======/a b.txt";
        assert_eq!(answer[0]["uri"], json!(format!("taskgate://main/{key}")), "{answer}");
        assert_eq!(fs::read(site.object(key))?, b"hello");
    }
    assert!(site.control_plane.calls().is_empty());
    // Who only reads is told so, and who has nothing there that there is no such project.
    let reader = site.user.ask(&format!("token:{BOB}@{}", site.endpoint()), &["upload", &path]).await?;
    assert!(reader["text"].as_str().is_some_and(|text| text.contains("permission denied")), "{reader}");
    Ok(())
}
