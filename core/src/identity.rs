//! Who a visitor is, as a job may be told.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The most bytes of a name, an address or a group.
pub const MAX_FIELD: usize = 256;
/// The most groups a job is told of.
pub const MAX_GROUPS: usize = 64;

/// A visitor whose credential was accepted.
///
/// Invariant: every text is at most [`MAX_FIELD`] bytes, not empty, and can stand in a header as it is
/// (no control characters, no space at an end); groups have no comma, since a comma separates them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    actor: Box<str>,
    email: Option<Box<str>>,
    groups: Box<str>,
    arvados_user_uuid: Option<Box<str>>,
}

/// What somebody else says a visitor is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireIdentity {
    /// Login name.
    pub actor: String,
    /// Mail address.
    pub email: Option<String>,
    /// Groups.
    pub groups: Vec<String>,
    /// The UUID by which Arvados knows the visitor; none on other platforms.
    pub arvados_user_uuid: Option<String>,
}

/// Why a visitor can't be told to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidIdentity {
    /// The login name can't stand in a header.
    #[error("login name is empty, too long or has characters that no header may have")]
    Actor,
    /// The mail address can't.
    #[error("mail address is empty, too long or has characters that no header may have")]
    Email,
    /// The user's UUID in Arvados can't.
    #[error("Arvados user UUID is empty, too long or has characters that no header may have")]
    ArvadosUserUuid,
}

impl Identity {
    /// Login name.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Mail address.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Groups, separated by commas; empty where there are none.
    #[must_use]
    pub fn groups(&self) -> &str {
        &self.groups
    }

    /// The UUID by which Arvados knows the visitor.
    #[must_use]
    pub fn arvados_user_uuid(&self) -> Option<&str> {
        self.arvados_user_uuid.as_deref()
    }

    /// The same to be told to somebody else.
    #[must_use]
    pub fn to_wire(&self) -> WireIdentity {
        let groups = self.groups.split(',').filter(|group| !group.is_empty());
        WireIdentity {
            actor: self.actor.as_ref().into(),
            email: self.email.as_deref().map(Into::into),
            groups: groups.map(Into::into).collect(),
            arvados_user_uuid: self.arvados_user_uuid.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<WireIdentity> for Identity {
    type Error = InvalidIdentity;

    /// A group that can't stand in a header is left out: it would give the job less, never more.
    fn try_from(wire: WireIdentity) -> Result<Self, InvalidIdentity> {
        if !is_header_text(&wire.actor) {
            return Err(InvalidIdentity::Actor);
        }
        if wire.email.as_deref().is_some_and(|email| !is_header_text(email)) {
            return Err(InvalidIdentity::Email);
        }
        if wire.arvados_user_uuid.as_deref().is_some_and(|uuid| !is_header_text(uuid)) {
            return Err(InvalidIdentity::ArvadosUserUuid);
        }
        let groups: Vec<&str> = wire
            .groups
            .iter()
            .map(String::as_str)
            .filter(|group| is_header_text(group) && !group.contains(','))
            .take(MAX_GROUPS)
            .collect();
        Ok(Self {
            groups: groups.join(",").into(),
            email: wire.email.map(Into::into),
            arvados_user_uuid: wire.arvados_user_uuid.map(Into::into),
            actor: wire.actor.into(),
        })
    }
}

pub(crate) fn is_header_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_FIELD && text.trim_ascii() == text && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_a_header_can_carry() {
        let wire = WireIdentity {
            actor: "älice".into(),
            email: Some("a@example.test".into()),
            groups: vec!["ml".into(), "a,b".into(), "x\ny".into(), String::new(), "ops".into()],
            arvados_user_uuid: Some("zzzzz-tpzed-000000000000000".into()),
        };
        let identity = Identity::try_from(wire).expect("valid");
        assert_eq!(
            (identity.actor(), identity.email(), identity.groups()),
            ("älice", Some("a@example.test"), "ml,ops")
        );
        assert_eq!(identity.arvados_user_uuid(), Some("zzzzz-tpzed-000000000000000"));
        assert_eq!(Identity::try_from(identity.to_wire()), Ok(identity));
    }

    #[test]
    fn refuses_names_that_would_break_a_header() {
        for actor in ["", " a", "a\r\nx: 1", "a\0", &"a".repeat(257)] {
            let wire = WireIdentity { actor: actor.into(), ..WireIdentity::default() };
            assert_eq!(Identity::try_from(wire), Err(InvalidIdentity::Actor), "{actor:?}");
        }
        let wire = WireIdentity { actor: "a".into(), email: Some("a\nb".into()), ..WireIdentity::default() };
        assert_eq!(Identity::try_from(wire), Err(InvalidIdentity::Email));
        let wire = WireIdentity { actor: "a".into(), arvados_user_uuid: Some("\n".into()), ..WireIdentity::default() };
        assert_eq!(Identity::try_from(wire), Err(InvalidIdentity::ArvadosUserUuid));
    }
}
