//! From running tasks to services.
//!
//! The master lists every task that runs with the ports that lead to it; lists of each kind add whose it is, whether it
//! is up, and (for shells) where. A list that can't be had leaves what it said before; one item that can't be read costs
//! itself.

pub mod compose;
pub mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::determined::client::Client;
use crate::determined::client::error::MasterError;
use crate::determined::discovery::compose::Composing;
use crate::determined::discovery::wire::Item;
use crate::determined::settings::DeterminedSettings;
use crate::discovery::inventory::{Inventory, Problem, ServiceKey};

/// The kinds of tasks that have lists, and what their items are listed under.
const KINDS: [&str; 4] = ["notebooks", "tensorboards", "shells", "commands"];
/// How many items one page of a list has.
const PAGE: usize = 500;
/// The most pages of one list.
const MAX_PAGES: usize = 40;
/// How long it may take to look up the master's name.
const LOOKUP: Duration = Duration::from_secs(5);

/// What discovery sees, again and again.
#[derive(Debug)]
pub struct Discovery {
    settings: Arc<DeterminedSettings>,
    client: Client,
    known: Arc<Ports>,
    /// Items by kind, as they were read last.
    items: BTreeMap<&'static str, Vec<Item>>,
    /// Where proxies reach the master, as it was found last.
    master: Vec<SocketAddr>,
}

/// What is remembered of a port of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Where the master's proxy leads to it: `/proxy/<service id>/`.
    pub path: String,
    /// Whether the master asks nobody who they are.
    pub unauthenticated: bool,
}

/// The ports that discovery saw last.
#[derive(Debug, Default)]
pub struct Ports {
    by_key: ArcSwap<HashMap<Arc<ServiceKey>, Port>>,
}

impl Ports {
    /// A port, by its service.
    #[must_use]
    pub fn of(&self, key: &ServiceKey) -> Option<Port> {
        self.by_key.load().get(key).cloned()
    }

    /// The tasks that have a port.
    #[must_use]
    pub fn tasks(&self) -> HashSet<String> {
        self.by_key.load().keys().map(|key| key.operation.clone()).collect()
    }
}

#[derive(Deserialize)]
struct Tasks {
    #[serde(default, rename = "allocationIdToSummary")]
    allocations: BTreeMap<String, Box<RawValue>>,
}

impl Discovery {
    /// Discovery of a master's tasks.
    #[must_use]
    pub fn new(settings: Arc<DeterminedSettings>, client: Client, known: Arc<Ports>) -> Self {
        Self { settings, client, known, items: BTreeMap::new(), master: Vec::new() }
    }

    /// Looks once.
    ///
    /// # Errors
    /// [`MasterError`]: the master could not be asked; nothing changed.
    pub async fn round(&mut self) -> Result<Inventory, MasterError> {
        let mut problems = Vec::new();
        let tasks: Tasks = self.client.own("/api/v1/tasks").await?;
        let allocations = read_each(tasks.allocations.values(), "task", &mut problems);
        for kind in KINDS {
            self.read_kind(kind, &mut problems).await;
        }
        self.find_master(&mut problems).await;
        let items: HashMap<&str, &Item> = self.items.values().flatten().map(|item| (item.id.as_str(), item)).collect();
        let composing = Composing { settings: &self.settings, items: &items, master: &self.master };
        let seen = composing.services(&allocations, &mut problems);
        self.known.by_key.store(Arc::new(seen.ports));
        let services = seen.services.into_iter().map(Arc::new).collect();
        Ok(Inventory { services, problems, ..Inventory::default() })
    }

    /// Reads the list of a kind. Where that fails it stays as it was: tasks are there without it.
    async fn read_kind(&mut self, kind: &'static str, problems: &mut Vec<Problem>) {
        let mut items = Vec::new();
        for page in 0..MAX_PAGES {
            let path = format!("/api/v1/{kind}?limit={PAGE}&offset={}", page * PAGE);
            let listed: Result<BTreeMap<String, Box<RawValue>>, MasterError> = self.client.own(&path).await;
            let listed = listed.and_then(|listed| {
                let list = listed.get(kind).map_or("[]", |list| list.get());
                serde_json::from_str::<Vec<Box<RawValue>>>(list)
                    .map_err(|_| MasterError::Unreadable("other values than expected"))
            });
            match listed {
                Ok(list) => {
                    items.extend(read_each::<Item>(list.iter(), kind, problems));
                    if list.len() < PAGE {
                        self.items.insert(kind, items);
                        return;
                    }
                }
                Err(error) => {
                    let reason = format!("what is known of them stays as it was: {error}");
                    return problems.push(Problem { subject: kind.into(), reason });
                }
            }
        }
        self.items.insert(kind, items);
        let reason = format!("there are more than {}; the rest is left out", PAGE * MAX_PAGES);
        problems.push(Problem { subject: kind.into(), reason });
    }

    /// Looks up where proxies reach the master. Where that fails it stays where it was.
    async fn find_master(&mut self, problems: &mut Vec<Problem>) {
        let Some(proxy) = &self.settings.proxy else {
            let reason = "proxies reach the master without TLS; set `proxy`, or its services have nowhere to go";
            return problems.push(Problem { subject: "proxy".into(), reason: reason.into() });
        };
        let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host(proxy.as_str())).await;
        let mut found: Vec<SocketAddr> = match found {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            let reason = "its name can't be looked up; it stays where it was";
            problems.push(Problem { subject: "proxy".into(), reason: reason.into() });
        } else {
            self.master = found;
        }
    }
}

/// Reads items one by one: what can't be read costs itself. Nothing of it is quoted.
fn read_each<'a, T: serde::de::DeserializeOwned>(
    list: impl Iterator<Item = &'a Box<RawValue>>,
    what: &str,
    problems: &mut Vec<Problem>,
) -> Vec<T> {
    let mut unreadable = 0_usize;
    let items = list.filter_map(|item| {
        let read = serde_json::from_str(item.get()).ok();
        unreadable += usize::from(read.is_none());
        read
    });
    let items = items.collect();
    if unreadable > 0 {
        let reason = format!("{unreadable} have other values than expected and are left out");
        problems.push(Problem { subject: what.to_owned(), reason });
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_item_costs_itself_and_is_not_quoted() {
        let text = r#"[{"id":"a"},{"id":7,"serviceAddress":"/proxy/a/?token=s3cret"},[["deep"]],{"id":"b"}]"#;
        let list: Vec<Box<RawValue>> = serde_json::from_str(text).expect("a list");
        let mut problems = Vec::new();
        let read: Vec<Item> = read_each(list.iter(), "notebooks", &mut problems);
        assert_eq!(read.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(problems.len(), 1);
        assert!(!format!("{problems:?}").contains("s3cret"));
    }
}
