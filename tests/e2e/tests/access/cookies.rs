//! Cookies that jobs set.

use crate::support::ask::Ask;
use crate::support::service::{Service, host};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::{Outcome, soon};

use super::with_access;

#[tokio::test]
async fn a_job_sets_cookies_for_its_own_host_alone() -> Outcome {
    let mut job = Stage::open().await?;
    let gateway = with_access(Setup::new([Service::http("web").access("public").at(job.address())])).start().await?;
    let own = format!("c=3; Domain={}", host("web"));
    let lines = ["a=1; Path=/", "b=2; Domain=tasks.example.test", &own, "taskgate=forged", "d=4; domain=.example.test"];
    let headers: String = lines.iter().map(|line| format!("set-cookie: {line}\r\n")).collect();
    for mut link in [gateway.ingress.http1().await?, gateway.ingress.http2().await?] {
        let (answer, visit) = tokio::join!(link.send(Ask::get(&host("web"), "/")), async {
            soon("a visit", job.next()).await??.answer("200 OK", &headers, "hello").await
        });
        visit?;
        let answer = answer?;
        let passed: Vec<&str> =
            answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()).collect();
        assert_eq!((passed, answer.text()), (vec!["a=1; Path=/", &own], "hello".to_owned()));
    }
    assert_eq!(gateway.ingress.counter("cookies.dropped").await?, 6);
    Ok(())
}

#[tokio::test]
async fn a_job_can_neither_play_a_denial_nor_take_its_neighbours_cookies_away() -> Outcome {
    let mut job = Stage::open().await?;
    let gateway = with_access(Setup::new([Service::http("web").access("public").at(job.address())])).start().await?;
    let headers = "x-taskgate-denial: access-denied\r\nclear-site-data: \"cookies\"\r\nx-own: 1\r\n";
    let (answer, visit) = tokio::join!(gateway.ingress.send(Ask::get(&host("web"), "/")), async {
        soon("a visit", job.next()).await??.answer("200 OK", headers, "hello").await
    });
    visit?;
    let answer = answer?;
    let said = ["x-taskgate-denial", "clear-site-data", "x-own"].map(|name| answer.header(name));
    assert_eq!((answer.status, said), (200, ["", "", "1"]));
    Ok(())
}
