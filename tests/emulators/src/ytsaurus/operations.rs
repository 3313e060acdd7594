//! The operations of the cluster, newest first.

mod listing;

use std::collections::{BTreeMap, HashMap};

pub(super) use listing::{Direction, Listing, Query};

use super::guid::Guid;
use super::time;
use crate::yson::{Node, Yson, YsonFormat, YsonMap};

/// 2026-01-01T00:00:00Z: when the first operation started that does not say when.
const FIRST_START_MICROS: i64 = 1_767_225_600_000_000;

/// An operation to add: what a test says about it, all else is made up.
#[derive(Clone, Debug)]
pub struct Operation {
    id: Option<Guid>,
    user: String,
    kind: String,
    state: String,
    title: Option<String>,
    alias: Option<String>,
    pool: String,
    annotations: Option<Yson>,
    acl: Yson,
    start_micros: Option<i64>,
    fields: YsonMap,
}

/// An operation of the cluster.
#[derive(Debug)]
pub(super) struct StoredOperation {
    pub(super) id: Guid,
    pub(super) start_micros: i64,
    pub(super) user: String,
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) pool: String,
    /// All that it can be asked for.
    pub(super) fields: YsonMap,
    /// What `filter` looks into.
    filter_text: Vec<u8>,
}

/// All operations.
#[derive(Debug, Default)]
pub(super) struct Operations {
    by_id: HashMap<Guid, StoredOperation>,
    by_alias: HashMap<String, Guid>,
    by_start: BTreeMap<(i64, Guid), ()>,
    added: i64,
}

// === impl Operation ===

impl Operation {
    /// A running vanilla operation that this user started. Operations that don't say when they started are
    /// a second apart.
    #[must_use]
    pub fn new(user: &str) -> Self {
        Self {
            id: None,
            user: user.to_owned(),
            kind: "vanilla".to_owned(),
            state: "running".to_owned(),
            title: None,
            alias: None,
            pool: user.to_owned(),
            annotations: None,
            acl: Vec::new().into(),
            start_micros: None,
            fields: YsonMap::new(),
        }
    }

    /// With that id, instead of a made up one.
    #[must_use]
    pub fn id(mut self, id: Guid) -> Self {
        self.id = Some(id);
        self
    }

    /// Of that type, instead of `vanilla`.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    /// In that state, instead of `running`.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// With that title.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// With that alias, star included.
    #[must_use]
    pub fn alias(mut self, alias: &str) -> Self {
        self.alias = Some(alias.to_owned());
        self
    }

    /// In that pool, instead of the user's.
    #[must_use]
    pub fn pool(mut self, pool: &str) -> Self {
        pool.clone_into(&mut self.pool);
        self
    }

    /// With these annotations.
    #[must_use]
    pub fn annotations(mut self, annotations: Yson) -> Self {
        self.annotations = Some(annotations);
        self
    }

    /// With this access list, to which the author is added.
    #[must_use]
    pub fn acl(mut self, acl: Yson) -> Self {
        self.acl = acl;
        self
    }

    /// Started at that moment, microseconds since 1970.
    #[must_use]
    pub fn started_micros(mut self, micros: i64) -> Self {
        self.start_micros = Some(micros);
        self
    }

    /// With this value of an attribute, whatever it is: to be what no real operation is.
    #[must_use]
    pub fn field(mut self, name: &str, value: Yson) -> Self {
        self.fields.insert(name.into(), value);
        self
    }
}

// === impl StoredOperation ===

impl StoredOperation {
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state.as_str(), "completed" | "failed" | "aborted")
    }

    /// The access list that is in force.
    pub(super) fn acl(&self) -> Yson {
        let parameters = self.fields.get(b"runtime_parameters".as_slice());
        parameters.and_then(|parameters| parameters.field("acl")).cloned().unwrap_or_else(|| Vec::new().into())
    }

    fn set_parameter(&mut self, name: &str, value: Yson) {
        let parameters = self.fields.entry(b"runtime_parameters".to_vec()).or_default();
        if let Some(fields) = parameters.as_map_mut() {
            fields.insert(name.into(), value);
        } else {
            *parameters = Yson::map([(name, value)]);
        }
        self.index();
    }

    fn index(&mut self) {
        let text = |name: &str| self.fields.get(name.as_bytes());
        let title = text("brief_spec").and_then(|spec| spec.field("title")).and_then(Yson::as_bytes);
        let annotations = text("runtime_parameters").and_then(|parameters| parameters.field("annotations"));
        let parts = [
            self.id.to_string().into_bytes(),
            self.kind.clone().into_bytes(),
            self.state.clone().into_bytes(),
            self.user.clone().into_bytes(),
            self.pool.clone().into_bytes(),
            title.unwrap_or_default().to_vec(),
            annotations.map(|annotations| annotations.to_bytes(YsonFormat::Text)).unwrap_or_default(),
        ];
        self.filter_text = parts.join(&b'\n').to_ascii_lowercase();
    }
}

// === impl Operations ===

