//! Who asks, and what they may do in a project.
//!
//! A caller is known by a credential that a back end of [`Callers`] vouches for. Headers that only say a name
//! (`x-forwarded-user` and the like) are never believed: anybody can write them.

mod credential;
pub mod gate;
pub mod judge;

use std::fmt;

use async_trait::async_trait;
use http::HeaderMap;

use crate::data::catalog::Members;
use crate::data::error::DataError;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The login name.
    pub user: String,
    /// The groups they are in.
    pub groups: Vec<String>,
    /// The mail address, where it is known.
    pub email: Option<String>,
    /// The UUID by which Arvados knows them.
    pub arvados_user_uuid: Option<String>,
    /// What the request is called in logs.
    pub request_id: String,
}

/// What knows callers by their credentials.
#[async_trait]
pub trait Callers: fmt::Debug + Send + Sync + 'static {
    /// Who asks. [`DataError::Unauthenticated`] where nobody that is known does, [`DataError::Unavailable`] where
    /// that can't be said now.
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError>;
}

/// Whether a caller is one of them.
#[must_use]
pub fn includes(members: &Members, caller: &Caller) -> bool {
    members.everyone
        || members.users.contains(&caller.user)
        || caller.groups.iter().any(|group| members.groups.contains(group))
}
