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
use crate::ytsaurus::commands::tables::Lines;

/// The columns of the main table.
const COLUMNS: [&str; 5] = ["domain", "operation_id", "task_name", "service", "protocol"];
/// Those that the table of names has beside them.
const MORE_COLUMNS: [&str; 5] = ["operation_alias", "id", "kind", "owner", "provider"];

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The main one.
    Services,
    /// That of names.
    Names,
}

/// The rows of both tables, made as they are needed: there are many, and what they are made of is there
/// anyway. The same services always make the same rows, in the same order.
#[derive(Clone, Debug)]
pub struct Rows {
    /// In the order of their names.
    services: Vec<Arc<Published>>,
    base_domain: String,
}

/// A row of the main table: a service. The fields are in the order of their columns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ServiceRow<'a> {
    /// Where it is reached.
    pub domain: String,
    /// The workload.
    pub operation_id: &'a str,
    /// Its task.
    pub task_name: &'a str,
    /// The service's own name.
    pub service: &'a str,
    /// What its jobs speak.
    pub protocol: &'static str,
}

/// A row of the table of names: one name of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameRow<'a> {
    /// Where it is reached by this name.
    pub domain: String,
    /// The workload.
    pub operation_id: &'a str,
    /// Its alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_alias: Option<&'a str>,
    /// Its task.
    pub task_name: &'a str,
    /// The service's name, or the alternative one that this name is made of.
    pub service: &'a str,
    /// What its jobs speak.
    pub protocol: &'static str,
    /// The service's id.
    pub id: &'a str,
    /// What this name is made of.
    pub kind: NameKind,
    /// Whose the workload is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<&'a str>,
    /// Who published the service.
    pub provider: &'a str,
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
    pub fn new(mut services: Vec<Arc<Published>>, provider: &str, base_domain: &str) -> Self {
        services.retain(|published| &*published.provider == provider);
        services.sort_by(|left, right| left.entry.key.cmp(&right.entry.key));
        Self { services, base_domain: base_domain.to_owned() }
    }

    /// How many rows the main table has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The rows of the main table.
    pub fn services(&self) -> impl Iterator<Item = ServiceRow<'_>> {
        self.services.iter().map(|published| ServiceRow {
            domain: self.domain(&published.id),
            operation_id: &published.entry.key.operation,
            task_name: &published.entry.key.task,
            service: &published.entry.key.service,
            protocol: protocol_name(published.entry.protocol),
        })
    }

    /// Those of the table of names.
    pub fn names(&self) -> impl Iterator<Item = NameRow<'_>> {
        self.services.chunk_by(|left, right| task(left) == task(right)).flat_map(|of_task| {
            let mut names: Vec<NameRow<'_>> = of_task.iter().flat_map(|published| self.names_of(published)).collect();
            names.sort_by(|left, right| left.order().cmp(&right.order()));
            names
        })
    }

    /// The rows of a table as they are sent.
    #[must_use]
    pub fn lines(&self, table: Table) -> Lines {
        match table {
            Table::Services => Lines::of(self.services()),
            Table::Names => Lines::of(self.names()),
        }
    }

    /// What tells the rows of a table from others.
    #[must_use]
    pub fn digest(&self, table: Table) -> Digest {
        match table {
            Table::Services => digest(self.services().filter_map(value)),
            Table::Names => digest(self.names().filter_map(value)),
        }
    }

    /// Whether the rows are the same for sure: services that only moved have the same ones.
    #[must_use]
    pub fn are(&self, other: &Self) -> bool {
        self.base_domain == other.base_domain
            && self.services.len() == other.services.len()
            && self
                .services
                .iter()
                .zip(&other.services)
                .all(|(one, other)| Arc::ptr_eq(one, other) || one.is_called_like(other))
    }

    fn domain(&self, label: &Label) -> String {
        format!("{label}.{}", self.base_domain)
    }

    /// A service's names, its id first.
    fn names_of<'a>(&self, published: &'a Published) -> Vec<NameRow<'a>> {
        let entry = &published.entry;
        let row = |label: &Label, kind: NameKind, service: &'a str| NameRow {
            domain: self.domain(label),
            operation_id: &entry.key.operation,
            operation_alias: entry.alias.as_deref(),
            task_name: &entry.key.task,
            service,
            protocol: protocol_name(entry.protocol),
            id: published.id.as_str(),
            kind,
            owner: entry.policy.owner.as_deref(),
            provider: &published.provider,
        };
        let own = row(&published.id, NameKind::Id, &entry.key.service);
        let others = published.labels.iter().map(|label| {
            let (kind, service) = origin(published, label);
            row(label, kind, service)
        });
        std::iter::once(own).chain(others).collect()
    }
}

impl NameRow<'_> {
    /// Among the names of one task.
    fn order(&self) -> (&str, NameKind, &str, &str) {
        (self.id, self.kind, self.service, &self.domain)
    }
}

impl Table {
    /// The attributes that the table is made with. Every column may be empty, as in the table that Task
    /// proxy makes.
    #[must_use]
    pub fn attributes(self) -> Value {
        let more: &[&str] = match self {
            Self::Services => &[],
            Self::Names => &MORE_COLUMNS,
        };
        let schema: Value = COLUMNS.iter().chain(more).map(|name| json!({"name": name, "type": "string"})).collect();
        json!({"schema": schema})
    }
}

/// What tells the contents of a table from others: a column that is null is one that is not there.
#[must_use]
pub fn digest(rows: impl IntoIterator<Item = Value>) -> Digest {
    Digest::of_pieces(rows.into_iter().map(|row| {
        let mut text = String::new();
        for (column, value) in row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            text.push_str(&format!("{}:{value},", Value::from(column.as_str())));
        }
        text.push('\n');
        text
    }))
}

fn value(row: impl Serialize) -> Option<Value> {
    serde_json::to_value(row).ok()
}

fn task(published: &Published) -> (&str, &str) {
    (&published.entry.key.operation, &published.entry.key.task)
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
