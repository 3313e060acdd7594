//! The tree as one transaction sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Change, RowsChange};
use super::{Cypress, NodeKind, Path, State, no_such_object};
use crate::yson::{Node, Yson, YsonMap};
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::guid::Guid;

/// How far a path leads.
pub(super) struct Found {
    /// The last node on the way.
    pub(super) node: Guid,
    /// Names that are not nodes any more, but inside a document or missing.
    pub(super) rest: Vec<String>,
}

// === impl Cypress ===

impl Cypress {
    /// What a transaction and those it is in did to a node, innermost first; ends at a snapshot.
    fn layers(&self, node: Guid, transaction: Option<Guid>) -> (Vec<&Change>, Option<&State>) {
        let mut changes = Vec::new();
        for transaction in self.chain(transaction) {
            if let Some(snapshot) = transaction.snapshots.get(&node) {
                return (changes, Some(snapshot));
            }
            changes.extend(transaction.changes.get(&node));
        }
        (changes, self.nodes.get(&node).map(|node| &node.state))
    }

    pub(super) fn child(&self, node: Guid, name: &str, transaction: Option<Guid>) -> Option<Guid> {
        let (changes, base) = self.layers(node, transaction);
        match changes.into_iter().find_map(|change| change.children.get(name)) {
            Some(changed) => *changed,
            None => base?.children.get(name).copied(),
        }
    }

    pub(super) fn children(&self, node: Guid, transaction: Option<Guid>) -> BTreeMap<String, Guid> {
        let (changes, base) = self.layers(node, transaction);
        let mut children = base.map(|state| state.children.clone()).unwrap_or_default();
        for (name, child) in changes.into_iter().rev().flat_map(|change| &change.children) {
            match child {
                Some(child) => children.insert(name.clone(), *child),
                None => children.remove(name),
            };
        }
        children
    }

    pub(super) fn rows(&self, node: Guid, transaction: Option<Guid>) -> Arc<Vec<Yson>> {
        let (changes, base) = self.layers(node, transaction);
        let mut rows = base.map(|state| Arc::clone(&state.rows)).unwrap_or_default();
        for change in changes.into_iter().rev().filter_map(|change| change.rows.as_ref()) {
            match change {
                RowsChange::Overwrite(new) => rows = Arc::clone(new),
                RowsChange::Append(new) => Arc::make_mut(&mut rows).extend(new.iter().cloned()),
            }
        }
        rows
    }

    pub(super) fn value(&self, node: Guid, transaction: Option<Guid>) -> Yson {
        let (changes, base) = self.layers(node, transaction);
        let changed = changes.into_iter().find_map(|change| change.value.as_ref());
        changed.or_else(|| base.map(|state| &state.value)).cloned().unwrap_or_default()
    }

    /// What users set.
    pub(super) fn user_attributes(&self, node: Guid, transaction: Option<Guid>) -> YsonMap {
        let (changes, base) = self.layers(node, transaction);
        let mut attributes = base.map(|state| state.attributes.clone()).unwrap_or_default();
        for (key, value) in changes.into_iter().rev().flat_map(|change| &change.attributes) {
            match value {
                Some(value) => attributes.insert(key.clone(), value.clone()),
                None => attributes.remove(key),
            };
        }
        attributes
    }

    /// All that a transaction sees of a node.
    pub(super) fn state(&self, node: Guid, transaction: Option<Guid>) -> State {
        State {
            children: self.children(node, transaction),
            rows: self.rows(node, transaction),
            value: self.value(node, transaction),
            attributes: self.user_attributes(node, transaction),
        }
    }

    /// Follows a path as far as there are nodes.
    pub(super) fn follow(&self, path: &Path, transaction: Option<Guid>) -> Result<Found, ClusterError> {
        let mut node = path.object.unwrap_or(self.root);
        if !self.nodes.contains_key(&node) {
            return Err(ClusterError::resolve(&path.text, no_such_object(node)));
        }
        let mut names = path.names.iter();
        while let Some(name) = names.next() {
            let Some(child) = self.child(node, name, transaction) else {
                let rest = std::iter::once(name).chain(names).cloned().collect();
                return Ok(Found { node, rest });
            };
            node = child;
        }
        Ok(Found { node, rest: Vec::new() })
    }

    /// The node that a path leads to.
    pub(in crate::ytsaurus) fn resolve(&self, path: &Path, transaction: Option<Guid>) -> Result<Guid, ClusterError> {
        let found = self.follow(path, transaction)?;
        match found.rest.first() {
            None => Ok(found.node),
            Some(missing) => Err(ClusterError::resolve(&path.text, self.no_child(found.node, missing))),
        }
    }

    pub(super) fn no_child(&self, node: Guid, name: &str) -> ClusterError {
        let path = self.path_of(node);
        ClusterError::new(codes::RESOLVE, format!("Node {path} has no child with key \"{name}\""))
    }

