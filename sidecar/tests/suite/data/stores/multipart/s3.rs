//! S3, as `s3s-fs` has it. It looks neither at the key that an upload is of nor at digests of parts, and lists no
//! uploads: Ceph's gateway does.

use std::sync::Arc;

use taskgate_core::time::UnixTime;
use taskgate_test_kit::S3;

use super::lifetime::{
    a_client_goes_on_where_it_was, a_file_in_parts_becomes_an_object, parts_of_other_lengths_make_no_object,
    strangers_have_no_upload, what_came_meanwhile_stays, what_is_given_up_makes_no_object,
};
use super::stage::Stage;
use crate::data::stores::s3::started;

async fn stage() -> (S3, Stage) {
    let (server, store) = started().await;
    (server, Stage::start(Arc::new(store)).await)
}

#[tokio::test]
async fn files_are_put_in_parts() {
    let (_server, stage) = stage().await;
    a_file_in_parts_becomes_an_object(&stage).await;
    a_client_goes_on_where_it_was(&stage).await;
    what_is_given_up_makes_no_object(&stage).await;
}

#[tokio::test]
async fn what_may_not_be_is_refused() {
    let (_server, stage) = stage().await;
    strangers_have_no_upload(&stage).await;
    what_came_meanwhile_stays(&stage).await;
    parts_of_other_lengths_make_no_object(&stage, true).await;
    assert_eq!(stage.service.collect_orphans(UnixTime::from_millis(u64::MAX)).await, 0, "it can't be asked");
}
