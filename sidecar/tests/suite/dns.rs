//! Services whose endpoints are names, with a DNS server that the tests change.

use std::net::IpAddr;
use std::time::Duration;

use taskgate::discovery::own::{access_key, own_id, tunnel_key};
use taskgate_core::naming::ServiceDigest;
use taskgate_test_kit::DnsServer;

use crate::kit::{Reader, Sidecar, config};

const PATIENCE: Duration = Duration::from_secs(30);

fn services(endpoints: &str) -> String {
    format!("services:\n- {{operation: op, task: web, service: ui, endpoints: [{endpoints}], access: public}}\n")
}

fn addresses<const COUNT: usize>(addresses: [&str; COUNT]) -> [IpAddr; COUNT] {
    addresses.map(|address| address.parse().expect("an address"))
}

async fn start(server: &DnsServer, endpoints: &str) -> Sidecar {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), services(endpoints)).expect("writes");
    let dns = format!("dns: {{servers: [\"{}\"], min_ttl_secs: 1}}", server.address());
    Sidecar::start_in(directory, &config(&dns)).await
}

fn endpoints(reader: &Reader) -> Vec<String> {
    endpoints_of(reader, ServiceDigest::of("op", "web", "ui").suffix(8).expect("an id").as_str())
}

fn endpoints_of(reader: &Reader, id: &str) -> Vec<String> {
    let service = reader.table.service(id);
    service.map_or(Vec::new(), |service| service.endpoints.iter().map(|one| one.address.to_string()).collect())
}

/// Reads the table until the service's endpoints are those.
async fn moves_to(sidecar: &Sidecar, reader: &mut Reader, expected: &[&str]) {
    let moved = async {
        while endpoints(reader) != expected {
            sidecar.next_page(reader).await;
        }
    };
    let moved = tokio::time::timeout(PATIENCE, moved).await;
    assert!(moved.is_ok(), "{:?} and not {expected:?}", endpoints(reader));
}

async fn problems_have(sidecar: &Sidecar, text: &str) {
    let reported = async { while !sidecar.get(sidecar.internal("/internal/problems")).await.1.contains(text) {} };
    tokio::time::timeout(PATIENCE, reported).await.unwrap_or_else(|_| panic!("no problem says {text}"));
}

#[tokio::test]
async fn a_name_is_its_addresses_wherever_they_go() {
    let server = DnsServer::start().await.expect("a server");
    server.alias("model.example.test", "east.example.test", 1);
    server.set("east.example.test", &addresses(["192.0.2.1", "192.0.2.2", "2001:db8::1"]), 1);
    let sidecar = start(&server, "\"Model.example.test.:8080\", \"192.0.2.9:80\"").await;
    let mut reader = sidecar.table().await;
    let before = ["192.0.2.1:8080", "[2001:db8::1]:8080", "192.0.2.2:8080", "192.0.2.9:80"];
    assert_eq!(endpoints(&reader), before);
    server.set("west.example.test", &addresses(["192.0.2.3"]), 1);
    server.alias("model.example.test", "west.example.test", 1);
    moves_to(&sidecar, &mut reader, &["192.0.2.3:8080", "192.0.2.9:80"]).await;
    // Names that go round and round lead nowhere, and are not asked for without end.
    server.alias("west.example.test", "model.example.test", 1);
    let asked = server.asked("west.example.test");
    moves_to(&sidecar, &mut reader, &["192.0.2.9:80"]).await;
    problems_have(&sidecar, "`model.example.test` has no addresses").await;
    assert!(server.asked("west.example.test") < asked + 300);
}

#[tokio::test]
async fn servers_that_are_away_take_nothing_away() {
    let server = DnsServer::start().await.expect("a server");
    server.set("model.example.test", &addresses(["192.0.2.1"]), 1);
    let sidecar = start(&server, "\"model.example.test:80\"").await;
    let mut reader = sidecar.table().await;
    assert_eq!(endpoints(&reader), ["192.0.2.1:80"]);
    server.fail("model.example.test");
    problems_have(&sidecar, "can't be looked up again: the server says: Server Failure").await;
    server.be_silent(true);
    problems_have(&sidecar, "can't be looked up again: no server answered in time").await;
    assert_eq!(endpoints(&sidecar.table().await), ["192.0.2.1:80"]);
    server.be_silent(false);
    server.set("model.example.test", &addresses(["192.0.2.2"]), 1);
    moves_to(&sidecar, &mut reader, &["192.0.2.2:80"]).await;
    // Gone is gone once it was said twice.
    server.remove("model.example.test");
    moves_to(&sidecar, &mut reader, &[]).await;
    problems_have(&sidecar, "`model.example.test` has no addresses").await;
}

