//! The kit's own promises, with the real programs.

use std::io::ErrorKind;
use std::time::Duration;

use taskgate_test_kit::{BlackHole, Envoy, ReservedAddress, SidecarHome, wait_until};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SIDECAR: &str = "
  gate: {base_domains: [tasks.example.test]}
  providers: [{file: {path: services.yaml}}]
";

const PLAIN: &str = r#"
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: plain
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: plain
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: plain}}}]}
"#;

#[tokio::test]
async fn envoy_starts_answers_and_stops() {
    let envoy = Envoy::start(PLAIN.to_owned()).await.unwrap();
    let address = envoy.listener_address("plain").await.unwrap();
    assert_eq!(reqwest::get(format!("http://{address}")).await.unwrap().text().await.unwrap(), "plain");
    assert_eq!(envoy.stat("http.plain.downstream_rq_2xx").await.unwrap(), 1);
    assert_eq!(envoy.stat("http.plain.no_such").await.unwrap(), 0);
    let memory = envoy.memory().await.unwrap();
    assert!(memory.allocated > 0 && memory.resident > memory.allocated / 2, "{memory:?}");
    assert!(envoy.listener_address("other").await.is_err());
    let admin = envoy.admin_address();
    envoy.stop().await.unwrap();
    assert!(TcpStream::connect(admin).await.is_err());
}

#[tokio::test]
async fn envoy_that_refuses_its_configuration_says_why() {
    let error = Envoy::start("no_such_key: 1".to_owned()).await.unwrap_err();
    assert!(format!("{error:#}").contains("no_such_key"), "{error:#}");
}

#[tokio::test]
async fn a_sidecar_is_killed_and_restarted_where_it_was() {
    let home = SidecarHome::new().unwrap();
    home.write("services.yaml", "services: []").unwrap();
    let mut sidecar = home.start(SIDECAR).await.unwrap();
    let address = sidecar.internal_address();
    TcpStream::connect(address).await.unwrap();
    sidecar.kill().unwrap();
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    sidecar.restart().await.unwrap();
    TcpStream::connect(address).await.unwrap();
    sidecar.pause().await.unwrap();
    assert!(timeout(Duration::from_millis(200), sidecar.metrics()).await.is_err());
    sidecar.resume().unwrap();
    assert!(!sidecar.metrics().await.unwrap().is_empty());
    let home = sidecar.stop().await.unwrap();
    let error = home.start("no_such_section: 1").await.unwrap_err();
    assert!(format!("{error:#}").contains("no_such_section"), "{error:#}");
}

#[tokio::test]
async fn a_reserved_address_refuses_until_its_server_listens() {
    let reserved = ReservedAddress::new().unwrap();
    assert_eq!(TcpStream::connect(reserved.address()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    for _ in 0..2 {
        let listener = TcpListener::bind(reserved.address()).await.unwrap();
        TcpStream::connect(reserved.address()).await.unwrap();
        drop(listener);
        assert!(TcpStream::connect(reserved.address()).await.is_err());
    }
}

#[tokio::test]
async fn a_black_hole_neither_accepts_nor_refuses() {
    let hole = BlackHole::open().await.unwrap();
    let connecting = TcpStream::connect(hole.address().unwrap());
    assert!(timeout(Duration::from_millis(300), connecting).await.is_err());
}

#[tokio::test]
async fn waiting_ends_when_it_holds_or_says_what_did_not() {
    let mut looks = 0;
    let third_time = async || {
        looks += 1;
        looks == 3
    };
    wait_until(Duration::from_secs(5), "third look", third_time).await.unwrap();
    let error = wait_until(Duration::from_millis(20), "never", async || false).await.unwrap_err();
    assert!(error.to_string().contains("never"), "{error}");
}
