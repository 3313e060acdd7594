//! What clients are told who don't get in.

use super::front::{Front, Kind};
use crate::support::ask::Ask;
use crate::support::ingress::message;
use crate::support::service::{BOB, MALLORY, Service, host};
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn who_may_not_is_told_why_and_no_job_hears_of_it() -> Outcome {
    let (job, rpc) = (jobs::http("A").await?, jobs::grpc("G").await?);
    let services = [
        Service::http("web").at(job.address()),
        Service::http("own").at(job.address()).access("owner"),
        Service::http("empty"),
        Service::grpc("rpc").at(rpc.address()),
    ];
    for kind in Kind::ALL {
        let front = Front::start(kind, &services).await?;
        for mut link in front.links().await? {
            for (task, token, denial) in [
                ("web", None, (401, "credential-missing")),
                ("web", Some("nobody"), (401, "credential-rejected")),
                ("web", Some(MALLORY), (404, "unknown-service")),
                ("own", Some(BOB), (403, "access-denied")),
                ("nosuch", Some(BOB), (404, "unknown-service")),
                ("empty", Some(BOB), (503, "no-endpoint")),
            ] {
                let ask = Ask::get(&host(task), "/");
                let ask = if let Some(token) = token { ask.token(token) } else { ask };
                let answer = link.send(ask).await?;
                if (kind, denial.0) == (Kind::EnvoyHttp, 503) {
                    // To Envoy it is an outage.
                    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{task}");
                    continue;
                }
                assert_eq!(answer.denial(), denial, "{kind:?}: {task} {token:?}");
                assert_eq!(answer.json()?["code"], denial.1, "{kind:?}: the whole reply");
            }
            let answer = link.send(Ask::post(&host("web"), "/", "body")).await?;
            assert_eq!(answer.denial(), (401, "credential-missing"), "{kind:?}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{kind:?}");
        }
        // A gRPC client is refused in its own language, and above all refused.
        for task in ["rpc", "web"] {
            let refused = front.grpc(task).await?.unary(message("hi", "nobody")?).await.err();
            assert_eq!(refused.map(|status| status.code()), Some(tonic::Code::Unauthenticated), "{kind:?}: {task}");
        }
        let disguised = Ask::post(&host("web"), "/", "x").header("content-type", "application/grpc");
        front.send(disguised.header("te", "trailers")).await?;
    }
    assert_eq!((job.connections(), rpc.requests()), (0, 0), "nobody was let in");
    Ok(())
}
