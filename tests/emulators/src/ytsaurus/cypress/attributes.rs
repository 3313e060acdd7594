//! Attributes that the server gives to nodes, and those that users set.

use super::{Cypress, CypressNode, NodeKind};
use crate::yson::{Yson, YsonFormat, YsonMap};
use crate::ytsaurus::guid::Guid;
use crate::ytsaurus::time;

/// What every node has.
const COMMON: [&str; 18] = [
    "id",
    "type",
    "path",
    "key",
    "parent_id",
    "owner",
    "account",
    "acl",
    "inherit_acl",
    "creation_time",
    "modification_time",
    "access_time",
    "revision",
    "content_revision",
    "attribute_revision",
    "lock_count",
    "lock_mode",
    "user_attribute_keys",
];

/// What a table has, too.
const TABLE: [&str; 14] = [
    "row_count",
    "chunk_count",
    "data_weight",
    "compressed_data_size",
    "uncompressed_data_size",
    "dynamic",
    "sorted",
    "replication_factor",
    "schema",
    "schema_mode",
    "optimize_for",
    "compression_codec",
    "erasure_codec",
    "unmerged_row_count",
];

// === impl Cypress ===

impl Cypress {
    /// All attributes of a node.
    pub(super) fn all_attributes(&self, node: Guid, transaction: Option<Guid>) -> YsonMap {
        let table: &[&str] = match self.nodes.get(&node).map(|node| node.kind) {
            Some(NodeKind::Table) => &TABLE,
            Some(NodeKind::Map) => &["count"],
            _ => &[],
        };
        let names = COMMON.iter().chain(table);
        let system =
            names.filter_map(|name| Some((name.as_bytes().to_vec(), self.attribute(node, name, transaction)?)));
        let mut all: YsonMap = system.collect();
        all.extend(self.user_attributes(node, transaction));
        all
    }

    /// One attribute of a node.
    pub(super) fn attribute(&self, id: Guid, name: &str, transaction: Option<Guid>) -> Option<Yson> {
        let node = self.nodes.get(&id)?;
        let mut set = self.user_attributes(id, transaction);
        if let Some(value) = set.remove(name.as_bytes()) {
            return Some(value);
        }
        if node.kind == NodeKind::Table
            && let Some(value) = self.table_attribute(id, name, transaction)
        {
            return Some(value);
        }
        Some(match name {
            "id" => id.into(),
            "type" => node.kind.name().into(),
            "path" => self.path_of(id).into(),
            "key" => node.name.as_str().into(),
            "parent_id" => node.parent?.into(),
            "owner" => node.owner.as_str().into(),
            "account" => self.account(node).into(),
            "acl" => Vec::new().into(),
            "inherit_acl" => true.into(),
            "creation_time" => time::text(node.created_micros).into(),
            "modification_time" | "access_time" => time::text(node.modified_micros).into(),
            "revision" => node.revision.into(),
            "content_revision" => node.content_revision.into(),
            "attribute_revision" => node.attribute_revision.into(),
            "lock_count" => count(self.locks_on(id).count()),
            "lock_mode" => "none".into(),
            "locks" => self.locks_on(id).map(|lock| lock.to_yson()).collect::<Vec<_>>().into(),
            "user_attribute_keys" => set.keys().map(|key| Yson::from(key.as_slice())).collect::<Vec<_>>().into(),
            "user_attributes" => set.into(),
            "count" if node.kind == NodeKind::Map => count(self.children(id, transaction).len()),
            _ => return None,
        })
    }

    fn table_attribute(&self, id: Guid, name: &str, transaction: Option<Guid>) -> Option<Yson> {
        let rows = || self.rows(id, transaction);
        Some(match name {
            "row_count" | "unmerged_row_count" => count(rows().len()),
            "chunk_count" => i64::from(!rows().is_empty()).into(),
            "data_weight" | "compressed_data_size" | "uncompressed_data_size" => {
                count(rows().iter().map(|row| row.to_bytes(YsonFormat::Binary).len()).sum())
            }
            "dynamic" | "sorted" => false.into(),
            "replication_factor" => 3_i64.into(),
            "schema" => Yson::from(Vec::new()).with_attribute("strict", false).with_attribute("unique_keys", false),
            "schema_mode" => {
                let has_schema = self.user_attributes(id, transaction).contains_key(b"schema".as_slice());
                if has_schema { "strong" } else { "weak" }.into()
            }
            "optimize_for" => "lookup".into(),
            "compression_codec" => "lz4".into(),
            "erasure_codec" => "none".into(),
            _ => return None,
        })
    }

    fn account(&self, node: &CypressNode) -> &'static str {
        match self.path_of(node.id).split('/').nth(2) {
            Some("sys") => "sys",
            _ => "tmp",
        }
    }
}

fn count(count: usize) -> Yson {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
