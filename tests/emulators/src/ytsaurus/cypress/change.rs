//! What changes the tree: directly, or as a difference that a transaction keeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::locks::{LockKey, LockMode, LockRequest};
use super::{Actor, CreateOptions, Cypress, NodeKind, Path};
use crate::yson::{Node, Yson};
use crate::ytsaurus::error::{ClusterError, codes};
use crate::ytsaurus::guid::Guid;
use crate::ytsaurus::time;

/// What a transaction did to a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// Children that came, or went.
    pub(super) children: BTreeMap<String, Option<Guid>>,
    /// Attributes that were set, or removed.
    pub(super) attributes: BTreeMap<Vec<u8>, Option<Yson>>,
    pub(super) rows: Option<RowsChange>,
    pub(super) value: Option<Yson>,
}

/// What a transaction did to a table.
#[derive(Clone, Debug)]
pub(super) enum RowsChange {
    Overwrite(Arc<Vec<Yson>>),
    Append(Vec<Yson>),
}

// === impl Change ===

impl Change {
    pub(super) fn child(name: &str, child: Option<Guid>) -> Self {
        Self { children: [(name.to_owned(), child)].into(), ..Self::default() }
    }

    fn attribute(name: &str, value: Option<Yson>) -> Self {
        Self { attributes: [(name.as_bytes().to_vec(), value)].into(), ..Self::default() }
    }

    /// Adds what happened later.
    fn merge(&mut self, later: Self) {
        self.children.extend(later.children);
        self.attributes.extend(later.attributes);
        self.value = later.value.or(self.value.take());
        self.rows = match (self.rows.take(), later.rows) {
            (Some(RowsChange::Overwrite(mut rows)), Some(RowsChange::Append(more))) => {
                Arc::make_mut(&mut rows).extend(more);
                Some(RowsChange::Overwrite(rows))
            }
            (Some(RowsChange::Append(mut rows)), Some(RowsChange::Append(more))) => {
                rows.extend(more);
                Some(RowsChange::Append(rows))
            }
            (earlier, later) => later.or(earlier),
        };
    }
}

// === impl Cypress ===

impl Cypress {
    /// Makes a change, in a transaction or for all to see.
    pub(super) fn apply(&mut self, node: Guid, transaction: Option<Guid>, change: Change) {
        if let Some(transaction) = transaction.and_then(|id| self.transactions.get_mut(&id)) {
            transaction.changes.entry(node).or_default().merge(change);
            return;
        }
        self.revision += 1;
        let revision = self.revision;
        let Some(target) = self.nodes.get_mut(&node) else { return };
        target.revision = revision;
        target.modified_micros = time::now_micros();
        if !change.attributes.is_empty() {
            target.attribute_revision = revision;
        }
        if !change.children.is_empty() || change.rows.is_some() || change.value.is_some() {
            target.content_revision = revision;
        }
        for (key, value) in change.attributes {
            match value {
                Some(value) => target.state.attributes.insert(key, value),
                None => target.state.attributes.remove(&key),
            };
        }
        if let Some(value) = change.value {
            target.state.value = value;
        }
        match change.rows {
            Some(RowsChange::Overwrite(rows)) => target.state.rows = rows,
            Some(RowsChange::Append(rows)) => Arc::make_mut(&mut target.state.rows).extend(rows),
            None => {}
        }
        let mut gone = Vec::new();
        for (name, child) in change.children {
            let old = match child {
                Some(child) => target.state.children.insert(name, child),
                None => target.state.children.remove(&name),
            };
            gone.extend(old.filter(|old| Some(*old) != child));
        }
        for node in gone {
            self.forget(node);
        }
    }

    /// Drops a node that nobody can reach any more, and all below it.
    pub(super) fn forget(&mut self, node: Guid) {
        let Some(node) = self.nodes.remove(&node) else { return };
        for child in node.state.children.into_values() {
            self.forget(child);
        }
    }

    /// Makes a node; its id, or that of the node that is there.
    pub(in crate::ytsaurus) fn create(
        &mut self,
        path: &Path,
        kind: NodeKind,
        options: CreateOptions,
        actor: Actor<'_>,
    ) -> Result<Guid, ClusterError> {
        let transaction = actor.transaction;
        let found = self.follow(path, transaction)?;
        let Some((name, parents)) = found.rest.split_last() else {
            return self.create_over(path, found.node, kind, options, actor);
        };
        if self.node(found.node)?.kind != NodeKind::Map {
            let first = parents.first().unwrap_or(name);
            return Err(ClusterError::resolve(&path.text, self.no_child(found.node, first)));
        }
        if let Some(missing) = parents.first()
            && !options.is_recursive
        {
            return Err(ClusterError::resolve(&path.text, self.no_child(found.node, missing)));
        }
        let mut parent = found.node;
        for name in parents {
            parent = self.add(parent, name, NodeKind::Map, actor)?;
        }
        let node = self.add(parent, name, kind, actor)?;
        for (key, value) in options.attributes {
            let change = Change { attributes: [(key, Some(value))].into(), ..Change::default() };
            self.apply(node, transaction, change);
        }
        Ok(node)
    }

