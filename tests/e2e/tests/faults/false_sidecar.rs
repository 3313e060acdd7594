//! Something else answers where the sidecar should be: nobody gets in by that.

use taskgate_core::feed::TABLE_ANSWER;
use taskgate_core::identity::WireIdentity;
use taskgate_core::verdict::{Refusal, VERDICT_ANSWER, WireVerdict};

use crate::support::ask::Ask;
use crate::support::false_sidecar::{FalseSidecar, Raw, page, response, table};
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

const MARK: (&str, &str) = ("x-taskgate-answer", VERDICT_ANSWER);

fn allow() -> Vec<u8> {
    let identity = WireIdentity { actor: "alice".to_owned(), ..WireIdentity::default() };
    WireVerdict::Allow { identity, lifetime_ms: 30_000, ends_at: None }.encode()
}

/// Everything that is no verdict, though nearly all of it has one in it.
fn no_verdicts() -> Vec<(&'static str, Raw)> {
    let yes = allow();
    let in_html = [b"<html>".as_slice(), &yes].concat();
    let shorter = |by: usize| yes[..yes.len() - by].to_vec();
    let marked = |body: &[u8]| Some(response("200 OK", &[MARK], body));
    let with = |status: &str, headers: &[(&str, &str)]| Some(response(status, headers, &yes));
    let long = response("200 OK", &[MARK], &[yes.clone(), vec![0; 1 << 20]].concat());
    let mut broken = response("200 OK", &[MARK], &[yes.clone(), vec![0; 100]].concat());
    broken.truncate(broken.len() - 100);
    vec![
        ("no mark", with("200 OK", &[])),
        ("another mark", with("200 OK", &[("x-taskgate-answer", TABLE_ANSWER)])),
        ("a mark of another version", with("200 OK", &[("x-taskgate-answer", "verdict-v2")])),
        ("two marks", with("200 OK", &[MARK, MARK])),
        ("two marks that differ", with("200 OK", &[MARK, ("x-taskgate-answer", "x")])),
        ("201", with("201 Created", &[MARK])),
        ("206", with("206 Partial Content", &[MARK])),
        ("302", with("302 Found", &[MARK, ("location", "/")])),
        ("401", with("401 Unauthorized", &[MARK])),
        ("500", with("500 Internal Server Error", &[MARK])),
        ("503", with("503 Service Unavailable", &[MARK])),
        ("no body", marked(b"")),
        ("a page", marked(b"<html>ok</html>")),
        ("a page around a verdict", marked(&in_html)),
        ("true", marked(b"true")),
        ("JSON", marked(br#"{"allow":{"identity":{"actor":"alice"},"lifetime_ms":1000}}"#)),
        ("a byte less", marked(&shorter(1))),
        ("half of it", marked(&shorter(yes.len() / 2))),
        ("a byte more", marked(&[yes.clone(), vec![0]].concat())),
        ("another release's", marked(&[&[9], &yes[1..]].concat())),
        ("a megabyte", Some(long)),
        ("undecided", marked(&WireVerdict::Unavailable.encode())),
        ("a body that breaks off", Some(broken)),
        ("not HTTP", Some(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
        ("a closed connection", Some(Vec::new())),
        ("nothing", None),
    ]
}

/// The false sidecar writes its answers byte by byte, as HTTP/1.1.
pub(super) fn in_http1(envoy: &mut serde_json::Value) -> anyhow::Result<()> {
    let clusters = envoy.pointer_mut("/static_resources/clusters").and_then(|clusters| clusters.as_array_mut());
    for cluster in clusters.into_iter().flatten().filter(|cluster| cluster["name"] == "taskgate-sidecar") {
        cluster["typed_extension_protocol_options"] = serde_json::json!({});
    }
    Ok(())
}

#[tokio::test]
async fn what_is_no_verdict_lets_nobody_in() -> Outcome {
    let job = jobs::http("A").await?;
    let sidecar = FalseSidecar::open().await?;
    sidecar.set_table(Some(table("web", job.address())?));
    let ingress = Setup::new([]).one_worker().start_envoy_with(sidecar.address(), in_http1).await?;
    ingress.wait_for_table().await?;
    for (number, (name, answer)) in no_verdicts().into_iter().enumerate() {
        sidecar.set_verdict(answer);
        let answer = ingress.visit("web", ALICE).await?;
        assert_eq!(answer.denial(), (503, "verdict-unavailable"), "{name}");
        assert_eq!((sidecar.questions(), job.connections()), (number + 1, 0), "{name}");
    }
    let deny = WireVerdict::Deny { code: Refusal::AccessDenied, actor: None, lifetime_ms: 30_000 }.encode();
    sidecar.set_verdict(Some(response("200 OK", &[MARK], &deny)));
    assert_eq!(ingress.visit("web", ALICE).await?.denial(), (403, "access-denied"));
    // And what is a verdict does let in, so it was not for another reason.
    sidecar.set_verdict(Some(response("200 OK", &[MARK], &allow())));
    assert_eq!(ingress.visit("web", "another-token").await?.text(), "hello from A\n");
    Ok(())
}

#[tokio::test]
async fn what_is_no_table_is_not_followed() -> Outcome {
    let job = jobs::http("A").await?;
    let page = page("web", job.address())?;
    let mark = ("x-taskgate-answer", TABLE_ANSWER);
    let wrong = [
        response("200 OK", &[], &page),
        response("200 OK", &[("x-taskgate-answer", VERDICT_ANSWER)], &page),
        response("503 Service Unavailable", &[mark], &page),
        response("200 OK", &[mark], &page[..page.len() - 1]),
        response("200 OK", &[mark], b"<html>hello</html>"),
        response("200 OK", &[mark], b""),
    ];
    for (number, answer) in wrong.into_iter().enumerate() {
        let sidecar = FalseSidecar::open().await?;
        sidecar.set_table(Some(answer));
        let ingress =
            Setup::new([Service::http("web")]).one_worker().start_envoy_with(sidecar.address(), in_http1).await?;
        let failed = async || ingress.counter("table.poll_failed").await.is_ok_and(|failed| failed >= 2);
        taskgate_test_kit::wait_until(crate::support::PATIENCE, "polls to fail", failed).await?;
        let answer = ingress.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
        assert_eq!(answer.denial(), (503, "table-loading"), "answer {number}");
        // The right one is taken as soon as it comes.
        sidecar.set_table(Some(table("web", job.address())?));
        ingress.wait_for_table().await?;
        assert_eq!(job.connections(), 0);
    }
    Ok(())
}
