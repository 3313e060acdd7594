//! The rows of the tables, from what is published.
//!
//! Programs that people have (SPYT among them) read the main table, take every row of an operation
//! that they look for, and know what columns there are. So it has a row for each service, by its own
//! name, in the columns of Task proxy, and never anything else. What else a service is called stands
//! in the table of names.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use taskgate_core::label::Label;
use taskgate_core::naming::{ServiceDigest, alias_label};

use crate::digest::Digest;
use crate::registry::protocol_name;
use crate::registry::published::Published;

/// The columns of the main table.
const COLUMNS: [&str; 5] = ["domain", "operation_id", "task_name", "service", "protocol"];
/// Those that the table of names has beside them.
const MORE_COLUMNS: [&str; 5] = ["operation_alias", "id", "kind", "owner", "provider"];

/// Both tables, in the order in which they are written: the same services always make the same rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The main table.
    pub services: Vec<ServiceRow>,
    /// The table of names.
    pub names: Vec<NameRow>,
}

/// A row of the main table: a service. The fields are in the order of their columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ServiceRow {
    /// Where it is reached.
    pub domain: String,
    /// The workload.
    pub operation_id: String,
    /// Its task.
    pub task_name: String,
    /// The service's own name.
    pub service: String,
    /// What its jobs speak.
    pub protocol: &'static str,
}

/// A row of the table of names: one name of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameRow {
    /// Where it is reached by this name.
    pub domain: String,
    /// The workload.
    pub operation_id: String,
    /// Its alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_alias: Option<String>,
    /// Its task.
    pub task_name: String,
    /// The service's name, or the alternative one that this name is made of.
    pub service: String,
    /// What its jobs speak.
    pub protocol: &'static str,
    /// The service's id.
    pub id: String,
    /// What this name is made of.
    pub kind: NameKind,
    /// Whose the workload is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Who published the service.
    pub provider: String,
}

/// What a name is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// The service's own names: its id.
    Id,
    /// An alternative name of the service, as an id is.
    Alternative,
    /// The workload's alias.
    Alias,
}

impl Rows {
    /// The rows of a provider's services, under a base domain.
    #[must_use]
    pub fn of(services: &[Arc<Published>], provider: &str, base_domain: &str) -> Self {
        let mut rows = Self::default();
        for published in services.iter().filter(|published| &*published.provider == provider) {
            let of_service = names(published, base_domain);
            rows.services.extend(of_service.first().map(|own| ServiceRow {
                domain: own.domain.clone(),
                operation_id: own.operation_id.clone(),
                task_name: own.task_name.clone(),
                service: own.service.clone(),
                protocol: own.protocol,
            }));
            rows.names.extend(of_service);
        }
        rows.services.sort_by(|left, right| left.order().cmp(&right.order()));
        rows.names.sort_by(|left, right| left.order().cmp(&right.order()));
        rows
    }
}

impl ServiceRow {
    fn order(&self) -> (&str, &str, &str) {
        (&self.operation_id, &self.task_name, &self.service)
    }
}

impl NameRow {
    fn order(&self) -> (&str, &str, &str, NameKind, &str, &str) {
        (&self.operation_id, &self.task_name, &self.id, self.kind, &self.service, &self.domain)
    }
}

/// The schema of the main table, for its attributes. Every column may be empty, as in the table that
/// Task proxy makes.
#[must_use]
pub fn service_attributes() -> Value {
    json!({"schema": schema(&COLUMNS)})
}

/// That of the table of names.
#[must_use]
pub fn name_attributes() -> Value {
    let columns: Vec<&str> = COLUMNS.iter().chain(&MORE_COLUMNS).copied().collect();
    json!({"schema": schema(&columns)})
}

/// Rows as they are sent.
#[must_use]
pub fn values<R: Serialize>(rows: &[R]) -> Vec<Value> {
    // Structs of text always have a form in JSON.
    rows.iter().filter_map(|row| serde_json::to_value(row).ok()).collect()
}

/// What tells the contents of a table from others: a column that is null is one that is not there.
#[must_use]
pub fn digest(rows: &[Value]) -> Digest {
    let mut text = String::new();
    for row in rows {
        for (column, value) in row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            text.push_str(&format!("{}:{value},", Value::from(column.as_str())));
        }
        text.push('\n');
    }
    Digest::of(text.as_bytes())
}

fn schema(columns: &[&str]) -> Value {
    columns.iter().map(|name| json!({"name": name, "type": "string"})).collect()
}

/// A service's names, its id first.
fn names(published: &Published, base_domain: &str) -> Vec<NameRow> {
    let entry = &published.entry;
    let row = |label: &Label, kind: NameKind, service: &str| NameRow {
        domain: format!("{label}.{base_domain}"),
        operation_id: entry.key.operation.clone(),
        operation_alias: entry.alias.clone(),
        task_name: entry.key.task.clone(),
        service: service.to_owned(),
        protocol: protocol_name(entry.protocol),
        id: published.id.to_string(),
        kind,
        owner: entry.policy.owner.clone(),
        provider: published.provider.to_string(),
    };
    let own = row(&published.id, NameKind::Id, &entry.key.service);
    let others = published.labels.iter().map(|label| {
        let (kind, service) = origin(published, label);
        row(label, kind, service)
    });
    std::iter::once(own).chain(others).collect()
}

/// What a label other than the id is made of, and of which of the service's names.
fn origin<'a>(published: &'a Published, label: &Label) -> (NameKind, &'a str) {
    let entry = &published.entry;
    let (operation, task) = (&entry.key.operation, &entry.key.task);
    let is_id_of = |service: &str| ServiceDigest::of(operation, task, service).ids().any(|id| id == *label);
    if let Some(alternative) = entry.alternatives.iter().find(|service| is_id_of(service)) {
        return (NameKind::Alternative, alternative);
    }
    let alias = entry.alias.as_deref().unwrap_or_default();
    let is_alias_of = |service: &str| alias_label(alias, task, service).is_some_and(|made| made == *label);
    let service = entry.alternatives.iter().find(|service| is_alias_of(service)).unwrap_or(&entry.key.service);
    (NameKind::Alias, service)
}

#[cfg(test)]
mod tests;
