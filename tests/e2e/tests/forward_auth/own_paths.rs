//! Paths below `/.taskgate/`: for everybody, with all credentials, so never at a job.

use serde_json::json;

use super::front::{Front, Kind};
use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn they_lead_to_the_sidecar_and_never_to_a_job() -> Outcome {
    let job = jobs::http("A").await?;
    let rpc = jobs::grpc("G").await?;
    let services = [
        Service::http("web").at(job.address()).access("owner"),
        Service::grpc("rpc").at(rpc.address()).access("owner"),
    ];
    for kind in Kind::ALL {
        let front = Front::start_with(kind, &services, |config| {
            config["public"] = json!({"listen": "127.0.0.1:0"});
            config["access"] = json!({});
            config["sessions"] = json!({"plain_http": true});
        });
        let front = front.await?;
        for mut link in front.links().await? {
            for task in ["web", "rpc"] {
                let keys = link.send(Ask::get(&host(task), "/.taskgate/jwks.json")).await?;
                assert!(keys.is_ok() && keys.json()?["keys"].is_array(), "{kind:?}: {}", keys.text());
                for path in
                    ["/.taskgate/../admin", "/.taskgate/%2e%2e/admin", "/.taskgate//", "/.taskgate/x?api_token=y"]
                {
                    // Whatever is answered there; and a credential there is the sidecar's to read.
                    link.send(Ask::get(&host(task), path).token(ALICE)).await?;
                }
                // Not one of them: to the job, for who may.
                for path in ["/.taskgate%2fadmin", "/.taskgate", "/./.taskgate/admin", "/.Taskgate/admin"] {
                    let answer = link.send(Ask::get(&host(task), path)).await?;
                    assert_eq!(answer.denial(), (401, "credential-missing"), "{kind:?}: {path}");
                }
            }
        }
        // Without an address that a job could have asked for.
        let posted =
            front.send(Ask::post(&host("rpc"), "/.taskgate/x", "x").header("content-type", "application/grpc"));
        posted.await?;
    }
    assert_eq!((job.connections(), rpc.connections()), (0, 0), "no job heard of it");
    Ok(())
}
