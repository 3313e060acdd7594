//! Browsers: a token in the query, and cookies that are the gate's own.

use serde_json::json;

use super::front::{Front, Kind};
use crate::support::ask::{Answer, Ask};
use crate::support::service::{ALICE, Service, host};
use crate::support::{Outcome, jobs};

/// The cookies that an answer sets, as a browser sends them.
fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    lines.filter_map(|line| line.split(';').next()).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn a_token_in_the_query_becomes_a_session_or_is_taken_out_or_refused() -> Outcome {
    let job = jobs::http("A").await?;
    for kind in Kind::ALL {
        let services = [Service::http("web").at(job.address())];
        let front = Front::start_with(kind, &services, |config| {
            config["gate"]["query_parameters"] = json!(["api_token"]);
            config["sessions"] = json!({"plain_http": true});
        });
        let front = front.await?;
        let before = job.requests();
        let target = format!("/a%2Fb//c?x=%20y&api_token={ALICE}&z=d+e");
        for mut link in front.links().await? {
            let visit =
                Ask::get(&host("web"), &target).header("sec-fetch-mode", "navigate").header("accept", "text/html");
            let answer = link.send(visit).await?;
            // The redirect asks for no change of the path by the ingress, but whether one may be needed is said first.
            if answer.status == 400 {
                assert!(!kind.changes_queries(), "{kind:?}: {}", answer.text());
                continue;
            }
            assert_eq!((answer.status, answer.header("location")), (303, "/a%2Fb//c?x=%20y&z=d+e"), "{kind:?}");
            let [session] = &cookies(&answer)[..] else {
                anyhow::bail!("{kind:?}: one cookie, but {:?}", answer.headers)
            };
            let next = Ask::get(&host("web"), "/x").header("cookie", format!("own=1; {session}"));
            let headers = link.send(next).await?.json()?["headers"].to_string().to_lowercase();
            assert!(headers.contains(r#"["cookie","own=1"]"#), "{kind:?}: {headers}");
            assert!(headers.contains(r#"["x-forwarded-user","alice"]"#), "{kind:?}: {headers}");
        }
        // What is no person's visit has no use for a session.
        let answer = front.send(Ask::post(&host("web"), &target, "x").header("sec-fetch-mode", "cors")).await?;
        if kind.changes_queries() {
            assert_eq!(answer.json()?["target"], "/a%2Fb//c?x=%20y&z=d+e", "{kind:?}");
        } else {
            assert_eq!(answer.status, 400, "{kind:?}: {}", answer.text());
        }
        let logs = front.logs();
        assert!(!logs.contains(ALICE), "{kind:?}: {logs}");
        assert!(job.requests() > before || !kind.changes_queries());
    }
    Ok(())
}

#[tokio::test]
async fn a_session_is_renewed_on_the_way_back_beside_the_jobs_own_cookies() -> Outcome {
    let stage = crate::support::stage::Stage::open().await?;
    let address = stage.address();
    let _stage = stage.always(|visit| async move { visit.answer("200 OK", "set-cookie: own=1\r\n", "job").await });
    for kind in Kind::ALL {
        // An eighth of the idle time is over soon.
        let services = [Service::http("web").at(address)];
        let front = Front::start_with(kind, &services, |config| {
            config["sessions"] = json!({"plain_http": true, "idle_secs": 16, "recheck_secs": 5});
        });
        let front = front.await?;
        let wanted = json!({"service": crate::support::service::id("web"), "actor": "alice", "lifetime_secs": 3600});
        let made = front.operate("/internal/session", &wanted).await?;
        let token = made["token"].as_str().unwrap_or_default().to_owned();
        let ask = || Ask::get(&host("web"), "/").header("cookie", format!("taskgate={token}"));
        let renewed = async || {
            let answer = front.send(ask()).await;
            answer.is_ok_and(|answer| {
                let cookies = cookies(&answer);
                cookies.iter().any(|cookie| cookie == "own=1")
                    && cookies.iter().any(|cookie| cookie.starts_with("taskgate="))
            })
        };
        taskgate_test_kit::wait_until(crate::support::PATIENCE, "a renewed session", renewed).await?;
    }
    Ok(())
}
