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
        let groups: Vec<&str> = wire
            .groups
            .iter()
            .map(String::as_str)
            .filter(|group| is_header_text(group) && !group.contains(','))
            .take(MAX_GROUPS)
            .collect();
        Ok(Self { groups: groups.join(",").into(), email: wire.email.map(Into::into), actor: wire.actor.into() })
    }
}

fn is_header_text(text: &str) -> bool {
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
        };
        let identity = Identity::try_from(wire).expect("valid");
        assert_eq!(
            (identity.actor(), identity.email(), identity.groups()),
            ("älice", Some("a@example.test"), "ml,ops")
        );
    }

    #[test]
    fn refuses_names_that_would_break_a_header() {
        for actor in ["", " a", "a\r\nx: 1", "a\0", &"a".repeat(257)] {
            let wire = WireIdentity { actor: actor.into(), ..WireIdentity::default() };
            assert_eq!(Identity::try_from(wire), Err(InvalidIdentity::Actor), "{actor:?}");
        }
        let wire = WireIdentity { actor: "a".into(), email: Some("a\nb".into()), groups: vec![] };
        assert_eq!(Identity::try_from(wire), Err(InvalidIdentity::Email));
    }
}