impl Operations {
    /// Adds an operation under that id.
    pub(super) fn add(&mut self, id: Guid, operation: Operation) {
        self.added += 1;
        let start_micros = operation.start_micros.unwrap_or(FIRST_START_MICROS + self.added * 1_000_000);
        if let Some(alias) = &operation.alias {
            self.by_alias.insert(alias.clone(), id);
        }
        let mut stored = StoredOperation {
            id,
            start_micros,
            fields: fields(id, start_micros, &operation),
            user: operation.user,
            kind: operation.kind,
            state: operation.state,
            pool: operation.pool,
            filter_text: Vec::new(),
        };
        stored.fields.extend(operation.fields);
        stored.index();
        if let Some(old) = self.by_id.insert(id, stored) {
            self.by_start.remove(&(old.start_micros, id));
        }
        self.by_start.insert((start_micros, id), ());
    }

    pub(super) fn requested_id(operation: &Operation) -> Option<Guid> {
        operation.id
    }

    pub(super) fn find(&self, id: Guid) -> Option<&StoredOperation> {
        self.by_id.get(&id)
    }

    pub(super) fn find_alias(&self, alias: &str) -> Option<&StoredOperation> {
        self.find(*self.by_alias.get(alias)?)
    }

    pub(super) fn remove(&mut self, id: Guid) {
        if let Some(old) = self.by_id.remove(&id) {
            self.by_start.remove(&(old.start_micros, id));
            self.by_alias.retain(|_, named| *named != id);
        }
    }

    pub(super) fn set_state(&mut self, id: Guid, state: &str) {
        let Some(operation) = self.by_id.get_mut(&id) else { return };
        state.clone_into(&mut operation.state);
        operation.fields.insert(b"state".to_vec(), state.into());
        if operation.is_finished() {
            let now = time::text(time::now_micros());
            operation.fields.insert(b"finish_time".to_vec(), now.into());
        }
        operation.index();
    }

    pub(super) fn set_annotations(&mut self, id: Guid, annotations: Yson) {
        if let Some(operation) = self.by_id.get_mut(&id) {
            operation.set_parameter("annotations", annotations);
        }
    }

    pub(super) fn set_acl(&mut self, id: Guid, acl: Yson) {
        if let Some(operation) = self.by_id.get_mut(&id) {
            let acl = full_acl(acl, &operation.user);
            operation.set_parameter("acl", acl);
        }
    }

    fn newest_first(&self) -> impl Iterator<Item = &StoredOperation> {
        self.by_start.keys().rev().filter_map(|(_, id)| self.by_id.get(id))
    }
}

/// An access list with the author in it, as the scheduler adds it.
fn full_acl(acl: Yson, author: &str) -> Yson {
    let mut entries = match acl.node {
        Node::List(entries) => entries,
        _ => Vec::new(),
    };
    entries.push(Yson::map([
        ("action", Yson::from("allow")),
        ("subjects", Yson::list([author])),
        ("permissions", Yson::list(["read", "manage"])),
    ]));
    entries.into()
}

fn fields(id: Guid, start_micros: i64, operation: &Operation) -> YsonMap {
    let mut brief_spec = YsonMap::new();
    for (name, value) in [("title", &operation.title), ("alias", &operation.alias)] {
        if let Some(value) = value {
            brief_spec.insert(name.into(), value.into());
        }
    }
    let mut spec = brief_spec.clone();
    spec.insert(b"pool".to_vec(), Yson::from(&operation.pool));
    let pools = Yson::map([("default", Yson::map([("pool", operation.pool.as_str())]))]);
    let mut parameters = YsonMap::from([
        (b"acl".to_vec(), full_acl(operation.acl.clone(), &operation.user)),
        (b"scheduling_options_per_pool_tree".to_vec(), pools),
    ]);
    if let Some(annotations) = &operation.annotations {
        spec.insert(b"annotations".to_vec(), annotations.clone());
        parameters.insert(b"annotations".to_vec(), annotations.clone());
    }
    let empty = || Yson::from(YsonMap::new());
    let named = [
        ("id", Yson::from(id)),
        ("state", Yson::from(&operation.state)),
        ("type", Yson::from(&operation.kind)),
        ("operation_type", Yson::from(&operation.kind)),
        ("authenticated_user", Yson::from(&operation.user)),
        ("start_time", time::text(start_micros).into()),
        ("brief_spec", brief_spec.into()),
        ("spec", Yson::from(spec.clone())),
        ("full_spec", Yson::from(spec.clone())),
        ("provided_spec", Yson::from(spec)),
        ("unrecognized_spec", empty()),
        ("runtime_parameters", parameters.into()),
        ("suspended", false.into()),
        ("events", Vec::new().into()),
        ("alerts", empty()),
        ("progress", empty()),
        ("brief_progress", empty()),
        ("task_names", Vec::new().into()),
        ("controller_features", empty()),
        ("slot_index_per_pool_tree", empty()),
        ("memory_usage", 0_i64.into()),
        ("has_failed_jobs", false.into()),
    ];
    named.into_iter().map(|(name, value)| (name.into(), value)).collect()
}
