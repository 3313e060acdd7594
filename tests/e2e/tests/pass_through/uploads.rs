//! Uploads.

use std::convert::Infallible;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use sha2::{Digest as _, Sha256};

use crate::support::ask::Ask;
use crate::support::service::{ALICE, MALLORY, Service, host};
use crate::support::setup::Setup;
use crate::support::wire::{Wire, latin1};
use crate::support::{Outcome, jobs};

/// How large the parts of an upload are.
const PART: usize = 1 << 20;

/// A part of an upload, different from every other.
fn part(number: usize) -> Bytes {
    let mut part = vec![0; PART];
    for (at, byte) in part.iter_mut().enumerate() {
        *byte = (at * 31 + number * 7 + (at >> 8)).to_le_bytes()[0];
    }
    part.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_of_200_mib_arrives_whole_and_is_not_held_in_memory() -> Outcome {
    const PARTS: usize = 200;
    let job = jobs::http("A").await?;
    let gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    let before = gateway.ingress.envoy.memory().await?.resident;
    let parts = (0..PARTS).map(|number| Ok::<_, Infallible>(Frame::data(part(number))));
    let body = StreamBody::new(futures_util::stream::iter(parts)).boxed();
    let answer = gateway.ingress.send(Ask::new(Method::PUT, &host("web"), "/digest").token(ALICE).body(body)).await?;
    let mut digest = Sha256::new();
    (0..PARTS).for_each(|number| digest.update(part(number)));
    let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let seen = answer.json()?;
    assert_eq!(
        (seen["sha256"].as_str(), seen["length"].as_u64()),
        (Some(digest.as_str()), Some((PARTS * PART) as u64))
    );
    // What can be sent again to another job is kept, and that is 64 MiB at the most.
    let peak = gateway.ingress.envoy.memory().await?.peak;
    assert!(peak < before + (150 << 20), "Envoy grew from {before} to {peak} bytes");
    Ok(())
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_and_a_refused_one_its_refusal() -> Outcome {
    let job = jobs::http("A").await?;
    let gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    let head = |token: &str| {
        let host = host("web");
        format!(
            "PUT /echo HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nExpect: 100-continue\r\n\
             Content-Length: 5\r\n\r\n"
        )
    };
    let mut client = Wire::connect(gateway.ingress.address).await?;
    client.write(head(ALICE)).await?;
    assert_eq!(client.read_head().await?.line, "HTTP/1.1 100 Continue");
    client.write("hello").await?;
    let answer = client.read_head().await?;
    assert_eq!(answer.line, "HTTP/1.1 200 OK");
    assert_eq!(latin1(&client.read_until(b"hello").await?).matches("hello").count(), 1);

    // Envoy itself may say 100 first; what counts is that the refusal needs no body.
    let mut client = Wire::connect(gateway.ingress.address).await?;
    client.write(head(MALLORY)).await?;
    let mut answer = client.read_head().await?;
    if answer.line == "HTTP/1.1 100 Continue" {
        answer = client.read_head().await?;
    }
    assert_eq!(answer.line, "HTTP/1.1 404 Not Found");
    assert_eq!(job.requests(), 1);
    Ok(())
}
