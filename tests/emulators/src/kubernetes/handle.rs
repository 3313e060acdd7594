//! What tests hold.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::authority::Rule;
use super::controller::{self, Script};
use super::network;
use super::resource::{GATEWAY_GROUP, GATEWAYS, Resource};
use super::server;
use super::state::{Death, Profile, State};

/// A cluster. It ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    url: String,
    state: Arc<State>,
    _end: Arc<End>,
}

#[derive(Debug)]
struct End(Arc<State>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.stop.cancel();
    }
}

impl Kubernetes {
    /// Starts it at a free port, with nothing in it.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start(profile: Profile) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State::new(profile));
        let router = server::router(Arc::clone(&state));
        let stop = state.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = axum::serve(listener, router) => {}
            }
        });
        let end = Arc::new(End(Arc::clone(&state)));
        Ok(Self { url, state, _end: end })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds a Gateway with an HTTP listener at port 80 that takes sets of its namespace, or none.
    pub fn add_gateway(&self, namespace: &str, name: &str, takes_sets: bool) {
        let from = if takes_sets { "Same" } else { "None" };
        let listener = json!({
            "name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "Same"}},
        });
        let gateway = json!({
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "gatewayClassName": "example",
                "listeners": [listener],
                "allowedListeners": {"namespaces": {"from": from}},
            },
        });
        self.add("gateways", namespace, &gateway);
    }

    /// Adds an object as somebody else would who needs not ask.
    pub fn add(&self, plural: &str, namespace: &str, object: &Value) {
        let Some(resource) = resource(plural) else { return };
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let mut object = object.clone();
        object["metadata"]["namespace"] = json!(namespace);
        let key = (resource.plural, namespace.to_owned(), name);
        self.state.change(|inner| inner.store.add(&key, object));
    }

    /// Changes an object as somebody else would.
    pub fn edit(&self, plural: &str, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let Some(resource) = resource(plural) else { return };
        let key = (resource.plural, namespace.to_owned(), name.to_owned());
        self.state.change(|inner| {
            let Some(mut object) = inner.store.get(&key).cloned() else { return };
            let before = object["spec"].clone();
            edit(&mut object);
            if object["spec"] != before {
                let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
                object["metadata"]["generation"] = json!(generation + 1);
            }
            inner.store.put(&key, object);
        });
    }

    /// Deletes an object as somebody else would.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let Some(resource) = resource(plural) else { return };
        let key = (resource.plural, namespace.to_owned(), name.to_owned());
        self.state.change(|inner| inner.store.delete(&key));
    }

    /// An object.
    #[must_use]
    pub fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = resource(plural)?;
        self.state.lock().store.get(&(resource.plural, namespace.to_owned(), name.to_owned())).cloned()
    }

    /// All objects of a resource, as they are kept.
    #[must_use]
    pub fn objects(&self, plural: &str) -> Vec<Value> {
        let Some(resource) = resource(plural) else { return Vec::new() };
        let inner = self.state.lock();
        inner.store.all(&resource, None).map(|(_, object)| object.clone()).collect()
    }

    /// The names of all objects of a resource.
    #[must_use]
    pub fn names(&self, plural: &str) -> Vec<String> {
        let names = self.objects(plural);
        names.iter().map(|object| object["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The ports at which a Gateway has listeners, its sets' not among them.
    #[must_use]
    pub fn ports(&self, namespace: &str, gateway: &str) -> Vec<u16> {
        let found = self.object(GATEWAYS.plural, namespace, gateway).unwrap_or_default();
        let listeners = found["spec"]["listeners"].as_array().cloned().unwrap_or_default();
        listeners.iter().filter_map(|listener| u16::try_from(listener["port"].as_u64()?).ok()).collect()
    }

    /// Where connections to a port would end. None where nothing listens.
    #[must_use]
    pub fn behind(&self, namespace: &str, port: u16) -> Option<Vec<SocketAddr>> {
        network::behind(&self.state.lock().store, namespace, port)
    }

    /// When the controller does its work from now on.
    pub fn direct(&self, script: Script) {
        self.state.change(|inner| inner.script = script);
    }

    /// Has the controller do its work once.
    pub fn look(&self) {
        self.state.change(|inner| controller::look(&mut inner.store, true));
    }

    /// Whether the collector is at work, which deletes what is owned by nothing that is there.
    pub fn collect(&self, is_at_work: bool) {
        self.state.change(|inner| inner.collects = is_at_work);
    }

    /// Refuses the next request of that verb and resource.
    pub fn fail(&self, verb: &str, plural: &str, code: u16) {
        self.state.lock().faults.push_back((verb.to_owned(), plural.to_owned(), code));
    }

    /// Whoever writes dies at its `number`-th write from now, the first is 1: nothing that it sends arrives any more,
    /// until [`Self::revive`].
    pub fn kill_at(&self, number: usize, death: Death) {
        self.state.lock().death = Some((number, death));
    }

    /// Waits until somebody died.
    pub async fn died(&self, count: usize) {
        let mut deaths = self.state.deaths.subscribe();
        // Its end is that of the cluster.
        let _ = deaths.wait_for(|deaths| *deaths >= count).await;
    }

    /// A new process starts.
    pub fn revive(&self) {
        self.state.lock().death = None;
    }

    /// Forgets all changes: whoever follows them must ask anew.
    pub fn forget(&self) {
        self.state.lock().store.forget();
    }

    /// What the account may do from now on; none: everything.
    pub fn allow(&self, rules: Option<Vec<Rule>>) {
        self.state.lock().rules = rules;
    }

    /// The calls that were answered since this was asked last: verb, resource, name and status.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        let log = std::mem::take(&mut self.state.lock().log);
        log.iter().map(|call| format!("{} {} {} {}", call.verb, call.plural, call.name, call.code)).collect()
    }

    /// Those of them that changed something.
    #[must_use]
    pub fn writes(&self) -> Vec<String> {
        let is_write =
            |call: &String| ["create", "update", "patch", "delete"].iter().any(|verb| call.starts_with(verb));
        self.calls().into_iter().filter(is_write).collect()
    }
}

fn resource(plural: &str) -> Option<Resource> {
    ["", "coordination.k8s.io", "discovery.k8s.io", GATEWAY_GROUP]
        .into_iter()
        .find_map(|group| Resource::find(group, plural))
}
