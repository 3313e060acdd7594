//! Services that are reached through the cluster's controller.

use serde_json::json;

use super::site::Site;
use crate::support::ask::Ask;
use crate::support::ingress::handshake_at;
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn a_visitors_token_opens_the_way_and_stays_out_of_the_job() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.behind_controller("private", &job);
    let connect = site.cluster.address().to_string();
    let gateway = site.gateway(|provider| provider["controller"] = json!({"connect": connect})).await?;
    let answer = gateway.ingress.send(workload.get("/enc%2Fpath?keep=this", &site.alices_token)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = answer.json()?;
    assert_eq!(seen["target"], "/enc%2Fpath?keep=this");
    let secret = site.alices_token.rsplit('/').next().unwrap_or_default();
    assert!(!answer.text().contains(secret) && !answer.text().contains("x-taskgate"), "{seen}");
    assert!(answer.headers.get("set-cookie").is_none() && answer.headers.get("vary").is_none());
    let refused = gateway.ingress.send(workload.get("/", &site.bobs_token)).await?;
    assert_eq!(refused.denial(), (404, "unknown-service"));
    assert_eq!(gateway.ingress.send(Ask::get(&workload.host(), "/")).await?.denial(), (401, "credential-missing"));
    Ok(())
}

#[tokio::test]
async fn a_websocket_is_refused_with_words_instead_of_silence() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::websocket("W").await?;
    let workload = site.behind_controller("public", &job);
    let connect = site.cluster.address().to_string();
    let gateway = site.gateway(|provider| provider["controller"] = json!({"connect": connect})).await?;
    let refused = gateway.ingress.websocket_with(handshake_at(&workload.host(), None)?).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(answer)) = refused else {
        anyhow::bail!("connected, or failed in another way: {refused:?}");
    };
    assert_eq!(answer.status(), 501);
    assert_eq!(job.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn who_goes_past_the_gate_gets_nowhere() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.behind_controller("private", &job);
    let connect = site.cluster.address().to_string();
    let controller = json!({"connect": connect, "token": "service"});
    let gateway = site.gateway(|provider| provider["controller"] = controller).await?;
    assert_eq!(gateway.ingress.send(workload.get("/", &site.alices_token)).await?.status, 200);
    let services = Ask::get("taskgate", "/internal/services").send(gateway.sidecar.internal_address()).await?.json()?;
    let service = &services["services"][0];
    let address = service["endpoints"][0]["address"].as_str().or(service["endpoints"][0].as_str()).unwrap_or_default();
    let past = Ask::get(&workload.host(), "/").header("x-forwarded-user", &site.alice).send(address.parse()?).await?;
    assert_eq!(past.status, 403, "{}", past.text());
    assert_eq!(job.requests(), 1);
    Ok(())
}
