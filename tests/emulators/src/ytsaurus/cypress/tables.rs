//! Rows of static tables: written whole or appended, checked against the schema, read in ranges.

use std::sync::Arc;
use std::time::Instant;

use super::change::{Change, RowsChange};
use super::locks::{LockKey, LockRequest};
use super::transactions::NewTransaction;
use super::{Actor, Cypress, NodeKind, Path};
use crate::yson::{Node, Yson};
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::guid::Guid;

/// A write that has begun: the table is locked, the rows are still to come.
#[derive(Clone, Copy, Debug)]
pub(in crate::ytsaurus) struct Upload {
    table: Guid,
    transaction: Guid,
    is_append: bool,
}

/// Rows that were asked for.
pub(in crate::ytsaurus) struct Selection {
    /// All rows of the table, or those of one range.
    pub(in crate::ytsaurus) rows: Vec<Yson>,
    /// The number of the first of them in the table, if there is one.
    pub(in crate::ytsaurus) start_row_index: Option<i64>,
}

// === impl Cypress ===

impl Cypress {
    /// Locks a table for a write, which goes into a transaction of its own.
    pub(in crate::ytsaurus) fn begin_write(
        &mut self,
        path: &Path,
        actor: Actor<'_>,
        now: Instant,
    ) -> Result<Upload, ClusterError> {
        let table = self
            .resolve(path, actor.transaction)
            .map_err(|error| ClusterError::generic("Error getting basic attributes of user objects").because(error))?;
        self.must_be_table(table)?;
        let new =
            NewTransaction { parent: actor.transaction, user: actor.user.to_owned(), ..NewTransaction::default() };
        let transaction = self.start(new, now)?;
        let is_append = path.has_option("append");
        let request = if is_append { LockRequest::shared(LockKey::Whole) } else { LockRequest::exclusive() };
        if let Err(error) = self.take_lock(table, Some(transaction), &request, false) {
            self.abort(transaction);
            return Err(error);
        }
        Ok(Upload { table, transaction, is_append })
    }

    /// Ends a write with its rows.
    pub(in crate::ytsaurus) fn end_write(&mut self, upload: Upload, mut rows: Vec<Yson>) -> Result<(), ClusterError> {
        let written = self.alive(upload.transaction).and_then(|()| {
            let schema = self.attribute(upload.table, "schema", Some(upload.transaction)).unwrap_or_default();
            rows.iter_mut().try_for_each(|row| fit(row, &schema))
        });
        if let Err(error) = written {
            self.abort(upload.transaction);
            return Err(error);
        }
        let change = if upload.is_append { RowsChange::Append(rows) } else { RowsChange::Overwrite(Arc::new(rows)) };
        let change = Change { rows: Some(change), ..Change::default() };
        self.apply(upload.table, Some(upload.transaction), change);
        self.commit(upload.transaction)
    }

    /// Gives a write up.
    pub(in crate::ytsaurus) fn cancel_write(&mut self, upload: Upload) {
        self.abort(upload.transaction);
    }

    /// The rows of a table that a path selects.
    pub(in crate::ytsaurus) fn select(
        &self,
        path: &Path,
        transaction: Option<Guid>,
    ) -> Result<Selection, ClusterError> {
        let table = self.resolve(path, transaction)?;
        self.must_be_table(table)?;
        let rows = self.rows(table, transaction);
        let columns = path.options.get(b"columns".as_slice()).and_then(Yson::as_list);
        let ranges = path.options.get(b"ranges".as_slice()).and_then(Yson::as_list);
        let whole = [Yson::from(crate::yson::YsonMap::new())];
        let mut selected = Vec::new();
        let mut start_row_index = None;
        for range in ranges.unwrap_or(&whole) {
            let (start, end) = bounds(range, rows.len())?;
            for (index, row) in rows.iter().enumerate().take(end).skip(start) {
                start_row_index = start_row_index.or(i64::try_from(index).ok());
                selected.push(project(row, columns));
            }
        }
        Ok(Selection { rows: selected, start_row_index })
    }

