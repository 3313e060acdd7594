//! Who may do what with an operation.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::ytsaurus::commands::Read;

/// Whether a user has a permission on an operation.
#[derive(Clone, Debug)]
pub struct CheckOperationPermission<'a> {
    /// The operation.
    pub operation: &'a str,
    /// The user.
    pub user: &'a str,
    /// `read`, `manage` or `administer`.
    pub permission: &'static str,
}

/// Whether a list of entries gives a user a permission: for servers that know no better.
#[derive(Clone, Debug)]
pub struct CheckPermissionByAcl<'a> {
    /// The user.
    pub user: &'a str,
    /// The permission.
    pub permission: &'static str,
    /// The list, as the cluster gave it.
    pub acl: &'a RawValue,
}

/// A yes or a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Yes.
    Allow,
    /// No.
    Deny,
}

/// An answer with a yes or a no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Permission {
    /// Which.
    pub action: Action,
}

impl Read for CheckOperationPermission<'_> {
    type Output = Permission;
    const COMMAND: &'static str = "check_operation_permission";

    fn parameters(&self) -> Value {
        json!({"operation_id": self.operation, "user": self.user, "permission": self.permission})
    }
}

impl Read for CheckPermissionByAcl<'_> {
    type Output = Permission;
    const COMMAND: &'static str = "check_permission_by_acl";

    fn parameters(&self) -> Value {
        // What came as bytes in characters is decoded first, for all parameters are encoded alike.
        let acl = serde_json::from_str(self.acl.get()).map_or(Value::Null, crate::ytsaurus::text::decode_value);
        json!({"user": self.user, "permission": self.permission, "acl": acl})
    }
}
