//! A token in the address becomes a session, and a session is looked at again.

use serde_json::json;
use taskgate_emulators::arvados::Level;

use super::site::{Site, becomes};
use crate::support::ask::{Answer, Ask};
use crate::support::{Outcome, jobs};

/// The session that an answer gives, as a browser sends it back.
fn session(answer: &Answer) -> String {
    let cookies = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let pairs: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
    pairs.join("; ")
}

#[tokio::test]
async fn a_token_leaves_the_address_and_everything_else_stays() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.at("private", &job);
    let gateway = site.gateway(|_| {}).await?;
    let [host, _] = workload.names();
    for parameter in ["api_token", "arvados_api_token"] {
        let path = format!("/foo%2Fbar/deep/er?baz&baz&{parameter}={}&waz=quux", site.alices_token);
        let answer = gateway.ingress.send(Ask::get(&host, &path)).await?;
        assert_eq!((answer.status, answer.header("location")), (303, "/foo%2Fbar/deep/er?baz&baz&waz=quux"));
        let cookie = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let cookie = cookie.filter(|cookie| cookie.starts_with("taskgate=")).collect::<Vec<_>>().join("|");
        for part in ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"] {
            assert!(cookie.contains(part), "{part}: {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        let secret = site.alices_token.rsplit('/').next().unwrap_or_default();
        assert!(!cookie.contains(secret) && !answer.text().contains(secret));
        // The path is as deep as before, and there is one redirect and no more.
        let next = Ask::get(&host, answer.header("location")).header("cookie", session(&answer));
        let arrived = gateway.ingress.send(next).await?;
        assert_eq!(arrived.json()?["target"], "/foo%2Fbar/deep/er?baz&baz&waz=quux");
        assert!(!arrived.text().contains("taskgate="), "{}", arrived.text());
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_token_in_the_address_is_refused_there() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.at("private", &job);
    let gateway = site.gateway(|_| {}).await?;
    let path = "/?arvados_api_token=v2/zzzzz-gj3su-999999999999999/0000";
    let answer = gateway.ingress.send(Ask::get(&workload.host(), path)).await?;
    assert_eq!(answer.denial(), (401, "credential-rejected"));
    assert!(session(&answer).is_empty());
    let path = format!("/?arvados_api_token={}", site.bobs_token);
    assert_eq!(gateway.ingress.send(Ask::get(&workload.host(), &path)).await?.status, 404);
    assert_eq!(job.requests(), 0);
    Ok(())
}

#[tokio::test]
async fn a_session_ends_with_the_level_that_it_was_given_for() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let properties =
        json!({"taskgate.addr": {"8080": job.address().to_string()}, "taskgate.access": {"8080": "can_read"}});
    let (request, container) = site.cluster.start_service(site.submission("private", properties));
    let workload = super::site::Workload { request, container };
    let link = site.cluster.share(&site.bob, &workload.request, Level::Read);
    let gateway = site.gateway_with(|_| {}, |config| config["sessions"] = json!({"recheck_secs": 1})).await?;
    let path = format!("/?api_token={}", site.bobs_token);
    let answer = gateway.ingress.send(Ask::get(&workload.host(), &path)).await?;
    assert_eq!(answer.status, 303);
    let cookie = session(&answer);
    let ask = || Ask::get(&workload.host(), "/").header("cookie", &cookie);
    assert_eq!(gateway.ingress.send(ask()).await?.status, 200);
    // Of a session that has not been looked at for a second the cluster is asked by name, without the token.
    becomes(&gateway, ask, 200).await?;
    site.cluster.remove(&link);
    becomes(&gateway, ask, 404).await
}

#[tokio::test]
async fn a_session_goes_through_the_controller_with_what_its_visitor_was_let_in_with() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let workload = site.behind_controller("private", &job);
    let connect = site.cluster.address().to_string();
    for token in ["visitor", "service"] {
        let controller = json!({"connect": connect, "token": token});
        let gateway = site.gateway(|provider| provider["controller"] = controller).await?;
        let path = format!("/?api_token={}", site.alices_token);
        let answer = gateway.ingress.send(Ask::get(&workload.host(), &path)).await?;
        assert_eq!(answer.status, 303, "{token}");
        let ask = Ask::get(&workload.host(), "/headers").header("cookie", session(&answer));
        let answer = gateway.ingress.send(ask).await?;
        assert_eq!(answer.status, 200, "{token}: {}", answer.text());
        let secret = site.alices_token.rsplit('/').next().unwrap_or_default();
        assert!(!answer.text().contains(secret) && !answer.text().contains("taskgate="), "{}", answer.text());
    }
    Ok(())
}

#[tokio::test]
async fn whom_taskgate_lets_in_and_arvados_does_not_is_told_so() -> Outcome {
    let site = Site::new().await?;
    let job = jobs::http("A").await?;
    let properties = json!({"taskgate.access": {"8080": "can_read"}});
    let (request, container) = site.cluster.start_service(site.submission("private", properties));
    let workload = super::site::Workload { request, container };
    site.cluster.serve(&workload.container, super::site::PORT, job.address());
    let _ = site.cluster.share(&site.bob, &workload.request, Level::Read);
    let connect = site.cluster.address().to_string();
    for (token, status) in [("visitor", 403), ("service", 200)] {
        let controller = json!({"connect": connect, "token": token});
        let gateway = site.gateway(|provider| provider["controller"] = controller).await?;
        let answer = gateway.ingress.send(workload.get("/", &site.bobs_token)).await?;
        assert_eq!(answer.status, status, "{token}: {}", answer.text());
        assert_eq!(answer.text().contains("arvados-refused"), status == 403);
    }
    Ok(())
}
