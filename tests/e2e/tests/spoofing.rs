//! What clients make up reaches nothing and nobody.

use taskgate_jobs::JobHandle;

use crate::support::ask::{Answer, Ask};
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, BOB, Service, host, id};
use crate::support::setup::Setup;
use crate::support::stage::Stage;
use crate::support::wire::Wire;
use crate::support::{Outcome, jobs};

/// Bob's own service beside one that he must not reach.
struct Neighbours {
    gateway: Gateway,
    mine: JobHandle,
    victim: JobHandle,
}

impl Neighbours {
    async fn start() -> anyhow::Result<Self> {
        let (mine, victim) = (jobs::http("mine").await?, jobs::http("victim").await?);
        let services = [
            Service::http("mine").at(mine.address()),
            Service::http("open").at(mine.address()).access("public"),
            Service::http("dead"),
            Service::http("victim").at(victim.address()).access("owner"),
        ];
        Ok(Self { gateway: Setup::new(services).one_worker().start().await?, mine, victim })
    }

    async fn send(&self, ask: Ask) -> anyhow::Result<Answer> {
        self.gateway.ingress.send(ask).await
    }

    fn assert_victim_untouched(&self) {
        assert_eq!((self.victim.connections(), self.victim.requests()), (0, 0), "the victim was reached");
    }
}

