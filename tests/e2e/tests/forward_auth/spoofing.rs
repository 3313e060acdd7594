//! What clients make up reaches nothing and nobody.

use super::front::{Front, Kind};
use crate::support::ask::Ask;
use crate::support::service::{BOB, Service, host};
use crate::support::stage::Stage;
use crate::support::wire::Wire;
use crate::support::{Outcome, jobs};

/// Names under which only the gate speaks, in spellings that clients can send.
const OURS: [&str; 17] = [
    "X-Forwarded-User",
    "x_forwarded_user",
    "x-forwarded_user",
    "x-forwarded-email",
    "x_forwarded_groups",
    "x-arvados-user-uuid",
    "x_arvados_user_uuid",
    "x-yt-user-name",
    "x_yt_user_name",
    "x-taskgate-up1",
    "x-taskgate-up2",
    "x-taskgate-protocol",
    "x-taskgate-internal",
    "x-taskgate-assertion",
    "x_taskgate_visitor",
    "x-taskgate-upstream",
    "x_taskgate_authorization",
];

#[tokio::test]
async fn a_job_hears_who_the_visitor_is_from_the_gate_alone() -> Outcome {
    let mut job = Stage::open().await?;
    let services = [Service::http("web").at(job.address()), Service::http("open").at(job.address()).access("public")];
    for kind in Kind::ALL {
        let front = Front::start(kind, &services).await?;
        for (task, user) in [("web", vec!["bob"]), ("open", vec![])] {
            let mut client = Wire::connect(front.address()).await?;
            let lines: String = OURS.iter().map(|name| format!("{name}: root\r\n{name}: root\r\n")).collect();
            let head =
                format!("GET / HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {BOB}\r\nX-Own: kept\r\n", host(task));
            client.write(format!("{head}{lines}\r\n")).await?;
            let visit = job.next().await?;
            let seen = format!("{:?}", visit.head);
            assert!(!seen.contains("root") && !seen.to_lowercase().contains("taskgate"), "{kind:?}: {seen}");
            let all = |name: &str| [visit.head.all(name), visit.head.all(&name.to_lowercase())].concat();
            assert_eq!((all("X-Forwarded-User"), all("X-Own")), (user, vec!["kept"]), "{kind:?}");
            visit.answer("204 No Content", "", "").await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn no_header_of_a_client_chooses_where_it_goes_or_whether() -> Outcome {
    let (mine, victim) = (jobs::http("mine").await?, jobs::http("victim").await?);
    let services =
        [Service::http("mine").at(mine.address()), Service::http("victim").at(victim.address()).access("owner")];
    let address = victim.address().to_string();
    for kind in Kind::ALL {
        let front = Front::start(kind, &services).await?;
        let spoofed = |task: &str| {
            let ask = Ask::get(&host(task), "/");
            let names =
                ["x-taskgate-upstream", "x-taskgate-next", "x-taskgate-up1", "x-taskgate-up2", "x-taskgate-uri"];
            let ask = names.into_iter().fold(ask, |ask, name| ask.header(name, &address));
            let ask = ask.header("x-forwarded-host", host("mine")).header("x-forwarded-host", host("mine"));
            ask.header("x-forwarded-method", "OPTIONS").header("x-forwarded-uri", "/")
        };
        for mut link in front.links().await? {
            assert_eq!(link.send(spoofed("mine").token(BOB)).await?.text(), "hello from mine\n", "{kind:?}");
            assert_eq!(link.send(spoofed("mine")).await?.status, 401, "{kind:?}");
            assert_eq!(link.send(spoofed("victim").token(BOB)).await?.status, 403, "{kind:?}");
        }
        for head in [
            format!("GET http://{}/ HTTP/1.1\r\nHost: {}\r\n", host("victim"), host("mine")),
            format!("GET / HTTP/1.1\r\nHost: {}\r\nHost: {}\r\n", host("mine"), host("victim")),
        ] {
            let mut client = Wire::connect(front.address()).await?;
            client.write(format!("{head}Authorization: Bearer {BOB}\r\n\r\n")).await?;
            let line = client.read_head().await?.line;
            assert!([" 400 ", " 403 ", " 404 "].iter().any(|status| line.contains(status)), "{kind:?}: {head}: {line}");
        }
    }
    assert_eq!(victim.connections(), 0, "the victim was reached");
    Ok(())
}
