use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::data::catalog::Attempt;
use crate::data::testing::{FixedCatalog, Parts, action, caller, lock};

fn catalog() -> Arc<FixedCatalog> {
    let attempt = |report: Option<&str>| Attempt {
        report_uri: report.map(ToOwned::to_owned),
        code_bundle_uri: Some("s3://main/code.tgz".into()),
    };
    let attempts = [
        (1, attempt(Some("s3://main/p/d/report.html"))),
        (2, attempt(None)),
        (3, attempt(Some("s3://elsewhere/report.html"))),
        (4, attempt(Some("s3://main/p/../../secret"))),
    ];
    Arc::new(FixedCatalog { attempts: attempts.into(), ..FixedCatalog::default() })
}

fn ask(number: u32) -> DownloadAsk {
    let source = Some(DownloadSource::Attempt(action(), number));
    DownloadAsk { artifact: Artifact::Report, source, expires_in: None }
}

#[tokio::test]
async fn a_report_is_linked() {
    let (service, store, _) = Parts { catalog: catalog(), ..Parts::default() }.service();
    store.put("p/d/report.html", b"<html>", None);
    store.put("code.tgz", b"code", None);
    let download = service.download_link(&caller("bob"), ask(1)).await.expect("is signed");
    assert_eq!(download.requests.len(), 1);
    assert!(download.requests[0].url.expose().contains("p/d/report.html"));
    let code = DownloadAsk { artifact: Artifact::CodeBundle, ..ask(2) };
    service.download_link(&caller("bob"), code).await.expect("is signed");
    let signed = lock(&store.downloads).clone();
    assert_eq!(signed[0].0, "p/d/report.html");
    assert_eq!(signed[0].1.expires_in, Duration::from_secs(3_600), "the longest where nothing is said");
    assert_eq!(signed[1].0, "code.tgz");
}

#[tokio::test]
async fn what_cannot_be_linked_is_told_in_flytes_words() {
    let (service, ..) = Parts { catalog: catalog(), ..Parts::default() }.service();
    let expires = |seconds| Some(SignedDuration { seconds, nanos: 0 });
    let task = TaskName {
        organization: String::new(),
        project: action().project,
        domain: action().domain,
        name: "t".into(),
        version: "v".into(),
    };
    for (ask, text) in [
        (DownloadAsk { artifact: Artifact::Unspecified, ..ask(1) }, "artifact_type is required"),
        (DownloadAsk { source: None, ..ask(1) }, "unsupported source type"),
        (DownloadAsk { source: Some(DownloadSource::App("a".into())), ..ask(1) }, "unsupported source type"),
        (DownloadAsk { source: Some(DownloadSource::Task(task)), ..ask(1) }, "unsupported source type"),
        (
            DownloadAsk { expires_in: expires(3_601), ..ask(1) },
            "expires_in (1h0m1s) exceeds maximum allowed duration of 1h0m0s",
        ),
        (DownloadAsk { expires_in: expires(-1), ..ask(1) }, "expires_in (-1s) is invalid"),
        (ask(1), "artifact not found at [s3://main/p/d/report.html]"),
        (ask(2), "no report URI found for action [p/d/run/a0] attempt 2"),
        (ask(3), "artifact not found at [s3://elsewhere/report.html]"),
        (ask(4), "artifact not found at [s3://main/p/../../secret]"),
        (ask(9), "attempt 9 not found for action [p/d/run/a0]"),
    ] {
        assert_eq!(service.download_link(&caller("bob"), ask).await.expect_err("is refused").to_string(), text);
    }
    let error = service.download_link(&caller("eve"), ask(1)).await.expect_err("is refused");
    assert_eq!(error.to_string(), "project \"p\" not found");
    let (service, ..) = Parts::default().service();
    let error = service.download_link(&caller("bob"), ask(1)).await.expect_err("is refused");
    assert_eq!(error.to_string(), "failed to get action details: no such run");
    let catalog = Arc::new(FixedCatalog { is_broken: true, ..FixedCatalog::default() });
    let (service, ..) = Parts { catalog, ..Parts::default() }.service();
    let error = service.download_link(&caller("bob"), ask(1)).await.expect_err("is refused");
    assert!(matches!(error, DataError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn names_of_runs_are_single_names() {
    let (service, ..) = Parts { catalog: catalog(), ..Parts::default() }.service();
    for run in ["", "..", "a/b", "a\n"] {
        let source = Some(DownloadSource::Attempt(ActionName { run: run.into(), ..action() }, 1));
        let refused = service.download_link(&caller("bob"), DownloadAsk { source, ..ask(1) }).await;
        assert!(matches!(refused, Err(DataError::Invalid(_))), "{run:?}");
    }
}