#[tokio::test]
async fn addresses_that_a_client_sends_are_not_gone_to() -> Outcome {
    let neighbours = Neighbours::start().await?;
    let victim = neighbours.victim.address().to_string();
    let spoofed = |task: &str, extra: &[(&'static str, &str)]| {
        let mut ask = Ask::get(&host(task), "/");
        for name in ["x-taskgate-up1", "x-taskgate-up2", "x-taskgate-up3", "x_taskgate_up1"] {
            ask = ask.header(name, &victim);
        }
        extra.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    };
    let extras: [&[(&'static str, &str)]; 5] = [
        &[],
        &[("x-taskgate-protocol", "h2")],
        &[("x-envoy-attempt-count", "2")],
        &[("x-envoy-attempt-count", "3"), ("x-taskgate-protocol", "h2"), ("x-envoy-retry-on", "5xx")],
        &[("x-envoy-original-dst-host", &victim), ("x-envoy-max-retries", "3")],
    ];
    for extra in extras {
        for (task, answer) in [("mine", 401), ("dead", 401), ("victim", 401), ("nobody", 404), ("open", 200)] {
            assert_eq!(neighbours.send(spoofed(task, extra)).await?.status, answer, "{task} {extra:?}");
        }
        for (task, answer) in [("mine", 200), ("dead", 503), ("victim", 403), ("nobody", 404), ("open", 200)] {
            assert_eq!(neighbours.send(spoofed(task, extra).token(BOB)).await?.status, answer, "{task} {extra:?}");
        }
    }
    for count in ["2", "3", "x", ""] {
        let ask = |task: &str| Ask::get(&host(task), "/").header("x-envoy-attempt-count", count);
        assert_eq!(neighbours.send(ask("mine")).await?.status, 401);
        assert_eq!(neighbours.send(ask("mine").token(BOB)).await?.text(), "hello from mine\n");
        assert_eq!(neighbours.send(ask("victim").token(BOB)).await?.status, 403);
    }
    neighbours.assert_victim_untouched();
    assert_eq!(neighbours.mine.requests(), 19);
    let ingress = &neighbours.gateway.ingress;
    assert_eq!(ingress.counter("endpoints.failed").await?, 0, "a client can't demote an address");
    Ok(())
}

#[tokio::test]
async fn a_request_with_two_names_goes_to_neither() -> Outcome {
    let neighbours = Neighbours::start().await?;
    let (mine, victim) = (host("mine"), host("victim"));
    let pairs = [
        (Ask::get(&victim, "/").header("x-yt-taskproxy-id", id("mine")), 400),
        (Ask::get(&mine, "/").header("x-yt-taskproxy-id", id("victim")), 400),
        (Ask::get(&victim, "/static").header("x-yt-taskproxy-id", id("mine")), 400),
        (Ask::get(&victim, "/").header("x-yt-taskproxy-id", id("nobody")), 400),
    ];
    for (ask, status) in pairs {
        assert_eq!(neighbours.send(ask.token(BOB)).await?.denial(), (status, "conflicting-address"));
    }
    for (target, host_line) in
        [(format!("http://{victim}/"), mine.clone()), (format!("http://{mine}/"), victim.clone())]
    {
        // Envoy takes the target's authority in place of Host; whatever it does, the victim must not be
        // reached with what is Bob's.
        let mut client = Wire::connect(neighbours.gateway.ingress.address).await?;
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host_line}\r\nAuthorization: Bearer {BOB}\r\n\r\n");
        client.write(head).await?;
        let answer = client.read_head().await?;
        let reaches_mine = target.contains(&mine) && answer.line == "HTTP/1.1 200 OK";
        let is_refused = answer.line.contains(" 400 ") || answer.line.contains(" 403 ");
        assert!(reaches_mine || is_refused, "{target} at {host_line}: {}", answer.line);
    }
    let mut client = Wire::connect(neighbours.gateway.ingress.address).await?;
    client
        .write(format!("GET / HTTP/1.1\r\nHost: {mine}\r\nHost: {victim}\r\nAuthorization: Bearer {BOB}\r\n\r\n"))
        .await?;
    assert!(client.read_head().await?.line.contains(" 400 "));
    neighbours.assert_victim_untouched();
    Ok(())
}

#[tokio::test]
async fn a_job_hears_who_the_visitor_is_from_the_gateway_alone() -> Outcome {
    let mut job = Stage::open().await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let gateway = Setup::new(services).start().await?;
    for (task, user) in [("web", vec!["bob"]), ("open", vec![])] {
        let mut ask = Ask::get(&host(task), "/").token(BOB);
        for name in [
            "x-forwarded-user",
            "x_forwarded_user",
            "x-forwarded_user",
            "x-forwarded-email",
            "x-forwarded-groups",
            "x_forwarded_groups",
            "x-yt-user-name",
            "x_yt_user_name",
            "x-taskgate-anything",
            "x_taskgate_up1",
            "x-yt-taskproxy-anything",
        ] {
            ask = ask.header(name, "root");
        }
        let (answer, head) = tokio::join!(gateway.ingress.send(ask.header("x-own", "kept")), async {
            let visit = job.next().await?;
            let head = visit.head;
            let mut wire = visit.wire;
            wire.write("HTTP/1.1 204 No Content\r\n\r\n").await?;
            Ok::<_, anyhow::Error>(head)
        });
        assert_eq!(answer?.status, 204);
        let head = head?;
        assert!(!head.contains("root"), "{head:?}");
        assert!(!head.contains("taskgate") && !head.contains("_"), "{head:?}");
        assert_eq!((head.all("x-forwarded-user"), head.all("x-own")), (user, vec!["kept"]));
    }
    Ok(())
}

#[tokio::test]
async fn our_credential_never_reaches_a_job_and_its_own_always_does() -> Outcome {
    let mut job = Stage::open().await?;
    let setup = Setup::new([Service::http("web").at(job.address())]);
    let setup = setup.configure(|config| config["gate"]["query_parameters"] = serde_json::json!(["yt_token"]));
    let gateway = setup.start().await?;
    let session = gateway.session("web").await?;
    let basic = "Basic dXNlcjpwYXNz";
    let own_bearer = "Bearer of.the.job";
    let ask = |path: &str| Ask::get(&host("web"), path);
    let own = format!("a=1; taskgate={session}; b=2");
    // The request, and what the job sees: target, Authorization, Cookie.
    let asks = [
        (ask("/?a=1").token(ALICE), "/?a=1", vec![], vec![]),
        (ask("/").header("authorization", format!("oauth {ALICE}")), "/", vec![], vec![]),
        (ask("/").header("x-taskgate-authorization", format!("Bearer {ALICE}")), "/", vec![], vec![]),
        (
            ask("/").header("x-taskgate-authorization", format!("Bearer {ALICE}")).header("authorization", basic),
            "/",
            vec![basic],
            vec![],
        ),
        (
            ask("/").header("x-taskgate-authorization", format!("Bearer {ALICE}")).header("authorization", own_bearer),
            "/",
            vec![own_bearer],
            vec![],
        ),
        (ask("/").header("cookie", own.clone()).header("authorization", basic), "/", vec![basic], vec!["a=1; b=2"]),
        (ask("/").header("authorization", format!("Bearer {session}")), "/", vec![], vec![]),
        (ask(&format!("/x?b=%2F&yt_token={ALICE}&c=")).header("sec-fetch-mode", "cors"), "/x?b=%2F&c=", vec![], vec![]),
        (ask("/").token(ALICE).header("cookie", "YTCypressCookie=s3cret; theirs=1"), "/", vec![], vec!["theirs=1"]),
    ];
    for (number, (ask, target, authorization, cookie)) in asks.into_iter().enumerate() {
        let (answer, visit) = tokio::join!(gateway.ingress.send(ask), async {
            let visit = job.next().await?;
            let head = format!("{:?}", visit.head);
            let line = visit.head.line.clone();
            let seen = [visit.head.all("authorization"), visit.head.all("cookie")];
            let seen = seen.map(|values| values.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>());
            visit.answer("200 OK", "", "").await?;
            Ok::<_, anyhow::Error>((head, line, seen))
        });
        let (head, line, seen) = visit?;
        assert_eq!(answer?.status, 200);
        assert_eq!(line, format!("GET {target} HTTP/1.1"), "request {number}");
        assert_eq!(seen, [authorization, cookie], "request {number}");
        assert!(!head.contains(ALICE) && !head.contains(&session) && !head.contains("s3cret"), "{head}");
    }
    assert_eq!(job.seen(), 9);
    Ok(())
}
