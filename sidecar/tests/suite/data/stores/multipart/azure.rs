//! Azure Blob Storage, as Azurite has it.

use std::sync::Arc;

use taskgate_core::time::UnixTime;
use taskgate_test_kit::Azurite;

use super::lifetime::{
    a_client_goes_on_where_it_was, a_file_in_parts_becomes_an_object, an_upload_leads_to_no_other_key,
    other_bytes_are_no_part, parts_of_other_lengths_make_no_object, strangers_have_no_upload,
    what_came_meanwhile_stays,
};
use super::stage::{File, Stage};
use crate::data::stores::azure::started;

async fn stage() -> (Azurite, Stage) {
    let (server, store) = started().await;
    (server, Stage::start(Arc::new(store)).await)
}

#[tokio::test]
async fn files_are_put_in_parts() {
    let (_server, stage) = stage().await;
    a_file_in_parts_becomes_an_object(&stage).await;
    a_client_goes_on_where_it_was(&stage).await;
}

#[tokio::test]
async fn what_may_not_be_is_refused() {
    let (_server, stage) = stage().await;
    strangers_have_no_upload(&stage).await;
    an_upload_leads_to_no_other_key(&stage).await;
    what_came_meanwhile_stays(&stage).await;
    other_bytes_are_no_part(&stage).await;
    parts_of_other_lengths_make_no_object(&stage, false).await;
}

/// Blocks that nobody lists go by themselves.
#[tokio::test]
async fn there_is_nothing_to_give_up() {
    let (_server, stage) = stage().await;
    let file = File::new("x.bin");
    let upload = stage.begin(&file).await;
    stage.put(&file, &upload, 1).await;
    assert_eq!(stage.ask("/abort", &file, &serde_json::json!({"upload_id": upload})).await.0, 204);
    assert_eq!(stage.service.collect_orphans(UnixTime::from_millis(u64::MAX)).await, 0);
    assert_eq!(stage.object(&file).await, None);
    assert_eq!(stage.ask("/abort", &file, &serde_json::json!({"upload_id": "not drawn here"})).await.0, 404);
}
