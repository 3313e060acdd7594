//! The tour: the requests of the README, each with the answer it should get.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use taskgate_jobs::grpc::{EchoClient, EchoRequest};
use taskgate_test_kit::wait_until;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::cluster::{ALICE, BASE_DOMAIN, Cluster, MALLORY, curl, curl_command, service};
use crate::screen;

/// How many requests are made while a job dies.
const REQUESTS: usize = 2_000;

/// Makes every stop; how many answers were not the expected ones.
pub(crate) async fn run(cluster: &mut Cluster) -> anyhow::Result<usize> {
    let tour = Tour { ingress: format!("http://{}", cluster.ingress) };
    tour.wait_for_table().await?;
    let mut expected = vec![
        tour.page_of_a_job().await?,
        tour.by_header().await?,
        tour.without_credential().await?,
        tour.as_a_stranger().await?,
        tour.unknown_service().await?,
        tour.conflicting_names().await?,
        tour.what_the_job_sees().await?,
    ];
    expected.push(tour.grpc(cluster).await?);
    expected.push(tour.websocket().await?);
    expected.push(tour.death_of_a_job(cluster).await?);
    Ok(expected.iter().filter(|is_expected| !**is_expected).count())
}

struct Tour {
    ingress: String,
}

fn host(service: &str) -> String {
    format!("Host: {service}.{BASE_DOMAIN}")
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

impl Tour {
    /// Every worker of Envoy gets the table by itself, some milliseconds after the start.
    async fn wait_for_table(&self) -> anyhow::Result<()> {
        let (host, token) = (host(service::HTTP), bearer(ALICE));
        wait_until(Duration::from_secs(20), "the table to reach Envoy", async || {
            let arguments = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", &host, "-H", &token, &self.ingress];
            curl(&arguments).await.is_ok_and(|status| status == "200")
        })
        .await
    }

    async fn stop(&self, title: &str, arguments: &[&str], parts: &[&str]) -> anyhow::Result<bool> {
        screen::title(title);
        let answer = curl(arguments).await?.replace('\r', "");
        let is_expected = parts.iter().all(|part| answer.contains(part));
        screen::exchange(&curl_command(arguments), &answer, is_expected);
        Ok(is_expected)
    }

    async fn page_of_a_job(&self) -> anyhow::Result<bool> {
        let (host, token, url) = (host(service::HTTP), bearer(ALICE), format!("{}/", self.ingress));
        let title = "A name leads to a job: one of two answers";
        self.stop(title, &["-s", "-H", &host, "-H", &token, &url], &["hello from "]).await
    }

    async fn by_header(&self) -> anyhow::Result<bool> {
        let (host, token, url) =
            (format!("Host: task-proxy.{BASE_DOMAIN}"), bearer(ALICE), format!("{}/", self.ingress));
        let id = format!("x-yt-taskproxy-id: {}", service::HTTP);
        let title = "Without wildcard DNS: the same service, named in a header";
        self.stop(title, &["-s", "-H", &host, "-H", &id, "-H", &token, &url], &["hello from "]).await
    }

    async fn without_credential(&self) -> anyhow::Result<bool> {
        let (host, url) = (host(service::HTTP), format!("{}/", self.ingress));
        let parts = ["401", "www-authenticate: Bearer", "credential-missing"];
        self.stop("Nobody gets in without a credential", &["-s", "-i", "-H", &host, &url], &parts).await
    }

    async fn as_a_stranger(&self) -> anyhow::Result<bool> {
        let (host, token, url) = (host(service::HTTP), bearer(MALLORY), format!("{}/", self.ingress));
        let parts = ["404", "unknown-service"];
        self.stop("To a stranger the service does not exist", &["-s", "-i", "-H", &host, "-H", &token, &url], &parts)
            .await
    }

    async fn unknown_service(&self) -> anyhow::Result<bool> {
        let (host, token, url) = (host("00000000"), bearer(ALICE), format!("{}/", self.ingress));
        let parts = ["404", "unknown-service"];
        self.stop("A name that no service has", &["-s", "-i", "-H", &host, "-H", &token, &url], &parts).await
    }

    async fn conflicting_names(&self) -> anyhow::Result<bool> {
        let (host, token, url) = (host(service::HTTP), bearer(ALICE), format!("{}/", self.ingress));
        let id = format!("x-yt-taskproxy-id: {}", service::GRPC);
        let arguments = ["-s", "-i", "-H", &host, "-H", &id, "-H", &token, &url];
        self.stop("Two names that disagree are refused", &arguments, &["400", "conflicting-address"]).await
    }

    async fn what_the_job_sees(&self) -> anyhow::Result<bool> {
        let (host, token, url) = (host(service::HTTP), bearer(ALICE), format!("{}/headers", self.ingress));
        let spoofed = "x-forwarded-user: root";
        let arguments =
            ["-s", "-H", &host, "-H", &token, "-H", spoofed, "-H", "Cookie: a=1; YTCypressCookie=s3cret; b=2", &url];
        screen::title("The job learns who it is, and sees no credential");
        let answer = curl(&arguments).await?;
        let sees = |part: &str| answer.contains(part);
        let is_expected = sees("alice") && sees("a=1; b=2") && !sees(ALICE) && !sees("s3cret") && !sees("root");
        screen::exchange(&curl_command(&arguments), &answer, is_expected);
        Ok(is_expected)
    }

    async fn grpc(&self, cluster: &Cluster) -> anyhow::Result<bool> {
        screen::title("gRPC, through the same listener");
        let authority = format!("{}.{BASE_DOMAIN}", service::GRPC);
        let mut client = EchoClient::connect(cluster.ingress, Some(&authority)).await?;
        let refused = client.unary(tonic::Request::new(EchoRequest::new("hi"))).await;
        let mut request = tonic::Request::new(EchoRequest::new("hi"));
        request.metadata_mut().insert("authorization", format!("Bearer {ALICE}").parse()?);
        let answered = client.unary(request).await;
        let is_expected = refused.as_ref().is_err_and(|status| status.code() == tonic::Code::Unauthenticated)
            && answered.as_ref().is_ok_and(|reply| reply.get_ref().message.contains("hi"));
        let answer = match (&refused, &answered) {
            (Err(status), Ok(reply)) => {
                format!(
                    "without a token: {:?}: {}\nwith a token:    {:?}",
                    status.code(),
                    status.message(),
                    reply.get_ref()
                )
            }
            other => format!("{other:?}"),
        };
        screen::exchange("a gRPC client calls taskgate.demo.Echo/Unary", &answer, is_expected);
        Ok(is_expected)
    }

    async fn websocket(&self) -> anyhow::Result<bool> {
        screen::title("A WebSocket");
        let url = format!("{}/ws", self.ingress.replacen("http", "ws", 1));
        let mut request = url.as_str().into_client_request()?;
        request.headers_mut().insert("host", format!("{}.{BASE_DOMAIN}", service::WEBSOCKET).parse()?);
        request.headers_mut().insert("authorization", format!("Bearer {ALICE}").parse()?);
        let (mut socket, response) = tokio_tungstenite::connect_async(request).await?;
        socket.send(Message::text("hi")).await?;
        let answer = socket.next().await.context("the WebSocket was closed")??;
        let text = answer.into_text()?;
        let is_expected = response.status() == 101 && text.contains("hi");
        screen::exchange(&format!("a WebSocket client connects to {url} and says hi"), &text, is_expected);
        socket.close(None).await?;
        Ok(is_expected)
    }

    async fn death_of_a_job(&self, cluster: &mut Cluster) -> anyhow::Result<bool> {
        screen::title("Job A is killed while 4 clients make requests: nobody notices");
        let client = reqwest::Client::new();
        let mut load = tokio::task::JoinSet::new();
        let made = Arc::new(AtomicUsize::new(0));
        for _ in 0..4 {
            let (client, url, made) = (client.clone(), format!("{}/", self.ingress), Arc::clone(&made));
            load.spawn(async move {
                let mut answers = Vec::new();
                for _ in 0..REQUESTS / 4 {
                    let request = client.get(&url).header("host", format!("{}.{BASE_DOMAIN}", service::HTTP));
                    answers.push(match request.bearer_auth(ALICE).send().await {
                        Ok(answer) if answer.status() == 200 => answer.text().await.unwrap_or_default(),
                        Ok(answer) => answer.status().to_string(),
                        Err(error) => error.to_string(),
                    });
                    made.fetch_add(1, Ordering::Relaxed);
                }
                answers
            });
        }
        let is_under_way = async || made.load(Ordering::Relaxed) >= REQUESTS / 4;
        wait_until(Duration::from_secs(20), "the requests to be under way", is_under_way).await?;
        cluster.http_a.kill().await?;
        let answers = load.join_all().await.concat();
        let count = |text: &str| answers.iter().filter(|answer| answer.as_str() == text).count();
        let (a, b) = (count("hello from A\n"), count("hello from B\n"));
        let failed = REQUESTS.saturating_sub(a).saturating_sub(b);
        let is_expected = failed == 0 && b > 0;
        let answer = format!("{REQUESTS} requests: {a} answered by A, {b} by B, {failed} failed");
        screen::exchange("kill -9 <job A>", &answer, is_expected);
        Ok(is_expected)
    }
}
