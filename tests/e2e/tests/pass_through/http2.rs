//! HTTP/2 from the client, HTTP/1.1 to the job.

use futures_util::future::try_join_all;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

#[tokio::test]
async fn cookies_in_several_headers_arrive_as_one_without_the_platforms() -> Outcome {
    let job = jobs::http("A").await?;
    let gateway = Setup::new([Service::http("web").at(job.address())]).start().await?;
    let mut link = gateway.ingress.http2().await?;
    let path = "/a/../b?q=%2F&&x";
    let ask = Ask::get(&host("web"), path).header("cookie", "a=1");
    let ask = ask.header("cookie", format!("YTCypressCookie={ALICE}")).header("cookie", "b=\"2\"");
    let answer = link.send(ask).await?;
    let seen = answer.json()?;
    assert_eq!((seen["target"].as_str(), seen["version"].as_str()), (Some(path), Some("1.1")), "{seen}");
    let cookies: Vec<&str> = seen["headers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|pair| pair[0] == "cookie")
        .filter_map(|pair| pair[1].as_str())
        .collect();
    assert_eq!(cookies, ["a=1; b=\"2\""]);
    assert!(!answer.text().contains(ALICE), "{seen}");
    Ok(())
}

#[tokio::test]
async fn many_requests_share_a_connection_and_keep_their_bodies() -> Outcome {
    let job = jobs::http("A").await?;
    let gateway = Setup::new([Service::http("web").at(job.address()), Service::http("other")]).start().await?;
    let mut link = gateway.ingress.http2().await?;
    link.send(Ask::get(&host("web"), "/").token(ALICE)).await?;
    let answers = try_join_all((0..50_u8).map(|number| {
        let link = link.shared();
        async move {
            let body = vec![number; 100_000 + usize::from(number)];
            // Every second one is for a service that has no job.
            let name = if number % 2 == 0 { "web" } else { "other" };
            let answer = link?.send(Ask::post(&host(name), "/echo", body.clone()).token(ALICE)).await?;
            Ok::<_, anyhow::Error>((number, body, answer))
        }
    }));
    for (number, body, answer) in answers.await? {
        match number % 2 {
            0 => assert!(answer.status == 200 && answer.body == body, "request {number}: {}", answer.status),
            _ => assert_eq!(answer.denial(), (503, "no-endpoint"), "request {number}"),
        }
    }
    assert_eq!(job.requests(), 26);
    Ok(())
}
