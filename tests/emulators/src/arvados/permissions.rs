//! Who may do what: users, groups, owners, and links of class `permission`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cluster::Cluster;
use super::record::{Kind, Record, text};
use super::uuid::{ANONYMOUS_GROUP, SYSTEM};

/// How much somebody may do with something; the higher includes the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// May look at it.
    Read,
    /// May change it.
    Write,
    /// May share it.
    Manage,
}

// === impl Level ===

impl Level {
    /// How a link says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "can_read",
            Self::Write => "can_write",
            Self::Manage => "can_manage",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Manage].into_iter().find(|level| level.name() == name)
    }
}

/// What one user may do.
#[derive(Debug)]
pub(super) struct Rights {
    user: String,
    is_admin: bool,
    /// People and groups, by what the user may do with what is theirs, and what links name directly.
    reached: BTreeMap<String, Level>,
}

// === impl Rights ===

impl Rights {
    /// The rights of a user, worked out anew.
    pub(super) fn of(cluster: &Cluster, user: &str) -> Self {
        let is_admin = user == SYSTEM
            || cluster.find(user).and_then(|user| user.get("is_admin")).and_then(Value::as_bool) == Some(true);
        let mut reached = BTreeMap::from([(user.to_owned(), Level::Manage), (ANONYMOUS_GROUP.to_owned(), Level::Read)]);
        loop {
            let mut found: Vec<(String, Level)> = Vec::new();
            for link in cluster.all(Kind::Link).filter(|link| text(link, "link_class") == "permission") {
                let tail = reached.get(text(link, "tail_uuid"));
                if let (Some(tail), Some(level)) = (tail, Level::parse(text(link, "name"))) {
                    // A role passes on what it has; a membership is itself a permission to read.
                    let level = if is_role(cluster, text(link, "tail_uuid")) { level } else { level.min(*tail) };
                    found.push((text(link, "head_uuid").to_owned(), level));
                }
            }
            for group in cluster.all(Kind::Group) {
                if let Some(level) = reached.get(text(group, "owner_uuid")) {
                    found.push((text(group, "uuid").to_owned(), *level));
                }
            }
            let mut is_changed = false;
            for (uuid, level) in found {
                if reached.get(&uuid).is_none_or(|known| *known < level) {
                    reached.insert(uuid, level);
                    is_changed = true;
                }
            }
            if !is_changed {
                return Self { user: user.to_owned(), is_admin, reached };
            }
        }
    }

    /// Whether the user is an administrator.
    pub(super) const fn is_admin(&self) -> bool {
        self.is_admin
    }

    /// What the user may do with a record; none where it may not even be seen.
    pub(super) fn level(&self, cluster: &Cluster, kind: Kind, record: &Record) -> Option<Level> {
        if self.is_admin {
            return Some(Level::Manage);
        }
        let uuid = text(record, "uuid");
        match kind {
            // Somebody's tokens are theirs alone.
            Kind::ApiClientAuthorization => (text(record, "owner_uuid") == self.user).then_some(Level::Manage),
            Kind::Container => {
                let mut requests = cluster.requests_of(uuid);
                requests
                    .any(|request| self.level(cluster, Kind::ContainerRequest, request).is_some())
                    .then_some(Level::Read)
            }
            Kind::Link if text(record, "link_class") == "permission" => {
                let is_mine = ["tail_uuid", "head_uuid"].iter().any(|end| text(record, end) == self.user);
                let manages = self.reached.get(text(record, "head_uuid")) == Some(&Level::Manage);
                if manages { Some(Level::Manage) } else { is_mine.then_some(Level::Read) }
            }
            Kind::ContainerRequest | Kind::Group | Kind::Link | Kind::User => {
                self.reached.get(uuid).max(self.reached.get(text(record, "owner_uuid"))).copied()
            }
        }
    }

    /// What the table of permissions has: people, groups, and what links name directly.
    pub(super) fn table(&self) -> impl Iterator<Item = (&str, Level)> {
        self.reached.iter().map(|(uuid, level)| (uuid.as_str(), *level))
    }
}

fn is_role(cluster: &Cluster, uuid: &str) -> bool {
    cluster.find(uuid).is_some_and(|group| text(group, "group_class") == "role")
}
