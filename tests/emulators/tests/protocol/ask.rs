//! Requests as a plain HTTP client makes them.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::Ytsaurus;

/// The token of the user `robot`.
pub(crate) const TOKEN: &str = "robots-token";

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A cluster with a user.
pub(crate) async fn cluster() -> Ytsaurus {
    let cluster = Ytsaurus::start().await.unwrap();
    cluster.add_user("robot", TOKEN);
    cluster
}

/// A request for that path, without credentials.
pub(crate) fn request(cluster: &Ytsaurus, method: Method, path: &str) -> RequestBuilder {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    client.request(method, format!("{}{path}", cluster.url()))
}

/// Sends it.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

/// A command with these parameters, in JSON in a header, as the robot.
pub(crate) fn command(cluster: &Ytsaurus, name: &str, parameters: &Value) -> RequestBuilder {
    let method = match name {
        "write_table" | "set" => Method::PUT,
        "create" | "start_transaction" | "commit_transaction" | "execute_batch" => Method::POST,
        _ => Method::GET,
    };
    let request = request(cluster, method, &format!("/api/v4/{name}"));
    request.header("authorization", format!("OAuth {TOKEN}")).header("x-yt-parameters", parameters.to_string())
}

/// Runs a command.
pub(crate) async fn run(cluster: &Ytsaurus, name: &str, parameters: Value) -> Reply {
    send(command(cluster, name, &parameters)).await
}

/// What a command answers that must succeed.
pub(crate) async fn value(cluster: &Ytsaurus, name: &str, parameters: Value) -> Value {
    let reply = run(cluster, name, parameters).await;
    assert_eq!(reply.status, 200, "{name}: {}", reply.text());
    reply.json()
}

// === impl Reply ===

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The code of the error, and whether any error in the tree has that one.
    pub(crate) fn has_code(&self, code: i64) -> bool {
        fn contains(error: &Value, code: i64) -> bool {
            error["code"] == code || error["inner_errors"].as_array().unwrap().iter().any(|e| contains(e, code))
        }
        contains(&self.json(), code)
    }
}

pub(crate) fn yson(text: &str) -> Yson {
    Yson::parse(text).unwrap()
}
