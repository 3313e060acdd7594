//! What clients make up reaches nothing and nobody.

use taskgate_test_kit::ReservedAddress;

use super::gate::Plan;
use crate::support::ask::Ask;
use crate::support::service::{ALICE, BOB, Service, host};
use crate::support::stage::Stage;
use crate::support::wire::Wire;
use crate::support::{Outcome, jobs};

/// Names under which only the gate speaks, in the spellings that clients can send.
const OURS: [&str; 36] = [
    "x-forwarded-user",
    "X-Forwarded-User",
    "x_forwarded_user",
    "x-forwarded_user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x_forwarded_groups",
    "x-arvados-user-uuid",
    "x-yt-user-name",
    "x_yt_user_name",
    "x-taskgate-up1",
    "x-taskgate-up2",
    "x-taskgate-up3",
    "x-taskgate-protocol",
    "x-taskgate-internal",
    "x-taskgate-assertion",
    "x-taskgate-visitor",
    "x_taskgate_visitor",
    "x-taskgate.visitor",
    "x-forwarded.user",
    "x_taskgate_upstream",
    "x_yt_taskproxy_id",
    "x-yt_taskproxy-id",
    "x_taskgate_authorization",
    "x_forwarded_email",
    "x_arvados_user_uuid",
    "x-forwarded-host",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-taskgate-actor",
    "x-taskgate-upstream",
    "x-taskgate-edit-cookie",
    "X-Taskgate-Job-Authorization",
    "x-taskgate-set-cookie-1",
    "x-taskgate-denial",
    "x-taskgate-uri",
];

