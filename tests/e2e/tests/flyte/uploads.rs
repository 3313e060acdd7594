//! Files and folders.

use std::fs;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::S3;

use super::site::{Catalog, Site, Store};
use crate::support::Outcome;
use crate::support::service::ALICE;

/// Names that are special to something on the way, and their content.
const FILES: [(&str, &[u8]); 5] = [
    ("foo bar ü #1.txt", b"one"),
    ("100%.txt", b"two"),
    ("q?x=1", b"three"),
    ("a+b&c;d=e,f%2Fg", b"four"),
    ("empty", b""),
];

/// Uploads each of them twice. The addresses.
async fn upload_twice(site: &Site) -> anyhow::Result<Vec<String>> {
    let settings = site.settings(ALICE)?;
    let mut paths = Vec::new();
    for (name, content) in FILES {
        paths.push(site.file(name, content)?);
    }
    let arguments: Vec<&str> =
        std::iter::once("upload").chain([&paths, &paths].into_iter().flatten().map(String::as_str)).collect();
    let answer = site.user.ask(&settings, &arguments).await?;
    let uploads = answer.as_array().with_context(|| answer.to_string())?;
    assert_eq!(uploads.len(), 2 * FILES.len(), "{answer}");
    let (first, second) = uploads.split_at(FILES.len());
    assert_eq!(first, second, "an upload that is repeated is the same");
    Ok(first.iter().map(|upload| upload["uri"].as_str().unwrap_or_default().to_owned()).collect())
}

#[tokio::test]
async fn files_arrive_as_they_are_and_may_come_again() -> Outcome {
    let site = Site::start(Store::Local, Catalog::Flyte).await?;
    for ((name, content), uri) in FILES.iter().zip(upload_twice(&site).await?) {
        let key = uri.strip_prefix("taskgate://main/").unwrap_or_else(|| panic!("{uri}"));
        assert!(key.starts_with("uploads/flytesnacks/development/"), "{uri}");
        assert!(key.ends_with(&format!("======/{name}")), "the raw name: {uri}");
        assert_eq!(fs::read(site.object(key))?, *content, "{name}");
    }
    // One line each for who may write what, and nobody else's.
    let lines = site.audits("alice", "upload");
    assert_eq!(lines.len(), 2 * FILES.len(), "{}", site.sidecar.log());
    assert!(lines.iter().any(|line| line.contains("100%.txt") && line.contains("md5:")), "{lines:?}");
    site.assert_logs_are_clean().await?;
    Ok(())
}

#[tokio::test]
async fn a_folder_arrives_under_its_prefix() -> Outcome {
    let site = Site::start(Store::Local, Catalog::Flyte).await?;
    site.file("folder/a b.txt", b"a")?;
    site.file("folder/below/c.txt", b"c")?;
    let folder = site.user.home().join("folder");
    let arguments = ["upload-dir", folder.to_str().unwrap_or_default(), "my prefix"];
    let uri = site.user.ask(&site.settings(ALICE)?, &arguments).await?;
    assert_eq!(uri, json!("taskgate://main/uploads/flytesnacks/development/my prefix"));
    // The SDK makes folders in it flat.
    for (name, content) in [("a b.txt", b"a"), ("c.txt", b"c")] {
        assert_eq!(fs::read(site.object(&format!("uploads/flytesnacks/development/my prefix/{name}")))?, content);
    }
    // Once more, unchanged; then one file has other content, which is refused before anything is sent.
    assert_eq!(site.user.ask(&site.settings(ALICE)?, &arguments).await?, uri);
    site.file("folder/below/c.txt", b"other")?;
    let refused = site.user.ask(&site.settings(ALICE)?, &arguments).await?;
    assert!(refused["text"].as_str().is_some_and(|text| text.contains("different content")), "{refused}");
    assert_eq!(fs::read(site.object("uploads/flytesnacks/development/my prefix/c.txt"))?, b"c");
    Ok(())
}

#[tokio::test]
async fn a_bucket_takes_the_same() -> Outcome {
    let bucket = S3::start().await?;
    let site = Site::start(Store::S3(&bucket), Catalog::Flyte).await?;
    for ((name, content), uri) in FILES.iter().zip(upload_twice(&site).await?) {
        let key = uri.strip_prefix("s3://data/uploads/flytesnacks/development/").unwrap_or_else(|| panic!("{uri}"));
        assert!(key.ends_with(&format!("======/{name}")), "the raw name: {uri}");
        assert_eq!(bucket.object(&uri["s3://data/".len()..])?, *content, "{name}");
    }
    let settings = site.settings(ALICE)?;
    let output = site.user.ask(&settings, &["tracked", "21"]).await?;
    assert_eq!(output, json!({"output": 42}));
    let action: Value = site.user.ask(&settings, &["action", "tracked"]).await?;
    assert_eq!((&action["inputs"]["number"], &action["outputs"]), (&json!(21), &json!([42])), "{action}");
    assert!(action["report"].as_str().is_some_and(|page| page.contains("<p>21 doubled ü</p>")), "{action}");
    site.assert_logs_are_clean().await?;
    Ok(())
}
