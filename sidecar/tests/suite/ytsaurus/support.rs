//! A cluster that is played, and discovery in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use taskgate::config::load;
use taskgate::discovery::inventory::{Entry, Inventory};
use taskgate::discovery::settings::ProviderSettings;
use taskgate::telemetry::metrics::Metrics;
use taskgate::ytsaurus::client::Client;
use taskgate::ytsaurus::client::settings::ClusterSettings;
use taskgate::ytsaurus::discovery::Discovery;
use taskgate::ytsaurus::settings::YtsaurusSettings;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{Guid, Ytsaurus};
use tokio::time::Instant;

/// The robot's token.
pub(crate) const TOKEN: &str = "ytct-robot-0123456789";

/// A cluster with a robot in it.
pub(crate) async fn cluster() -> Ytsaurus {
    let cluster = Ytsaurus::start().await.expect("starts");
    cluster.add_user("robot-taskgate", TOKEN);
    cluster
}

/// A configuration with that cluster as its provider; `rest` is more of the provider's section.
pub(crate) fn config(cluster: &str, rest: &str) -> String {
    format!(
        "gate: {{base_domains: [tasks.example.test]}}\n\
         internal: {{listen: \"127.0.0.1:0\"}}\n\
         operations: {{listen: \"127.0.0.1:0\"}}\n\
         providers: [{{ytsaurus: {{proxy: \"{cluster}\", token: {TOKEN}{rest}}}}}]\n"
    )
}

/// The settings of that provider.
pub(crate) fn settings(cluster: &str, rest: &str) -> YtsaurusSettings {
    let settings = load::read(&config(cluster, rest), Path::new("/")).expect("the configuration holds");
    let ours = |provider| match provider {
        ProviderSettings::Ytsaurus(settings) => Some(Arc::unwrap_or_clone(settings)),
        _ => None,
    };
    settings.providers.into_iter().find_map(ours).expect("a provider")
}

/// A client as the robot, whose requests may take a second.
pub(crate) fn client(cluster: &str) -> Client {
    let mut settings = settings(cluster, "").cluster;
    settings.reach.timeout = Duration::from_secs(1);
    client_with(settings)
}

pub(crate) fn client_with(settings: ClusterSettings) -> Client {
    Client::new(settings, Arc::new(Metrics::new())).expect("a client")
}

/// Discovery that lists operations in every round.
pub(crate) fn discovery(cluster: &Ytsaurus, rest: &str) -> Discovery {
    let mut settings = settings(&cluster.url(), rest);
    settings.operations_period = Duration::ZERO;
    let client = client_with(settings.cluster.clone());
    Discovery::new(Arc::new(settings), client)
}

/// In so many milliseconds.
pub(crate) fn within(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

pub(crate) fn yson(text: &str) -> Yson {
    Yson::parse(text).expect("YSON")
}

pub(crate) fn guid(text: &str) -> Guid {
    text.parse().expect("an id")
}

/// The services of an operation, in the order of their names, as `task/service: endpoint, endpoint`.
pub(crate) fn services(inventory: &Inventory, operation: Guid) -> Vec<String> {
    let mut lines: Vec<String> = entries(inventory, operation).map(line).collect();
    lines.sort();
    lines
}

/// What an inventory has of an operation.
pub(crate) fn entries(inventory: &Inventory, operation: Guid) -> impl Iterator<Item = &Entry> {
    let operation = operation.to_string();
    inventory.services.iter().map(Arc::as_ref).filter(move |entry| entry.key.operation == operation)
}

fn line(entry: &Entry) -> String {
    let endpoints: Vec<String> = entry.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
    format!("{}/{}: {}", entry.key.task, entry.key.service, endpoints.join(", ")).trim_end().to_owned()
}

/// What is said to be wrong with an operation, a line each.
pub(crate) fn reasons(inventory: &Inventory, operation: Guid) -> String {
    let subject = format!("operation {operation}");
    let problems = inventory.problems.iter().filter(|problem| problem.subject == subject);
    problems.map(|problem| format!("{}\n", problem.reason)).collect()
}