    fn create_over(
        &mut self,
        path: &Path,
        node: Guid,
        kind: NodeKind,
        options: CreateOptions,
        actor: Actor<'_>,
    ) -> Result<Guid, ClusterError> {
        let old = self.node(node)?;
        let shown = self.path_of(node);
        if options.is_forced && old.parent.is_some() {
            self.remove(path, true, false, actor)?;
            return self.create(path, kind, options, actor);
        }
        if !options.ignores_existing {
            return Err(ClusterError::new(codes::ALREADY_EXISTS, format!("Node {shown} already exists")));
        }
        if old.kind != kind && !options.ignores_type {
            return Err(ClusterError::new(
                codes::ALREADY_EXISTS,
                format!(
                    "{shown} already exists and has type \"{}\" while node of \"{}\" type is about to be created",
                    old.kind.name(),
                    kind.name()
                ),
            ));
        }
        Ok(node)
    }

    /// Adds a child to a map.
    fn add(&mut self, parent: Guid, name: &str, kind: NodeKind, actor: Actor<'_>) -> Result<Guid, ClusterError> {
        self.take_lock(parent, actor.transaction, &LockRequest::shared(LockKey::Child(name.to_owned())), false)?;
        let id = self.guids.next(kind.guid_kind());
        self.insert(id, kind, Some(parent), name, actor.user);
        if let Some(transaction) = actor.transaction.and_then(|id| self.transactions.get_mut(&id)) {
            transaction.created.push(id);
        }
        self.apply(parent, actor.transaction, Change::child(name, Some(id)));
        Ok(id)
    }

    /// Sets a node or an attribute.
    pub(in crate::ytsaurus) fn set(
        &mut self,
        path: &Path,
        value: Yson,
        is_recursive: bool,
        is_forced: bool,
        actor: Actor<'_>,
    ) -> Result<(), ClusterError> {
        let transaction = actor.transaction;
        if let Some(steps) = &path.attribute {
            let node = self.resolve(path, transaction)?;
            return self.set_attribute(path, node, steps, Some(value), actor);
        }
        let found = self.follow(path, transaction)?;
        if found.rest.is_empty() {
            return self.set_node(found.node, value, is_forced, actor);
        }
        if self.node(found.node)?.kind == NodeKind::Document {
            let mut document = self.value(found.node, transaction);
            put(&mut document, &found.rest, value)
                .ok_or_else(|| ClusterError::resolve(&path.text, self.no_child(found.node, &found.rest[0])))?;
            return self.set_value(found.node, document, actor);
        }
        let kind = NodeKind::of(&value);
        let options = CreateOptions { is_recursive, ..CreateOptions::default() };
        let node = self.create(path, kind, options, actor)?;
        self.set_node(node, value, true, actor)
    }

    fn set_node(&mut self, id: Guid, value: Yson, is_forced: bool, actor: Actor<'_>) -> Result<(), ClusterError> {
        let kind = self.node(id)?.kind;
        for (key, attribute) in value.attributes.clone() {
            let change = Change { attributes: [(key, Some(attribute))].into(), ..Change::default() };
            self.apply(id, actor.transaction, change);
        }
        match (kind, value.node) {
            (NodeKind::Map, Node::Map(fields)) => {
                let children = self.children(id, actor.transaction);
                if !is_forced {
                    return Err(ClusterError::generic(
                        "\"set\" command without \"force\" flag is forbidden for map nodes; use \"create\"",
                    ));
                }
                for name in children.keys() {
                    self.drop_child(id, name, actor)?;
                }
                for (key, field) in Arc::unwrap_or_clone(fields) {
                    let name = String::from_utf8_lossy(&key).into_owned();
                    let child = self.add(id, &name, NodeKind::of(&field), actor)?;
                    self.set_node(child, field, true, actor)?;
                }
                Ok(())
            }
            (NodeKind::Map | NodeKind::Table, _) => {
                Err(ClusterError::new(codes::NO_SUCH_METHOD, "\"Set\" method is not supported"))
            }
            (_, node) => self.set_value(id, Yson { attributes: value.attributes, node }, actor),
        }
    }

    fn set_value(&mut self, node: Guid, mut value: Yson, actor: Actor<'_>) -> Result<(), ClusterError> {
        self.take_lock(node, actor.transaction, &LockRequest::exclusive(), false)?;
        value.attributes.clear();
        self.apply(node, actor.transaction, Change { value: Some(value), ..Change::default() });
        Ok(())
    }

