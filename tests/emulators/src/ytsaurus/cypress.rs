//! Cypress: the tree of nodes, with transactions, locks and tables.
//!
//! A node has its committed state. What a transaction changes stays with the transaction, as differences,
//! until it commits; then it goes to the parent transaction or into the node. Who looks, looks through a
//! chain of transactions.

mod attributes;
mod change;
mod locks;
mod path;
mod tables;
#[cfg(test)]
mod tests;
mod transactions;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(super) use locks::{LockKey, LockMode, LockRequest};
pub(super) use path::Path;
pub(super) use tables::{Selection, Upload};
pub(super) use transactions::NewTransaction;

use self::locks::Lock;
use self::transactions::Transaction;
use super::error::{ClusterError, codes};
use super::guid::{Guid, Guids, Kind};
use super::time;
use crate::yson::{Node, Yson, YsonMap};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeKind {
    Map,
    Table,
    Document,
    String,
    Int64,
    Uint64,
    Double,
    Boolean,
    List,
}

/// The committed state of a node.
#[derive(Debug)]
struct CypressNode {
    id: Guid,
    kind: NodeKind,
    parent: Option<Guid>,
    name: String,
    owner: String,
    created_micros: i64,
    modified_micros: i64,
    revision: u64,
    content_revision: u64,
    attribute_revision: u64,
    state: State,
}

/// What transactions can change.
#[derive(Clone, Debug, Default)]
struct State {
    children: BTreeMap<String, Guid>,
    rows: Arc<Vec<Yson>>,
    value: Yson,
    attributes: YsonMap,
}

/// The whole tree.
#[derive(Debug)]
pub(super) struct Cypress {
    nodes: HashMap<Guid, CypressNode>,
    root: Guid,
    revision: u64,
    transactions: BTreeMap<Guid, Transaction>,
    locks: BTreeMap<Guid, Lock>,
    writes: HashMap<String, u64>,
    guids: Guids,
}

/// Who does something, and in which transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor<'a> {
    pub(super) user: &'a str,
    pub(super) transaction: Option<Guid>,
}

/// How a node is made.
#[derive(Clone, Debug, Default)]
pub(super) struct CreateOptions {
    /// Parents are made too.
    pub(super) is_recursive: bool,
    /// A node that is there is as good.
    pub(super) ignores_existing: bool,
    /// Even if it is of another type.
    pub(super) ignores_type: bool,
    /// A node that is there is replaced.
    pub(super) is_forced: bool,
    /// Attributes of the new node.
    pub(super) attributes: YsonMap,
}

// === impl NodeKind ===

impl NodeKind {
    pub(super) fn parse(name: &str) -> Result<Self, ClusterError> {
        Ok(match name {
            "map_node" => Self::Map,
            "table" => Self::Table,
            "document" => Self::Document,
            "string_node" => Self::String,
            "int64_node" => Self::Int64,
            "uint64_node" => Self::Uint64,
            "double_node" => Self::Double,
            "boolean_node" => Self::Boolean,
            "list_node" => Self::List,
            _ => return Err(ClusterError::generic(format!("Nodes of type \"{name}\" are not emulated"))),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Map => "map_node",
            Self::Table => "table",
            Self::Document => "document",
            Self::String => "string_node",
            Self::Int64 => "int64_node",
            Self::Uint64 => "uint64_node",
            Self::Double => "double_node",
            Self::Boolean => "boolean_node",
            Self::List => "list_node",
        }
    }

    /// The kind of node that `set` makes for a value.
    fn of(value: &Yson) -> Self {
        match value.node {
            Node::Map(_) => Self::Map,
            Node::List(_) => Self::List,
            Node::String(_) => Self::String,
            Node::Int64(_) => Self::Int64,
            Node::Uint64(_) => Self::Uint64,
            Node::Double(_) => Self::Double,
            Node::Bool(_) => Self::Boolean,
            Node::Entity => Self::Document,
        }
    }

    fn initial_value(self) -> Yson {
        match self {
            Self::String => "".into(),
            Self::Int64 => 0_i64.into(),
            Self::Uint64 => 0_u64.into(),
            Self::Double => 0.0.into(),
            Self::Boolean => false.into(),
            Self::List => Vec::new().into(),
            Self::Map | Self::Table | Self::Document => Yson::entity(),
        }
    }

    fn guid_kind(self) -> Kind {
        match self {
            Self::Map => Kind::Map,
            Self::Table => Kind::Table,
            Self::Document => Kind::Document,
            _ => Kind::Scalar,
        }
    }
}

// === impl Cypress ===

impl Cypress {
    /// A tree with the directories that every cluster has.
    pub(super) fn new() -> Self {
        let mut guids = Guids::default();
        let root = guids.next(Kind::Map);
        let mut cypress = Self {
            nodes: HashMap::new(),
            root,
            revision: 1,
            transactions: BTreeMap::new(),
            locks: BTreeMap::new(),
            writes: HashMap::new(),
            guids,
        };
        cypress.insert(root, NodeKind::Map, None, "", super::access::ROOT);
        for name in ["home", "sys", "tmp"] {
            let id = cypress.guids.next(Kind::Map);
            cypress.insert(id, NodeKind::Map, Some(root), name, super::access::ROOT);
            if let Some(node) = cypress.nodes.get_mut(&root) {
                node.state.children.insert(name.to_owned(), id);
            }
        }
        cypress
    }

    fn insert(&mut self, id: Guid, kind: NodeKind, parent: Option<Guid>, name: &str, owner: &str) {
        self.revision += 1;
        let now = time::now_micros();
        let node = CypressNode {
            id,
            kind,
            parent,
            name: name.to_owned(),
            owner: owner.to_owned(),
            created_micros: now,
            modified_micros: now,
            revision: self.revision,
            content_revision: self.revision,
            attribute_revision: self.revision,
            state: State { value: kind.initial_value(), ..State::default() },
        };
        self.nodes.insert(id, node);
    }

    fn node(&self, id: Guid) -> Result<&CypressNode, ClusterError> {
        self.nodes.get(&id).ok_or_else(|| no_such_object(id))
    }

    /// The path of a node, from the root of the tree.
    pub(super) fn path_of(&self, id: Guid) -> String {
        let mut names = Vec::new();
        let mut next = self.nodes.get(&id);
        while let Some(node) = next {
            let Some(parent) = node.parent else { break };
            names.push(node.name.as_str());
            next = self.nodes.get(&parent);
        }
        if names.is_empty() {
            return "/".to_owned();
        }
        names.reverse();
        format!("//{}", names.join("/"))
    }

    /// How often a table was rewritten or appended to, counted when it was committed.
    pub(super) fn writes(&self, path: &str) -> u64 {
        self.writes.get(path).copied().unwrap_or(0)
    }
}

fn no_such_object(id: Guid) -> ClusterError {
    ClusterError::new(codes::RESOLVE, format!("No such object {id}"))
}
