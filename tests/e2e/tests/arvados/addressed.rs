//! Services at addresses that workloads registered.

use serde_json::json;
use taskgate_emulators::arvados::{Level, Submission};

use super::site::{Site, becomes};
use crate::support::ask::{Ask, next_part};
use crate::support::ingress::handshake_at;
use crate::support::service::BASE_DOMAIN;
use crate::support::{Outcome, jobs, soon};

#[tokio::test]
async fn a_service_has_the_names_of_its_container_and_nothing_that_is_like_one() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.at("private", &job);
    let _ = site.cluster.name_port(&site.alice, "ollama", &workload.request, 8080);
    let gateway = site.gateway(|_| {}).await?;
    let [container, request] = workload.names();
    let friendly = format!("ollama.{BASE_DOMAIN}");
    for host in [&workload.host(), &container, &request, &friendly, &container.to_uppercase(), &friendly.to_uppercase()]
    {
        let answer = gateway.ingress.send(Ask::get(host, "/").token(&site.alices_token)).await?;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello from A\n"), "{host}");
    }
    for garbage in ["-8080xyz", "-08080", "-8080-", "-8081", "-80", "", "-8080.x"] {
        let host = format!("{}{garbage}.{BASE_DOMAIN}", workload.container);
        let answer = gateway.ingress.send(Ask::get(&host, "/").token(&site.alices_token)).await?;
        assert_eq!(answer.status, 404, "{host}");
    }
    Ok(())
}

#[tokio::test]
async fn statuses_say_who_may_not_and_why() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.at("private", &job);
    let gateway = site.gateway(|_| {}).await?;
    let send = async |ask: Ask| gateway.ingress.send(ask).await;
    assert_eq!(send(Ask::get(&workload.host(), "/")).await?.denial(), (401, "credential-missing"));
    let nobodys = "v2/zzzzz-gj3su-999999999999999/0000";
    assert_eq!(send(workload.get("/", nobodys)).await?.denial(), (401, "credential-rejected"));
    // Who can't read it is not told that it is there.
    assert_eq!(send(workload.get("/", &site.bobs_token)).await?.denial(), (404, "unknown-service"));
    let _ = site.cluster.share(&site.bob, &workload.request, Level::Read);
    let fresh = site.cluster.add_token(&site.bob);
    assert_eq!(send(workload.get("/", &fresh)).await?.denial(), (403, "access-denied"));
    assert_eq!(job.requests(), 0);
    // What Arvados itself says in none of these cases: where its servers are.
    for token in [nobodys, &site.bobs_token, &fresh] {
        let text = send(workload.get("/", token)).await?.text();
        assert!(!text.contains("railsapi") && !text.contains("127.0.0.1"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_request_of_another_user_neither_opens_nor_closes_it() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.at("private", &job);
    let gateway = site.gateway(|_| {}).await?;
    let ports = json!({"8080": {"access": "public", "label": "x", "initial_path": ""}});
    let bobs = Submission::new(&site.bob).ports(ports).reusing(&workload.container);
    let (request, _) = site.cluster.submit(bobs);
    let host = format!("{request}-8080.{BASE_DOMAIN}");
    becomes(&gateway, || Ask::get(&host, "/").token(&site.alices_token), 200).await?;
    assert_eq!(gateway.ingress.send(Ask::get(&host, "/")).await?.status, 401);
    assert_eq!(gateway.ingress.send(Ask::get(&host, "/").token(&site.bobs_token)).await?.status, 404);
    assert_eq!(gateway.ingress.send(workload.get("/", &site.alices_token)).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_job_hears_who_asks_and_never_a_token() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.at("private", &job);
    let gateway = site.gateway(|_| {}).await?;
    let ask = workload.get("/headers", &site.alices_token).header("x-arvados-user-uuid", &site.bob);
    let answer = gateway.ingress.send(ask.header("cookie", "jobs=1")).await?;
    let headers = answer.json()?;
    let values = |name: &str| -> Vec<String> {
        let pairs = headers.as_array().into_iter().flatten().filter(|pair| pair[0] == name);
        pairs.filter_map(|pair| pair[1].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(values("x-arvados-user-uuid"), [site.alice.as_str()]);
    assert_eq!(values("x-forwarded-email"), ["alice@example.test"]);
    assert_eq!(values("cookie"), ["jobs=1"]);
    let secret = site.alices_token.rsplit('/').next().unwrap_or_default();
    assert!(!answer.text().contains(secret), "{headers}");
    Ok(())
}

#[tokio::test]
async fn a_container_that_starts_is_waited_for_and_one_that_ended_is_gone() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let properties = json!({"taskgate.addr": {"8080": job.address().to_string()}});
    let (request, container) = site.cluster.submit(site.submission("private", properties));
    let workload = super::site::Workload { request, container };
    let gateway = site.gateway(|_| {}).await?;
    let answer = gateway.ingress.send(workload.get("/", &site.alices_token)).await?;
    assert_eq!(answer.status, 503);
    assert!(!answer.header("retry-after").is_empty());
    site.cluster.run(&workload.container, &site.alice);
    becomes(&gateway, || workload.get("/", &site.alices_token), 200).await?;
    site.cluster.set_state(&workload.container, "Complete");
    becomes(&gateway, || workload.get("/", &site.alices_token), 404).await
}

#[tokio::test]
async fn websockets_speak_and_events_arrive_one_by_one() -> Outcome {
    let site = Site::new().await?;
    let (socket, job) = (jobs::websocket("W").await?, jobs::http("A").await?);
    let (talks, streams) = (site.at("private", &socket), site.at("private", &job));
    let gateway = site.gateway(|_| {}).await?;
    let handshake = handshake_at(&talks.host(), Some(&site.alices_token))?;
    let mut connected = soon("a WebSocket", gateway.ingress.websocket_with(handshake)).await??;
    assert_eq!(connected.say("anyone?").await?, "W: anyone?");
    let mut link = gateway.ingress.http1().await?;
    // The second event is an hour away: the first one does not wait for it.
    let ask = streams.get("/sse?events=2&every_ms=3600000", &site.alices_token);
    let mut body = link.open(ask.header("accept", "text/event-stream")).await?.into_body();
    assert!(!next_part(&mut body).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn paths_arrive_as_they_were_sent() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.at("public", &job);
    let gateway = site.gateway(|_| {}).await?;
    for path in ["/a//b", "/enc%2Fpath?keep=this", "/x?b=1&a=2&a", "/a/./b"] {
        let answer = gateway.ingress.send(Ask::get(&workload.host(), path)).await?;
        assert_eq!(answer.json()?["target"], path);
    }
    Ok(())
}
