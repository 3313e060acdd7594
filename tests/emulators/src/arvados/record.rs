//! Kinds of records, and what their fields are.

use serde_json::{Map, Value};

/// A record: fields by name.
pub(super) type Record = Map<String, Value>;

/// A kind of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Tokens.
    ApiClientAuthorization,
    /// What runs.
    Container,
    /// What somebody asked for.
    ContainerRequest,
    /// Projects and roles.
    Group,
    /// Permissions and names, among others.
    Link,
    /// People.
    User,
}

// === impl Kind ===

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 6] =
        [Self::ApiClientAuthorization, Self::Container, Self::ContainerRequest, Self::Group, Self::Link, Self::User];

    /// The middle part of its names.
    pub(super) const fn infix(self) -> &'static str {
        match self {
            Self::ApiClientAuthorization => "gj3su",
            Self::Container => "dz642",
            Self::ContainerRequest => "xvhdp",
            Self::Group => "j7d0g",
            Self::Link => "o0j2j",
            Self::User => "tpzed",
        }
    }

    /// Where it is in the API.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::ApiClientAuthorization => "api_client_authorizations",
            Self::Container => "containers",
            Self::ContainerRequest => "container_requests",
            Self::Group => "groups",
            Self::Link => "links",
            Self::User => "users",
        }
    }

    /// How one is called in a request.
    pub(super) const fn singular(self) -> &'static str {
        match self {
            Self::ApiClientAuthorization => "api_client_authorization",
            Self::Container => "container",
            Self::ContainerRequest => "container_request",
            Self::Group => "group",
            Self::Link => "link",
            Self::User => "user",
        }
    }

    /// How one is called in an answer.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ApiClientAuthorization => "arvados#apiClientAuthorization",
            Self::Container => "arvados#container",
            Self::ContainerRequest => "arvados#containerRequest",
            Self::Group => "arvados#group",
            Self::Link => "arvados#link",
            Self::User => "arvados#user",
        }
    }

    /// The fields of its records, as far as they are played here.
    pub(super) const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::ApiClientAuthorization => {
                &["uuid", "owner_uuid", "api_token", "scopes", "expires_at", "created_at", "modified_at"]
            }
            Self::Container => &[
                "uuid",
                "owner_uuid",
                "created_at",
                "modified_at",
                "modified_by_user_uuid",
                "state",
                "started_at",
                "finished_at",
                "service",
                "published_ports",
                "gateway_address",
                "auth_uuid",
                "runtime_user_uuid",
                "priority",
                "command",
            ],
            Self::ContainerRequest => &[
                "uuid",
                "owner_uuid",
                "created_at",
                "modified_at",
                "modified_by_user_uuid",
                "name",
                "description",
                "properties",
                "state",
                "priority",
                "container_uuid",
                "service",
                "use_existing",
                "published_ports",
                "command",
            ],
            Self::Group => &[
                "uuid",
                "owner_uuid",
                "created_at",
                "modified_at",
                "modified_by_user_uuid",
                "name",
                "group_class",
                "can_write",
                "can_manage",
            ],
            Self::Link => &[
                "uuid",
                "owner_uuid",
                "created_at",
                "modified_at",
                "modified_by_user_uuid",
                "link_class",
                "name",
                "tail_uuid",
                "head_uuid",
                "properties",
            ],
            Self::User => &[
                "uuid",
                "owner_uuid",
                "created_at",
                "modified_at",
                "username",
                "email",
                "full_name",
                "is_admin",
                "is_active",
                "can_write",
                "can_manage",
            ],
        }
    }

    /// The fields that are worked out for whoever asks.
    pub(super) fn is_computed(self, field: &str) -> bool {
        matches!(self, Self::Group | Self::User) && matches!(field, "can_write" | "can_manage")
    }

    /// The kind that such a name is of.
    pub(super) fn of_uuid(uuid: &str) -> Option<Self> {
        let infix = uuid.split('-').nth(1)?;
        Self::ALL.into_iter().find(|kind| kind.infix() == infix)
    }
}

/// A field as text; empty where it is none.
pub(super) fn text<'a>(record: &'a Record, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or_default()
}
