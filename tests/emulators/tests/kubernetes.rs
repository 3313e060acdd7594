//! The API server over plain HTTP: what was measured at a genuine one, asked of the emulator.

mod conflicts;
mod objects;
mod validation;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use taskgate_emulators::kubernetes::{Kubernetes, Profile};

/// A cluster, and somebody who asks it.
struct Site {
    cluster: Kubernetes,
    client: Client,
}

/// Where Gateways are.
const GATEWAYS: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/edge/gateways";
const SETS: &str = "/apis/gateway.networking.k8s.io/v1/namespaces/edge/listenersets";
const SERVICES: &str = "/api/v1/namespaces/edge/services";

impl Site {
    async fn start() -> Self {
        Self::start_with(Profile::default()).await
    }

    async fn start_with(profile: Profile) -> Self {
        let cluster = Kubernetes::start(profile).await.unwrap();
        Self { cluster, client: Client::builder().no_proxy().build().unwrap() }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let mut request = self.client.request(method, format!("{}{path}", self.cluster.url()));
        if let Some(body) = body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask(Method::PUT, path, Some(body)).await
    }

    /// The status and the message of a refusal.
    async fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let (status, body) = self.post(path, body).await;
        assert_eq!((&body["kind"], &body["status"]), (&json!("Status"), &json!("Failure")), "{body}");
        (status, body["message"].as_str().unwrap().to_owned())
    }
}

fn listener(name: &str, port: u32) -> Value {
    json!({"name": name, "port": port, "protocol": "TCP"})
}

fn gateway(name: &str, listeners: &[Value]) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": name},
        "spec": {"gatewayClassName": "c", "listeners": listeners},
    })
}

fn set(name: &str, port: u32) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "ListenerSet", "metadata": {"name": name},
        "spec": {"parentRef": {"name": "tcp"}, "listeners": [listener("tcp", port)]},
    })
}