    fn set_attribute(
        &mut self,
        path: &Path,
        node: Guid,
        steps: &[String],
        value: Option<Yson>,
        actor: Actor<'_>,
    ) -> Result<(), ClusterError> {
        let Some((name, rest)) = steps.split_first() else {
            return Err(ClusterError::generic("Setting all attributes at once is not emulated"));
        };
        let key = LockKey::Attribute(name.clone());
        self.take_lock(node, actor.transaction, &LockRequest::shared(key), false)?;
        let changed = if rest.is_empty() {
            value
        } else {
            let missing = || {
                let reason = ClusterError::new(codes::RESOLVE, format!("Attribute \"{name}\" is not found"));
                ClusterError::resolve(&path.text, reason)
            };
            let mut whole = self.attribute(node, name, actor.transaction).ok_or_else(missing)?;
            match value {
                Some(value) => put(&mut whole, rest, value),
                None => take(&mut whole, rest),
            }
            .ok_or_else(missing)?;
            Some(whole)
        };
        self.apply(node, actor.transaction, Change::attribute(name, changed));
        Ok(())
    }

    /// Removes a node with all below it, or an attribute.
    pub(in crate::ytsaurus) fn remove(
        &mut self,
        path: &Path,
        is_recursive: bool,
        is_forced: bool,
        actor: Actor<'_>,
    ) -> Result<(), ClusterError> {
        let found = self.follow(path, actor.transaction)?;
        if !found.rest.is_empty() {
            let missing = ClusterError::resolve(&path.text, self.no_child(found.node, &found.rest[0]));
            return if is_forced { Ok(()) } else { Err(missing) };
        }
        if let Some(steps) = &path.attribute {
            let is_there = self.get(path, actor.transaction, None);
            return match is_there {
                Ok(_) => self.set_attribute(path, found.node, steps, None, actor),
                Err(_) if is_forced => Ok(()),
                Err(error) => Err(error),
            };
        }
        let node = self.node(found.node)?;
        let (Some(parent), name) = (node.parent, node.name.clone()) else {
            return Err(ClusterError::generic("Root node cannot be removed"));
        };
        if !is_recursive && !self.children(found.node, actor.transaction).is_empty() {
            return Err(ClusterError::generic("Cannot remove non-empty composite node"));
        }
        self.drop_child(parent, &name, actor)
    }

    fn drop_child(&mut self, parent: Guid, name: &str, actor: Actor<'_>) -> Result<(), ClusterError> {
        if let Some(child) = self.child(parent, name, actor.transaction) {
            self.lock_all(child, actor)?;
        }
        let key = LockKey::Child(name.to_owned());
        self.take_lock(parent, actor.transaction, &LockRequest::shared(key), false)?;
        self.apply(parent, actor.transaction, Change::child(name, None));
        Ok(())
    }

    fn lock_all(&mut self, node: Guid, actor: Actor<'_>) -> Result<(), ClusterError> {
        for child in self.children(node, actor.transaction).into_values() {
            self.lock_all(child, actor)?;
        }
        let request = LockRequest { mode: LockMode::Exclusive, key: LockKey::Whole };
        self.take_lock(node, actor.transaction, &request, false).map(drop)
    }
}

/// Puts a value where the steps lead; `end` and `begin` make room in lists.
fn put(whole: &mut Yson, steps: &[String], value: Yson) -> Option<()> {
    let (step, rest) = steps.split_first()?;
    let place = match &mut whole.node {
        Node::Map(fields) if rest.is_empty() => {
            Arc::make_mut(fields).insert(step.as_bytes().to_vec(), value);
            return Some(());
        }
        Node::Map(fields) => Arc::make_mut(fields).get_mut(step.as_bytes())?,
        Node::List(items) if step == "end" && rest.is_empty() => {
            items.push(value);
            return Some(());
        }
        Node::List(items) if step == "begin" && rest.is_empty() => {
            items.insert(0, value);
            return Some(());
        }
        Node::List(items) => items.get_mut(step.parse::<usize>().ok()?)?,
        _ => return None,
    };
    if rest.is_empty() {
        *place = value;
        return Some(());
    }
    put(place, rest, value)
}

/// Takes away what the steps lead to.
fn take(whole: &mut Yson, steps: &[String]) -> Option<()> {
    let (step, rest) = steps.split_first()?;
    match &mut whole.node {
        Node::Map(fields) if rest.is_empty() => Arc::make_mut(fields).remove(step.as_bytes()).map(drop),
        Node::Map(fields) => take(Arc::make_mut(fields).get_mut(step.as_bytes())?, rest),
        Node::List(items) => {
            let index = step.parse::<usize>().ok().filter(|index| *index < items.len())?;
            if rest.is_empty() {
                items.remove(index);
                return Some(());
            }
            take(items.get_mut(index)?, rest)
        }
        _ => None,
    }
}
