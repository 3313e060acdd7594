//! A token in the query becomes a session.

use crate::support::ask::Ask;
use crate::support::service::{ALICE, MALLORY, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

use super::{by_a_person, cookies, with_access};

#[tokio::test]
async fn a_token_in_the_query_becomes_a_session_and_leaves_the_url() -> Outcome {
    let job = jobs::http("A").await?;
    let gateway = with_access(Setup::new([Service::http("web").at(job.address())])).start().await?;
    let web = host("web");
    let first = Ask::get(&web, &format!("/a%2Fb//c?x=%20y&api_token={ALICE}&z"));
    let answer = gateway.ingress.send(by_a_person(first)).await?;
    assert_eq!((answer.status, answer.header("location")), (303, "/a%2Fb//c?x=%20y&z"));
    assert_eq!(job.requests(), 0, "the job sees no token");
    let [session] = &cookies(&answer)[..] else { anyhow::bail!("one cookie, but {:?}", answer.headers) };
    assert!(session.starts_with("taskgate=tg1.s.") && !session.contains(ALICE), "{session}");

    let next = Ask::get(&web, "/a%2Fb//c?x=%20y&z").header("cookie", format!("own=1; {session}"));
    let answer = gateway.ingress.send(next).await?.json()?;
    assert_eq!((answer["name"].as_str(), answer["target"].as_str()), (Some("A"), Some("/a%2Fb//c?x=%20y&z")));
    let seen = |name: &str| {
        let headers = answer["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
        headers.iter().find(|header| header[0] == name).map(|header| header[1].clone())
    };
    assert_eq!(seen("cookie"), Some("own=1".into()));
    assert_eq!(seen("x-forwarded-user"), Some("alice".into()));
    Ok(())
}

#[tokio::test]
async fn a_bad_token_is_refused_where_it_is_shown() -> Outcome {
    let job = jobs::http("A").await?;
    let gateway = with_access(Setup::new([Service::http("web").at(job.address())])).start().await?;
    for (token, status, denial) in [("nobody", 401, "credential-rejected"), (MALLORY, 404, "unknown-service")] {
        let ask = Ask::get(&host("web"), &format!("/?arvados_api_token={token}"));
        let answer = gateway.ingress.send(by_a_person(ask)).await?;
        assert_eq!((answer.status, answer.header("x-taskgate-denial")), (status, denial));
        assert!(cookies(&answer).is_empty() && !answer.text().contains(token));
    }
    assert_eq!(job.requests(), 0);
    Ok(())
}

#[tokio::test]
async fn an_assertion_says_to_the_job_who_it_is_and_can_be_verified() -> Outcome {
    let job = jobs::http("A").await?;
    let gateway = with_access(Setup::new([Service::http("web").at(job.address())])).start().await?;
    let ask = Ask::get(&host("web"), "/headers").token(ALICE).header("x-taskgate-assertion", "forged");
    let headers = gateway.ingress.send(ask).await?.json()?;
    let headers = headers.as_array().map(Vec::as_slice).unwrap_or_default();
    let told: Vec<&str> = headers
        .iter()
        .filter(|header| header[0] == "x-taskgate-assertion")
        .filter_map(|header| header[1].as_str())
        .collect();
    let [assertion] = told[..] else { anyhow::bail!("one assertion, but {told:?}") };

    let keys = gateway.ingress.send(Ask::get(&host("web"), "/.taskgate/jwks.json")).await?;
    let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&keys.body)?;
    let head = jsonwebtoken::decode_header(assertion)?;
    let key = keys
        .find(head.kid.as_deref().unwrap_or_default())
        .and_then(|key| jsonwebtoken::DecodingKey::from_jwk(key).ok());
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_audience(&[crate::support::service::id("web")]);
    let key = key.ok_or_else(|| anyhow::anyhow!("no key {:?}", head.kid))?;
    let said = jsonwebtoken::decode::<serde_json::Value>(assertion, &key, &rules)?.claims;
    assert_eq!(said["sub"], "alice");
    rules.set_audience(&["another"]);
    assert!(jsonwebtoken::decode::<serde_json::Value>(assertion, &key, &rules).is_err(), "it is for one service");
    Ok(())
}
