//! Who may come in, how, and for how long, through the real Envoy.

mod audit;
mod cookies;
mod handshake;
mod names;
mod streams;

use serde_json::{Value, json};

use super::support::ask::{Answer, Ask};
use super::support::gateway::Gateway;
use super::support::setup::Setup;

/// What browsers say of a person's own visit.
fn by_a_person(ask: Ask) -> Ask {
    ask.header("sec-fetch-mode", "navigate").header("accept", "text/html")
}

/// With the parts that access takes, in plain HTTP.
fn with_access(setup: Setup) -> Setup {
    setup.configure(|config| {
        config["public"] = json!({"listen": "127.0.0.1:0"});
        config["access"] = json!({});
        config["sessions"] = json!({"plain_http": true});
        config["gate"]["session_cookie"] = json!("__Host-taskgate");
    })
}

/// The cookies that an answer sets, as a browser sends them.
fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    lines.filter_map(|line| line.split(';').next()).map(ToOwned::to_owned).collect()
}

/// Ends sessions as an operator does.
async fn end_sessions(gateway: &Gateway, of: Value) -> anyhow::Result<()> {
    let ask =
        Ask::post("taskgate", "/internal/sessions/end", of.to_string()).header("content-type", "application/json");
    let answer = ask.send(gateway.sidecar.internal_address()).await?;
    anyhow::ensure!(answer.is_ok(), "not ended: {}", answer.text());
    Ok(())
}
