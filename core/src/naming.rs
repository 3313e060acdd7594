//! How a service gets its id: the hash that users were promised, and what happens when it collides.
//!
//! The short id is the last 8 hex digits of SHA-256 over operation id, task name and service name,
//! written one after the other with nothing in between. That is YTsaurus Task proxy's rule, so names
//! that people have stored stay valid. 32 bits collide (by chance at tens of thousands of services,
//! on purpose within minutes), so an id can grow: it is a longer suffix of the same digest.

use sha2::{Digest as _, Sha256};

use crate::label::Label;

/// The task name of services that a path names: `/proxy/<operation>:<service>/`.
pub const PATH_TASK: &str = "proxy";
/// The name that such a service answers to where the path names none: `/proxy/<operation>/`.
pub const PATH_SERVICE: &str = "default";

/// How many hex digits an id may have: the short form first, longer ones for collisions.
pub const ID_LENGTHS: [usize; 3] = [8, 16, 32];

/// The digest that a service's ids are suffixes of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceDigest(String);

impl ServiceDigest {
    /// The digest of a service's three names.
    #[must_use]
    pub fn of(operation: &str, task: &str, service: &str) -> Self {
        let digest = Sha256::new().chain_update(operation).chain_update(task).chain_update(service).finalize();
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        Self(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
    }

    /// The id with `digits` hex digits: that many from the digest's end.
    #[must_use]
    pub fn suffix(&self, digits: usize) -> Option<Label> {
        let start = self.0.len().checked_sub(digits)?;
        self.0.get(start..).and_then(|text| Label::parse(text.as_bytes()).ok())
    }

    /// The ids this digest can have, shortest first.
    pub fn ids(&self) -> impl Iterator<Item = Label> + '_ {
        ID_LENGTHS.iter().filter_map(|digits| self.suffix(*digits))
    }

    /// The shortest id that `taken` does not claim; none where even the longest is claimed.
    ///
    /// Who asks first keeps the short name, so call this in the order in which services were first
    /// seen.
    pub fn first_free(&self, mut taken: impl FnMut(&Label) -> bool) -> Option<Label> {
        self.ids().find(|id| !taken(id))
    }
}

/// Whether a label could be the id of some service.
#[must_use]
pub fn is_like_an_id(label: &Label) -> bool {
    let text = label.as_str();
    ID_LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The host label of a name triple whose operation has an alias: `<alias>-<task>-<service>`.
///
/// None where the parts make no label, or where task or service has a `-` (the label is read from
/// the right, so only the alias may have one). `alias` is without the `*` that YTsaurus writes before
/// aliases. Different names never make the same label: nothing is stripped or folded here, so upper
/// case and another `*` make none.
#[must_use]
pub fn alias_label(alias: &str, task: &str, service: &str) -> Option<Label> {
    let folds = |name: &str| name.is_empty() || name.bytes().any(|byte| byte.is_ascii_uppercase());
    if [alias, task, service].into_iter().any(folds) || task.contains('-') || service.contains('-') {
        return None;
    }
    Label::parse(format!("{alias}-{task}-{service}").as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(operation: &str, task: &str, service: &str) -> String {
        ServiceDigest::of(operation, task, service).suffix(8).map(|id| id.to_string()).unwrap_or_default()
    }

    #[test]
    fn golden_vectors_of_the_task_proxy() {
        assert_eq!(short("a8ef7695-3de07913-5103e8-e29a6707", "example_grpc_server", "server"), "ae5cf6f5");
        assert_eq!(short("a6e04b98-bf982394-5103e8-55754a49", "master", "ui"), "2ef4261c");
        assert_eq!(short("a6e04b98-bf982394-5103e8-55754a49", "history", "ui"), "51a6d485");
    }

    #[test]
    fn a_collision_takes_a_longer_suffix_of_the_same_digest() {
        let digest = ServiceDigest::of("a8ef7695-3de07913-5103e8-e29a6707", "example_grpc_server", "server");
        let longer = digest.first_free(|id| id.as_str().len() == 8).map(|id| id.to_string()).unwrap_or_default();
        assert_eq!(longer.len(), 16);
        assert!(longer.ends_with("ae5cf6f5"));
        assert_eq!(digest.first_free(|_| true), None);
    }

    #[test]
    fn alias_labels_are_unambiguous() {
        let text = |alias, task, service| alias_label(alias, task, service).map(|label| label.to_string());
        assert_eq!(text("my-app", "web", "port_0"), Some("my-app-web-port_0".into()));
        assert_eq!(text("app", "we-b", "ui"), None);
        assert_eq!(text("app", "web", "u-i"), None);
        assert_eq!(text("", "web", "ui"), None);
        assert_eq!(text(&"a".repeat(60), "web", "ui"), None);
    }

    #[test]
    fn names_that_differ_make_labels_that_differ() {
        for (alias, task, service) in
            [("*app", "web", "ui"), ("App", "web", "ui"), ("app", "Web", "ui"), ("app", "web", "UI")]
        {
            assert_eq!(alias_label(alias, task, service), None, "{alias} {task} {service}");
        }
    }
}
