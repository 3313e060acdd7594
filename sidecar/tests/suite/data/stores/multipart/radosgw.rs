//! S3, as Ceph's gateway has it: `make test-radosgw`. Of the servers that tests can have it alone knows which key an
//! upload is of, and lists uploads.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use taskgate::clock::{Clock as _, SystemClock};

use super::lifetime::{
    a_client_goes_on_where_it_was, a_file_in_parts_becomes_an_object, an_upload_leads_to_no_other_key,
    other_bytes_are_no_part, parts_of_other_lengths_make_no_object, strangers_have_no_upload,
    what_came_meanwhile_stays, what_is_given_up_makes_no_object,
};
use super::stage::{File, Stage};
use crate::data::stores::radosgw::started;

#[tokio::test]
async fn files_are_put_in_parts() {
    let (_server, store) = started().await;
    let stage = Stage::start(Arc::new(store)).await;
    a_file_in_parts_becomes_an_object(&stage).await;
    a_client_goes_on_where_it_was(&stage).await;
    what_is_given_up_makes_no_object(&stage).await;
    what_nobody_ended_is_given_up(&stage).await;
    strangers_have_no_upload(&stage).await;
    an_upload_leads_to_no_other_key(&stage).await;
    what_came_meanwhile_stays(&stage).await;
    other_bytes_are_no_part(&stage).await;
    parts_of_other_lengths_make_no_object(&stage, true).await;
}

/// After a day, and not before.
async fn what_nobody_ended_is_given_up(stage: &Stage) {
    let (file, other) = (File::new("forgotten ü &.bin"), File::new("forgotten too.bin"));
    let (upload, second) = (stage.begin(&file).await, stage.begin(&other).await);
    stage.put(&file, &upload, 1).await;
    let now = SystemClock.now();
    assert_eq!(stage.service.collect_orphans(now.after(Duration::from_secs(23 * 3600))).await, 0);
    assert_eq!(stage.there(&file, &upload).await, [(1, 8 << 20)], "it is young");
    assert_eq!(stage.service.collect_orphans(now.after(Duration::from_secs(25 * 3600))).await, 2);
    for (file, upload) in [(&file, &upload), (&other, &second)] {
        let (status, gone) = stage.ask("/list", file, &json!({"upload_id": upload})).await;
        assert_eq!((status, gone["code"].as_str()), (404, Some("not-found")), "{gone}");
    }
    assert_eq!(stage.service.collect_orphans(now.after(Duration::from_secs(25 * 3600))).await, 0);
}
