//! A service whose job is known by a name.

use std::net::{IpAddr, SocketAddr};

use serde_json::json;
use taskgate_test_kit::DnsServer;

use crate::support::ask::Ask;
use crate::support::service::{ALICE, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs};

const NAME: &str = "model.example.test";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_follow_a_name_to_another_address() -> Outcome {
    // One port at two addresses: what changes is the name's address alone.
    let first = jobs::http("A").await?;
    let port = first.address().port();
    let second = jobs::http_at(SocketAddr::from(([127, 0, 0, 2], port)), "B").await?;
    let server = DnsServer::start().await?;
    server.set(NAME, &[first.address().ip()], 1);
    let setup = Setup::new([Service::http("web").named(NAME, port)]).configure(|config| {
        let servers = [server.address()];
        config["dns"] = json!({"servers": servers, "min_ttl_secs": 1, "addresses": ["127.0.0.0/8"]});
    });
    let gateway = setup.start().await?;
    assert_eq!(gateway.ingress.visit("web", ALICE).await?.text(), "hello from A\n");
    server.set(NAME, &[IpAddr::from([127, 0, 0, 2])], 1);
    let visit = || Ask::get(&host("web"), "/").token(ALICE);
    gateway.ingress.answers("the other address", visit, |answer| answer.text() == "hello from B\n").await?;
    drop(second);
    Ok(())
}