    /// Whether a path leads anywhere.
    pub(in crate::ytsaurus) fn exists(&self, path: &Path, transaction: Option<Guid>) -> bool {
        self.get(path, transaction, None).is_ok()
    }

    /// What is at a path, with these attributes on every node of it.
    pub(in crate::ytsaurus) fn get(
        &self,
        path: &Path,
        transaction: Option<Guid>,
        wanted: Option<&[&str]>,
    ) -> Result<Yson, ClusterError> {
        let found = self.follow(path, transaction)?;
        if let Some(name) = found.rest.first() {
            let is_document = self.node(found.node)?.kind == NodeKind::Document;
            if !is_document || path.attribute.is_some() {
                return Err(ClusterError::resolve(&path.text, self.no_child(found.node, name)));
            }
            let document = self.value(found.node, transaction);
            return descend(&document, &found.rest)
                .cloned()
                .ok_or_else(|| ClusterError::resolve(&path.text, self.no_child(found.node, name)));
        }
        match &path.attribute {
            None => self.read(found.node, transaction, wanted),
            Some(steps) => self.read_attribute(path, found.node, steps, transaction, wanted),
        }
    }

    fn read(&self, id: Guid, transaction: Option<Guid>, wanted: Option<&[&str]>) -> Result<Yson, ClusterError> {
        let node = self.node(id)?;
        let mut value = match node.kind {
            NodeKind::Map => {
                let children = self.children(id, transaction).into_iter();
                let read =
                    children.map(|(name, child)| Ok((name.into_bytes(), self.read(child, transaction, wanted)?)));
                Yson::from(read.collect::<Result<YsonMap, ClusterError>>()?)
            }
            NodeKind::Table => Yson::entity(),
            _ => self.value(id, transaction),
        };
        for name in wanted.unwrap_or_default() {
            if let Some(attribute) = self.attribute(id, name, transaction) {
                value.attributes.insert(name.as_bytes().to_vec(), attribute);
            }
        }
        Ok(value)
    }

    fn read_attribute(
        &self,
        path: &Path,
        node: Guid,
        steps: &[String],
        transaction: Option<Guid>,
        wanted: Option<&[&str]>,
    ) -> Result<Yson, ClusterError> {
        let Some((name, rest)) = steps.split_first() else {
            let all = self.all_attributes(node, transaction);
            let is_wanted = |name: &[u8]| wanted.is_none_or(|wanted| wanted.iter().any(|one| one.as_bytes() == name));
            return Ok(all.into_iter().filter(|(name, _)| is_wanted(name)).collect::<YsonMap>().into());
        };
        let missing = || {
            let reason = ClusterError::new(codes::RESOLVE, format!("Attribute \"{name}\" is not found"));
            ClusterError::resolve(&path.text, reason)
        };
        let attribute = self.attribute(node, name, transaction).ok_or_else(missing)?;
        descend(&attribute, rest).cloned().ok_or_else(missing)
    }

    /// The names under a path, with these attributes; no more than `limit`. The order means nothing.
    pub(in crate::ytsaurus) fn list(
        &self,
        path: &Path,
        transaction: Option<Guid>,
        wanted: &[&str],
        limit: Option<u64>,
    ) -> Result<Yson, ClusterError> {
        if path.attribute.is_some() {
            let value = self.get(path, transaction, None)?;
            return Ok(names_of(&value).unwrap_or_default().into());
        }
        let node = self.resolve(path, transaction)?;
        if self.node(node)?.kind != NodeKind::Map {
            let value = self.value(node, transaction);
            return names_of(&value).map(Into::into).ok_or_else(|| {
                ClusterError::new(codes::NO_SUCH_METHOD, "\"List\" method is not supported")
                    .with("path", path.text.as_str())
            });
        }
        let children = self.children(node, transaction);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let is_incomplete = children.len() > limit;
        let mut names: Vec<(String, Guid)> = children.into_iter().collect();
        // A real cluster lists in the order of a hash table; readers must not rely on any.
        names.sort_by_key(|(name, _)| scrambled(name));
        let items = names.into_iter().take(limit).map(|(name, child)| {
            wanted.iter().fold(Yson::from(name), |item, key| match self.attribute(child, key, transaction) {
                Some(attribute) => item.with_attribute(key, attribute),
                None => item,
            })
        });
        let items = Yson::list(items.collect::<Vec<_>>());
        Ok(if is_incomplete { items.with_attribute("incomplete", true) } else { items })
    }
}

/// What a chain of fields and indexes leads to.
fn descend<'a>(value: &'a Yson, steps: &[String]) -> Option<&'a Yson> {
    value.at(&steps.iter().map(String::as_str).collect::<Vec<_>>())
}

fn names_of(value: &Yson) -> Option<Vec<Yson>> {
    let Node::Map(fields) = &value.node else { return None };
    Some(fields.keys().map(|key| Yson::from(key.as_slice())).collect())
}

fn scrambled(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