    fn must_be_table(&self, node: Guid) -> Result<(), ClusterError> {
        let kind = self.node(node)?.kind;
        if kind == NodeKind::Table {
            return Ok(());
        }
        let path = self.path_of(node);
        Err(ClusterError::generic(format!("Invalid type of {path}: expected \"table\", actual \"{}\"", kind.name())))
    }
}

/// The first row of a range, and the first one after it.
fn bounds(range: &Yson, count: usize) -> Result<(usize, usize), ClusterError> {
    let index = |limit: &Yson| {
        let index = limit.field("row_index").and_then(Yson::as_i64);
        index
            .map(|index| usize::try_from(index).unwrap_or(0).min(count))
            .ok_or_else(|| ClusterError::generic("Ranges other than of row indexes are not emulated"))
    };
    if let Some(exact) = range.field("exact") {
        let index = index(exact)?;
        return Ok((index, index.saturating_add(1).min(count)));
    }
    let start = range.field("lower_limit").map_or(Ok(0), index)?;
    let end = range.field("upper_limit").map_or(Ok(count), index)?;
    Ok((start, end))
}

fn project(row: &Yson, columns: Option<&[Yson]>) -> Yson {
    match (columns, &row.node) {
        (Some(columns), Node::Map(fields)) => {
            let is_wanted = |key: &[u8]| columns.iter().any(|column| column.as_bytes() == Some(key));
            let wanted = fields.iter().filter(|(key, _)| is_wanted(key));
            wanted.map(|(key, value)| (key.clone(), value.clone())).collect::<crate::yson::YsonMap>().into()
        }
        _ => row.clone(),
    }
}

/// Makes a row what the table can hold, or says why it can't.
fn fit(row: &mut Yson, schema: &Yson) -> Result<(), ClusterError> {
    let Some(fields) = row.as_map_mut() else {
        return Err(ClusterError::generic("Error parsing table rows: a row must be a map"));
    };
    if fields.values().any(|value| !value.attributes.is_empty()) {
        return Err(ClusterError::generic("Table values cannot have top-level attributes"));
    }
    let columns = schema.as_list().unwrap_or_default();
    let is_strict = schema.attribute("strict").and_then(Yson::as_bool).unwrap_or(!columns.is_empty());
    let name_of = |column: &Yson| column.field("name").and_then(Yson::as_bytes).map(<[u8]>::to_vec);
    if is_strict
        && let Some(unknown) = fields.keys().find(|key| !columns.iter().any(|c| name_of(c).as_ref() == Some(key)))
    {
        let unknown = String::from_utf8_lossy(unknown);
        return Err(violation(format!("No column \"{unknown}\" in strict schema")));
    }
    for column in columns {
        let Some(name) = name_of(column) else { continue };
        let shown = String::from_utf8_lossy(&name).into_owned();
        let is_required = column.field("required").and_then(Yson::as_bool) == Some(true);
        let value = fields.entry(name).or_default();
        if value.is_entity() && is_required {
            return Err(violation(format!("Required column \"{shown}\" cannot have \"null\" value")));
        }
        let kind = column.field("type").or_else(|| column.field("type_v3")).and_then(Yson::as_str).unwrap_or("any");
        if !value.is_entity() && !has_type(value, kind) {
            return Err(violation(format!("Invalid type of column \"{shown}\": expected \"{kind}\", got {value}")));
        }
    }
    Ok(())
}

fn has_type(value: &Yson, kind: &str) -> bool {
    match (kind, &value.node) {
        ("any" | "yson", _)
        | ("string", Node::String(_))
        | ("boolean" | "bool", Node::Bool(_))
        | ("double" | "float", Node::Double(_)) => true,
        ("utf8", Node::String(_)) => value.as_str().is_some(),
        ("int64" | "int32" | "int16" | "int8", _) => value.as_i64().is_some(),
        ("uint64" | "uint32" | "uint16" | "uint8", Node::Uint64(_)) => true,
        ("uint64" | "uint32" | "uint16" | "uint8", _) => value.as_i64().is_some_and(|number| number >= 0),
        _ => false,
    }
}

fn violation(message: String) -> ClusterError {
    ClusterError::new(codes::SCHEMA_VIOLATION, message)
}