#[tokio::test]
async fn nobody_is_led_to_this_machine_or_to_the_sidecar() {
    let server = DnsServer::start().await.expect("a server");
    server.set("model.example.test", &addresses(["127.0.0.1", "169.254.169.254", "192.0.2.1"]), 1);
    let sidecar = start(&server, "\"model.example.test:80\"").await;
    assert_eq!(endpoints(&sidecar.table().await), ["192.0.2.1:80"]);
    server.set("model.example.test", &addresses(["169.254.169.254"]), 1);
    problems_have(&sidecar, "leads to 169.254.169.254, which `dns.addresses` does not permit").await;
    // Who permits this machine still does not reach the sidecar's own listeners.
    let internal = sidecar.running.addresses.internal.clone();
    let (_, port) = internal.rsplit_once(':').expect("a port");
    let dns = format!("dns: {{servers: [\"{}\"], min_ttl_secs: 1, addresses: [127.0.0.0/8]}}", server.address());
    server.set("own.example.test", &addresses(["127.0.0.2"]), 1);
    sidecar.write("services.yaml", &services(&format!("\"own.example.test:{port}\"")));
    sidecar.write("taskgate.yaml", &config(&dns));
    sidecar.running.reload();
    problems_have(&sidecar, &format!("endpoint 127.0.0.2:{port} is the sidecar itself")).await;
    assert_eq!(endpoints(&sidecar.table().await), [""; 0]);
}

#[tokio::test]
async fn a_start_without_servers_waits_a_moment_and_says_so() {
    let server = DnsServer::start().await.expect("a server");
    server.fail("model.example.test");
    let sidecar = start(&server, "\"model.example.test:80\"").await;
    let (status, text) = sidecar.get(sidecar.operations("/readyz")).await;
    assert!(status == 503, "{text}");
    server.set("model.example.test", &addresses(["192.0.2.1"]), 1);
    assert_eq!(endpoints(&sidecar.table().await), ["192.0.2.1:80"]);
    assert_eq!(sidecar.get(sidecar.operations("/readyz")).await.0, 200);
}

#[tokio::test]
async fn the_sidecar_s_own_services_follow_their_name() {
    let server = DnsServer::start().await.expect("a server");
    server.set("taskgate.example.test", &addresses(["192.0.2.7"]), 1);
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("services.yaml"), services("\"192.0.2.1:80\"")).expect("writes");
    let address = "{address: \"Taskgate.example.test:7012\"}";
    let rest = format!(
        "public: {{listen: \"0.0.0.0:0\"}}\naccess: {address}\ntunnels: {address}\n\
         dns: {{servers: [\"{}\"], min_ttl_secs: 1}}",
        server.address()
    );
    let sidecar = Sidecar::start_in(directory, &config(&rest)).await;
    let mut reader = sidecar.table().await;
    let keys = [access_key(), tunnel_key()];
    let own = |reader: &Reader| keys.each_ref().map(|key| endpoints_of(reader, &own_id(key)));
    let both = |addresses: &[&str]| [(); 2].map(|()| addresses.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(own(&reader), both(&["192.0.2.7:7012"]));
    for (now, expected) in [("192.0.2.8", vec!["192.0.2.8:7012"]), ("127.0.0.1", vec![])] {
        // To a proxy of another machine the last one would be its own.
        server.set("taskgate.example.test", &addresses([now]), 1);
        let moved = async {
            while own(&reader) != both(&expected) {
                sidecar.next_page(&mut reader).await;
            }
        };
        tokio::time::timeout(PATIENCE, moved).await.expect(now);
    }
    problems_have(&sidecar, "`taskgate.example.test` leads to 127.0.0.1, which `dns.addresses` does not permit").await;
}
