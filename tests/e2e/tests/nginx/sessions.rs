//! Browsers: a token in the query becomes a session, links, sign-in.

use serde_json::json;

use super::gate::Plan;
use crate::support::ask::{Answer, Ask};
use crate::support::service::{ALICE, MALLORY, Service, host, id};
use crate::support::{Outcome, jobs};

/// What browsers say of a person's own visit.
fn by_a_person(ask: Ask) -> Ask {
    ask.header("sec-fetch-mode", "navigate").header("accept", "text/html")
}

/// The cookies that an answer sets, as a browser sends them.
fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    lines.filter_map(|line| line.split(';').next()).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn a_token_in_the_query_becomes_a_session_and_leaves_the_url() -> Outcome {
    let job = jobs::http("A").await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).with_access().start().await?;
    let web = host("web");
    for mut link in gate.links().await? {
        let first = Ask::get(&web, &format!("/a%2Fb//c?x=%20y&api_token={ALICE}&z"));
        let answer = link.send(by_a_person(first)).await?;
        assert_eq!((answer.status, answer.header("location")), (303, "/a%2Fb//c?x=%20y&z"));
        let [session] = &cookies(&answer)[..] else { anyhow::bail!("one cookie, but {:?}", answer.headers) };
        assert!(session.starts_with("taskgate=tg1.s.") && !session.contains(ALICE), "{session}");
        let next = Ask::get(&web, "/a%2Fb//c?x=%20y&z").header("cookie", format!("own=1; {session}"));
        let seen = link.send(next).await?.json()?;
        assert_eq!(seen["target"], "/a%2Fb//c?x=%20y&z");
        let headers = seen["headers"].to_string();
        assert!(headers.contains("[\"cookie\",\"own=1\"]") && headers.contains("[\"x-forwarded-user\",\"alice\"]"));
        assert!(headers.contains("x-taskgate-assertion") && !headers.contains(session), "{headers}");
    }
    assert_eq!(job.requests(), 2, "the job sees no token");
    for (token, status) in [("nobody", 401), (MALLORY, 404)] {
        let answer = gate.send(by_a_person(Ask::get(&web, &format!("/?api_token={token}")))).await?;
        assert_eq!((answer.status, cookies(&answer).len()), (status, 0));
    }
    assert!(!gate.nginx.audit().contains(ALICE), "the log has no query");
    Ok(())
}

#[tokio::test]
async fn a_link_lets_in_where_it_leads_and_nowhere_else() -> Outcome {
    let job = jobs::http("A").await?;
    let services = [Service::http("web").at(job.address()), Service::http("other").at(job.address())];
    let gate = Plan::new(services).with_access().start().await?;
    let wanted = json!({"service": id("web"), "lifetime_secs": 3600, "path": "/report"});
    let made = gate.operate("/internal/shares", &wanted).await?;
    let link = made["link"].as_str().unwrap_or_default();
    let path = link.split_once(&host("web")).map(|(_, rest)| rest.trim_start_matches(|letter: char| letter != '/'));
    let path = path.ok_or_else(|| anyhow::anyhow!("no link of the service: {made}"))?;
    let answer = gate.send(by_a_person(Ask::get(&host("web"), path))).await?;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let session = cookies(&answer).join("; ");
    let visit = |task: &str, path: &str| by_a_person(Ask::get(&host(task), path)).header("cookie", &session);
    assert_eq!(gate.send(visit("web", "/report")).await?.json()?["name"], "A");
    assert_eq!(gate.send(visit("web", "/else")).await?.header("x-taskgate-denial"), "outside-share");
    assert!(gate.send(visit("other", "/report")).await?.status >= 300);
    assert_eq!(job.requests(), 1);
    Ok(())
}

#[tokio::test]
async fn a_person_is_sent_to_sign_in_and_the_gates_own_pages_are_there() -> Outcome {
    let job = jobs::http("A").await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).with_access();
    let gate = gate
        .configure(|config| config["access"] = json!({"external_url": "http://access.tasks.example.test"}))
        .start()
        .await?;
    let keys = gate.send(Ask::get(&host("web"), "/.taskgate/jwks.json")).await?;
    assert!(keys.is_ok() && keys.json()?["keys"].is_array(), "{}", keys.text());
    assert_eq!(job.requests(), 0);
    let answer = gate.send(by_a_person(Ask::get(&host("web"), "/page"))).await?;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (401, "text/html; charset=utf-8"),
        "nobody to sign in with"
    );
    Ok(())
}

#[tokio::test]
async fn with_a_group_of_the_service_they_are_still_the_gates() -> Outcome {
    let (web, rpc) = (jobs::http("A").await?, jobs::grpc("G").await?);
    let services = [
        Service::http("web").at(web.address()).access("owner"),
        Service::grpc("rpc").at(rpc.address()).access("owner"),
    ];
    let plan = Plan::new(services).with_access();
    let gate = plan.group("web", "webs", &[web.address()]).group("rpc", "rpcs", &[rpc.address()]).start().await?;
    for task in ["web", "rpc"] {
        for mut link in gate.links().await? {
            let keys = link.send(Ask::get(&host(task), "/.taskgate/jwks.json")).await?;
            assert!(keys.is_ok() && keys.json()?["keys"].is_array(), "{task}: {}", keys.text());
        }
        for mut link in gate.links().await? {
            // Permitted to everybody, and with every credential that there is.
            let visit = Ask::get(&host(task), "/.taskgate/admin").header("cookie", "taskgate=tg1.s.x");
            assert_eq!(link.send(visit.token(ALICE)).await?.status, 404, "{task}");
        }
    }
    assert_eq!((web.connections(), rpc.connections()), (0, 0), "no job heard of it");
    let answer = gate.grpc("rpc").await?.unary(crate::support::ingress::message("hi", ALICE)?).await?;
    assert!(format!("{answer:?}").contains("hi"), "what is the service's own goes to its group: {answer:?}");
    Ok(())
}

#[tokio::test]
async fn a_session_that_ended_lets_nobody_in() -> Outcome {
    let job = jobs::http("A").await?;
    let gate = Plan::new([Service::http("web").at(job.address())]).with_access().start().await?;
    let made = gate
        .operate("/internal/session", &json!({"service": id("web"), "actor": "alice", "lifetime_secs": 3600}))
        .await?;
    let cookie = format!("taskgate={}", made["token"].as_str().unwrap_or_default());
    let visit = || Ask::get(&host("web"), "/").header("cookie", &cookie);
    assert_eq!(gate.send(visit()).await?.text(), "hello from A\n");
    let ask = Ask::post("taskgate", "/internal/sessions/end", json!({"actor": "alice"}).to_string());
    let ended = ask.header("content-type", "application/json").send(gate.sidecar.internal_address()).await?;
    assert!(ended.is_ok(), "{}", ended.text());
    assert_eq!(gate.send(visit()).await?.status, 401);
    Ok(())
}
