//! All that the cluster knows.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::permissions::Rights;
use super::record::{Kind, Record, text};
use super::uuid::{ANONYMOUS_GROUP, ANONYMOUS_USER, SYSTEM, Uuids};

/// The state of the cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    records: BTreeMap<String, Record>,
    pub(super) uuids: Uuids,
    /// Microseconds since 1970, of the change before.
    moment: i64,
    /// Where programs in containers listen.
    pub(super) served: HashMap<(String, u16), SocketAddr>,
    /// `ExternalURL` of the service of containers.
    pub(super) external_url: String,
    /// The most items of a page, whatever is asked for.
    pub(super) page: usize,
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Asker {
    /// The token's record.
    pub(super) token: Record,
    /// The user's name.
    pub(super) user: String,
    /// What the user may do.
    pub(super) rights: Rights,
}

// === impl Cluster ===

impl Cluster {
    /// A cluster with the users and groups that every one has.
    pub(super) fn new(external_url: String) -> Self {
        let mut cluster = Self {
            records: BTreeMap::new(),
            uuids: Uuids::default(),
            moment: Timestamp::now().as_microsecond(),
            served: HashMap::new(),
            external_url,
            page: 1_000,
        };
        let user = |name: &str, admin: bool| json!({"username": name, "is_admin": admin, "is_active": true});
        cluster.add(SYSTEM, user("root", true));
        cluster.add(ANONYMOUS_USER, user("anonymous", false));
        cluster.add(ANONYMOUS_GROUP, json!({"name": "Anonymous users", "group_class": "role", "owner_uuid": SYSTEM}));
        cluster
    }

    /// The next moment, as records have it. No two are the same.
    pub(super) fn moment(&mut self) -> String {
        self.moment = Timestamp::now().as_microsecond().max(self.moment + 1);
        let moment = Timestamp::from_microsecond(self.moment).unwrap_or_default();
        moment.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
    }

    /// Adds a record with these fields; those that every record has are filled in.
    pub(super) fn add(&mut self, uuid: &str, fields: Value) {
        let moment = self.moment();
        let mut record = Record::new();
        let owner = if Kind::of_uuid(uuid) == Some(Kind::User) { SYSTEM } else { "" };
        for (field, value) in [("uuid", uuid), ("owner_uuid", owner), ("created_at", &moment), ("modified_at", &moment)]
        {
            record.insert(field.to_owned(), value.into());
        }
        if let Value::Object(fields) = fields {
            record.extend(fields);
        }
        self.records.insert(uuid.to_owned(), record);
    }

    /// Adds a record of a kind; its name.
    pub(super) fn add_new(&mut self, kind: Kind, fields: Value) -> String {
        let uuid = self.uuids.next(kind);
        self.add(&uuid, fields);
        uuid
    }

    /// Changes fields of a record, as that user.
    pub(super) fn change(&mut self, uuid: &str, by: &str, fields: Value) {
        let moment = self.moment();
        let Some(record) = self.records.get_mut(uuid) else { return };
        if let Value::Object(fields) = fields {
            record.extend(fields);
        }
        record.insert("modified_at".into(), moment.into());
        if Kind::of_uuid(uuid) != Some(Kind::Container) {
            record.insert("modified_by_user_uuid".into(), by.into());
        }
    }

    pub(super) fn remove(&mut self, uuid: &str) -> Option<Record> {
        self.records.remove(uuid)
    }

    pub(super) fn find(&self, uuid: &str) -> Option<&Record> {
        self.records.get(uuid)
    }

    /// All records of a kind.
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Record> {
        self.records.values().filter(move |record| Kind::of_uuid(text(record, "uuid")) == Some(kind))
    }

    /// The requests that a container runs for.
    pub(super) fn requests_of(&self, container: &str) -> impl Iterator<Item = &Record> {
        self.all(Kind::ContainerRequest).filter(move |request| text(request, "container_uuid") == container)
    }

    /// The record of a token that is good: `v2/UUID/SECRET`, or the secret alone.
    pub(super) fn token(&self, shown: &str) -> Option<&Record> {
        let (uuid, secret) = match shown.strip_prefix("v2/").and_then(|rest| rest.split_once('/')) {
            // What follows a second slash says for which container the token is.
            Some((uuid, secret)) => (Some(uuid), secret.split('/').next().unwrap_or_default()),
            None => (None, shown),
        };
        let now = Timestamp::now();
        let is_over = |token: &Record| text(token, "expires_at").parse::<Timestamp>().is_ok_and(|end| end <= now);
        self.all(Kind::ApiClientAuthorization).find(|token| {
            !secret.is_empty()
                && text(token, "api_token") == secret
                && uuid.is_none_or(|uuid| uuid == text(token, "uuid"))
                && !is_over(token)
        })
    }

    /// Who shows a token.
    pub(super) fn asker(&self, shown: &str) -> Option<Asker> {
        let token = self.token(shown)?.clone();
        let user = text(&token, "owner_uuid").to_owned();
        let is_there = self.find(&user).is_some();
        is_there.then(|| Asker { rights: Rights::of(self, &user), user, token })
    }

    /// A record, if it is of that kind and whoever asks may see it.
    pub(super) fn seen(&self, asker: &Asker, kind: Kind, uuid: &str) -> Option<&Record> {
        let record = self.find(uuid).filter(|_| Kind::of_uuid(uuid) == Some(kind))?;
        asker.rights.level(self, kind, record).map(|_| record)
    }
}
