//! HTTP/1.1, byte for byte.

use http::Method;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::wire::{Wire, bytes};
use crate::support::{Outcome, jobs};

/// A target with everything in it that a proxy might tidy up.
const TARGET: &str = "/a/./../b//c%2F%2e%2E/%20;x=1/{|}~?q=%2f&a=//..&empty=&&plus=+&%00";

/// What Envoy adds to a request.
const ADDED: [&str; 6] = [
    "x-envoy-attempt-count",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-forwarded-proto",
    "x-request-id",
];

/// What else arrives: what was sent, less the credential, and who the visitor is.
const EXPECTED: [&str; 10] = [
    "content-length",
    "cookie",
    "host",
    "x-empty",
    "x-forwarded-email",
    "x-forwarded-for",
    "x-forwarded-groups",
    "x-forwarded-user",
    "x-odd",
    "x-two",
];

#[tokio::test]
async fn a_request_arrives_byte_for_byte_and_so_does_its_answer() -> Outcome {
    let mut job = Stage::open().await?;
    let gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] {
        let mut client = Wire::connect(gateway.ingress.address).await?;
        let (host, body) = (host("web"), "\u{0}\u{ff}\u{80}");
        let sent = format!(
            "{method} {TARGET} HTTP/1.1\r\nHost: {host}\r\nAuthorization: OAuth {ALICE}\r\n\
             X-Odd: a  b \u{ff}\u{fe}\r\nCookie: a=1; b=\"x y\"\r\nCookie: c=%2F; =; d\r\n\
             X-Two: 1\r\nX-Two: 2\r\nX-Empty:\r\nContent-Length: 3\r\n\r\n{body}"
        );
        client.write(bytes(&sent)).await?;

        let mut visit = job.next().await?;
        let seen = &visit.head;
        assert_eq!(seen.line, format!("{method} {TARGET} HTTP/1.1"));
        assert_eq!(seen.all("host"), [host.as_str()]);
        assert_eq!(seen.all("x-odd"), ["a  b \u{ff}\u{fe}"]);
        assert_eq!(seen.all("cookie"), ["a=1; b=\"x y\"", "c=%2F; =; d"]);
        assert_eq!((seen.all("x-two"), seen.all("content-length")), (vec!["1", "2"], vec!["3"]));
        assert_eq!(seen.all("x-forwarded-user"), ["alice"]);
        let names: Vec<&str> = seen.names().into_iter().filter(|name| !ADDED.contains(name)).collect();
        assert_eq!(names, EXPECTED);
        assert_eq!(visit.wire.read_exact(3).await?, bytes(body));

        let answer = "HTTP/1.1 207 Odd\r\nServer: own/1\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\n\
                      X-Odd: \u{ff}=\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\u{0}\u{ff}\r\n";
        visit.wire.write(bytes(answer)).await?;
        let head = client.read_head().await?;
        assert_eq!(head.line, "HTTP/1.1 207 Multi-Status");
        assert_eq!(head.all("set-cookie"), ["a=1; Path=/", "b=2"]);
        assert_eq!((head.all("server"), head.all("x-odd")), (vec!["own/1"], vec!["\u{ff}="]));
        assert_eq!(client.read_exact(head.length()?).await?, b"\0\xff\r\n");
    }
    Ok(())
}

#[tokio::test]
async fn get_head_post_and_put_do_what_they_do() -> Outcome {
    let job = jobs::http("A").await?;
    let gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    let mut link = gateway.ingress.http1().await?;
    let host = host("web");

    let answer = link.send(Ask::get(&host, "/").token(ALICE)).await?;
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello from A\n"));
    let answer = link.send(Ask::new(Method::HEAD, &host, "/").token(ALICE)).await?;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (200, "13", 0));
    for status in [204, 304, 404, 500, 503] {
        let answer = link.send(Ask::get(&host, &format!("/status/{status}")).token(ALICE)).await?;
        assert_eq!(answer.denial(), (status, ""), "the job's own status, and no denial of ours");
    }
    for method in [Method::POST, Method::PUT] {
        let body = vec![7_u8; 300_000];
        let ask = Ask::post(&host, "/echo", body.clone()).token(ALICE).header("content-type", "a/b");
        let answer = link.send(ask.method(method.clone())).await?;
        assert_eq!((answer.status, answer.header("content-type")), (200, "a/b"));
        assert!(answer.body == body, "{method}: {} bytes came back", answer.body.len());
    }
    Ok(())
}