#[tokio::test]
async fn a_job_hears_who_the_visitor_is_from_the_gate_alone() -> Outcome {
    let mut job = Stage::open().await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    let gate = Plan::new(services).start().await?;
    for (task, user) in [("web", vec!["bob"]), ("open", vec![])] {
        let mut client = Wire::connect(gate.nginx.address()).await?;
        let lines: String = OURS.iter().map(|name| format!("{name}: root\r\n{name}: root\r\n")).collect();
        let head = format!("GET / HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {BOB}\r\nX-Own: kept\r\n", host(task));
        client.write(format!("{head}{lines}\r\n")).await?;
        let visit = job.next().await?;
        assert!(!visit.head.contains("root") && !visit.head.contains("askgate"), "{:?}", visit.head);
        assert_eq!((visit.head.all("X-Forwarded-User"), visit.head.all("X-Own")), (user, vec!["kept"]));
        visit.answer("204 No Content", "", "").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_default_server_that_reads_other_names_changes_nothing_about_who_the_visitor_is() -> Outcome {
    let mut job = Stage::open().await?;
    // NGINX reads headers before `Host` as the default server of the port says.
    let gate = Plan::new([Service::http("web").at(job.address())]).beside("underscores_in_headers on;").start().await?;
    let mut client = Wire::connect(gate.nginx.address()).await?;
    let names =
        ["X_Forwarded_User", "X_Forwarded_Email", "x_forwarded_groups", "X_Arvados_User_Uuid", "X_Yt_User_Name"];
    let lines: String = names.iter().map(|name| format!("{name}: root\r\n")).collect();
    let head =
        format!("GET / HTTP/1.1\r\nX_Own: seen\r\n{lines}Host: {}\r\nAuthorization: Bearer {BOB}\r\n", host("web"));
    client.write(format!("{head}\r\n")).await?;
    let visit = job.next().await?;
    assert_eq!(visit.head.all("X_Own"), ["seen"], "the other server's setting is in force");
    assert!(!visit.head.contains("root"), "{:?}", visit.head);
    assert_eq!(visit.head.all("X-Forwarded-User"), ["bob"]);
    Ok(())
}

#[tokio::test]
async fn no_header_of_a_client_chooses_where_it_goes_or_whether() -> Outcome {
    let (mine, victim) = (jobs::http("mine").await?, jobs::http("victim").await?);
    let services =
        [Service::http("mine").at(mine.address()), Service::http("victim").at(victim.address()).access("owner")];
    let gate = Plan::new(services).start().await?;
    let address = victim.address().to_string();
    let answers = ["x-taskgate-upstream", "x-taskgate-next", "x-taskgate-third", "x-taskgate-up1", "x-accel-redirect"];
    let original = [
        ("x-forwarded-host", host("mine")),
        ("x-forwarded-uri", "/".to_owned()),
        ("x-forwarded-method", "OPTIONS".to_owned()),
    ];
    let spoofed = |task: &str| {
        let ask = answers.into_iter().fold(Ask::get(&host(task), "/"), |ask, name| ask.header(name, &address));
        original.iter().fold(ask, |ask, (name, value)| ask.header(name, value).header(name, value))
    };
    for mut link in gate.links().await? {
        assert_eq!(link.send(spoofed("mine").token(BOB)).await?.text(), "hello from mine\n");
        assert_eq!(link.send(spoofed("mine")).await?.status, 401);
        assert_eq!(link.send(spoofed("victim").token(BOB)).await?.status, 403);
        for path in ["/_taskgate/decide", "/_taskgate/reply"] {
            assert_eq!(link.send(Ask::get(&host("mine"), path).token(BOB)).await?.status, 404, "{path}");
        }
    }
    assert_eq!((victim.connections(), mine.requests()), (0, 2));
    Ok(())
}

#[tokio::test]
async fn a_request_with_two_hosts_goes_to_neither_or_where_it_was_decided() -> Outcome {
    let (mine, victim) = (jobs::http("mine").await?, jobs::http("victim").await?);
    let services =
        [Service::http("mine").at(mine.address()), Service::http("victim").at(victim.address()).access("owner")];
    let gate = Plan::new(services).start().await?;
    let (my_host, other) = (host("mine"), host("victim"));
    let token = format!("Authorization: Bearer {BOB}\r\n");
    for head in [
        format!("GET http://{other}/ HTTP/1.1\r\nHost: {my_host}\r\n{token}"),
        format!("GET http://{my_host}/ HTTP/1.1\r\nHost: {other}\r\n{token}"),
        format!("GET / HTTP/1.1\r\nHost: {my_host}\r\nHost: {other}\r\n{token}"),
        format!("GET / HTTP/1.1\r\nHost: {my_host}, {other}\r\n{token}"),
        format!("GET http://{other}?x HTTP/1.1\r\nHost: {my_host}\r\n{token}"),
    ] {
        let mut client = Wire::connect(gate.nginx.address()).await?;
        client.write(format!("{head}\r\n")).await?;
        let line = client.read_head().await?.line;
        assert!(
            [" 200 ", " 400 ", " 403 ", " 404 ", " 503 "].iter().any(|status| line.contains(status)),
            "{head}: {line}"
        );
    }
    assert_eq!(victim.connections(), 0, "the victim was reached");
    Ok(())
}

#[tokio::test]
async fn a_credential_reaches_no_job_however_it_is_sent() -> Outcome {
    let mut job = Stage::open().await?;
    let plan = Plan::new([Service::http("web").at(job.address())]);
    let gate =
        plan.configure(|config| config["gate"]["query_parameters"] = serde_json::json!(["yt_token"])).start().await?;
    let ask = |path: &str| Ask::get(&host("web"), path);
    let basic = "Basic dXNlcjpwYXNz";
    // The request, and what the job sees: target, Authorization, Cookie.
    let asks = [
        (ask("/?a=1").token(ALICE), "/?a=1", vec![], vec![]),
        (
            ask("/").header("x-taskgate-authorization", format!("Bearer {ALICE}")).header("authorization", basic),
            "/",
            vec![basic],
            vec![],
        ),
        (ask("/").token(ALICE).header("cookie", "YTCypressCookie=s3cret; theirs=1"), "/", vec![], vec!["theirs=1"]),
        (ask(&format!("/x?b=%2F&yt_token={ALICE}&c=")).header("sec-fetch-mode", "cors"), "/x?b=%2F&c=", vec![], vec![]),
    ];
    for (ask, target, authorization, cookie) in asks {
        let (answer, visit) = tokio::join!(gate.send(ask), async {
            let visit = job.next().await?;
            let seen = format!("{:?}", visit.head);
            assert_eq!(visit.head.line, format!("GET {target} HTTP/1.1"));
            assert_eq!((visit.head.all("Authorization"), visit.head.all("Cookie")), (authorization, cookie));
            visit.answer("200 OK", "", "").await?;
            Ok::<_, anyhow::Error>(seen)
        });
        assert_eq!(answer?.status, 200);
        let seen = visit?;
        assert!(!seen.contains(ALICE) && !seen.contains("s3cret"), "{seen}");
    }
    Ok(())
}

#[tokio::test]
async fn what_nginx_says_of_a_dead_job_has_no_credential_in_it() -> Outcome {
    let dead = ReservedAddress::new()?;
    let plan = Plan::new([Service::http("web").at(dead.address())]);
    let gate =
        plan.configure(|config| config["gate"]["query_parameters"] = serde_json::json!(["yt_token"])).start().await?;
    let ask = Ask::get(&host("web"), &format!("/?yt_token={ALICE}")).header("sec-fetch-mode", "cors");
    assert_eq!(gate.send(ask).await?.status, 502);
    let said = gate.nginx.errors();
    assert!(!said.is_empty() && !said.contains(ALICE), "{said}");
    Ok(())
}
