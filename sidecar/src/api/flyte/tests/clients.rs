//! The clients of others: Flyte's own generated one over Connect, gRPC and gRPC-Web, and gRPC's.

use std::path::Path;

use taskgate_test_kit::environment;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::*;

#[tokio::test]
async fn flytes_clients_are_served_on_one_port() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let python = environment::flyte().expect("Flyte's package").join("python3");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/flyte/clients.py");
    let mut judge = Command::new(python);
    judge.arg(script).arg(&address).env("DO_NOT_TRACK", "1").kill_on_drop(true);
    let output = tokio::select! {
        served = async { axum::serve(listener, world.routes.clone()).await } => panic!("it ends: {served:?}"),
        output = judge.output() => output.expect("python3 runs"),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), "7 clients");
}
