use std::sync::Arc;

use super::*;
use crate::data::settings::{DataSettings, DownloadSettings};
use crate::data::testing::{FixedCatalog, MemoryStore, Parts, action, caller};

fn service(data: Option<ActionData>) -> (DataService, Arc<MemoryStore>) {
    let download = DownloadSettings { max_size: 8, ..DownloadSettings::default() };
    let settings = DataSettings { download, ..DataSettings::default() };
    let catalog = Arc::new(FixedCatalog { data, ..FixedCatalog::default() });
    let (service, store, _) = Parts { catalog, settings, ..Parts::default() }.service();
    (service, store)
}

fn both() -> Option<ActionData> {
    Some(ActionData { inputs_uri: Some("s3://main/in.pb".into()), outputs_uri: Some("s3://main/out.pb".into()) })
}

#[tokio::test]
async fn what_is_there_is_read() {
    let (service, store) = service(both());
    let (bob, action) = (caller("bob"), action());
    let read = || service.action_data(&bob, &action);
    assert_eq!(read().await.expect("neither is there"), ActionBytes::default());
    store.put("in.pb", b"in", None);
    let inputs = Some(("s3://main/in.pb".to_owned(), Bytes::from_static(b"in")));
    assert_eq!(read().await.expect("inputs are"), ActionBytes { inputs: inputs.clone(), outputs: None });
    store.put("out.pb", b"", None);
    let outputs = Some(("s3://main/out.pb".to_owned(), Bytes::new()));
    assert_eq!(read().await.expect("both are"), ActionBytes { inputs, outputs });
}

#[tokio::test]
async fn a_run_leads_to_its_own_project_alone() {
    let data = |uri: &str| Some(ActionData { inputs_uri: Some(uri.into()), outputs_uri: None });
    for (uri, expected) in [
        ("s3://main/uploads/p/d/offloaded-inputs/h/inputs.pb", true),
        ("s3://main/uploads/secret/d/offloaded-inputs/h/inputs.pb", false),
        ("s3://main/uploads/p/production/x", false),
        ("s3://main/runs/p/d/x", true),
    ] {
        let (service, store) = service(data(uri));
        store.put(uri.strip_prefix("s3://main/").expect("is there"), b"in", None);
        let read = service.action_data(&caller("bob"), &action()).await;
        assert_eq!(read.is_ok_and(|read| read.inputs.is_some()), expected, "{uri}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error() {
    let (whole, store) = service(both());
    store.put("in.pb", b"123456789", None);
    let error = whole.action_data(&caller("bob"), &action()).await.expect_err("is too large");
    assert_eq!(error.to_string(), "failed to read inputs from s3://main/in.pb: an object of 9 bytes is more than 8");
    let error = whole.action_data(&caller("eve"), &action()).await.expect_err("is a stranger");
    assert_eq!(error.to_string(), "project \"p\" not found");
    store.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = whole.action_data(&caller("bob"), &action()).await.expect_err("fails");
    assert!(matches!(&error, DataError::Internal(text) if text.starts_with("failed to read inputs from ")), "{error}");

    let elsewhere = ActionData { inputs_uri: None, outputs_uri: Some("s3://elsewhere/out.pb".into()) };
    let error = service(Some(elsewhere)).0.action_data(&caller("bob"), &action()).await.expect_err("is elsewhere");
    assert!(matches!(&error, DataError::Internal(text) if text.starts_with("failed to read outputs from ")), "{error}");
    let error = service(None).0.action_data(&caller("bob"), &action()).await.expect_err("there is no action");
    assert_eq!(error.to_string(), "action [p/d/run/a0] not found");
}
