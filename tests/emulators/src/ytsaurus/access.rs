//! Who there is and what they may do: users, groups, tokens, cookies, access lists, denials.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{ClusterError, codes};
use crate::yson::Yson;

/// The user that may do everything, and that everybody is on a cluster without authentication.
pub(super) const ROOT: &str = "root";
const SUPERUSERS: &str = "superusers";
/// Groups that everybody is in.
const EVERYBODY: [&str; 2] = ["everyone", "users"];

/// Users and their rights.
#[derive(Default)]
pub(super) struct Access {
    users: BTreeSet<String>,
    banned: BTreeSet<String>,
    groups: BTreeMap<String, BTreeSet<String>>,
    tokens: BTreeMap<String, String>,
    cookies: BTreeMap<String, String>,
    denials: Vec<Denial>,
}

/// Something under a path that a user may not do.
struct Denial {
    user: String,
    permission: String,
    path: String,
}

/// What an access list says about a user.
pub(super) struct Ruling {
    /// Whether the user may.
    pub(super) is_allowed: bool,
    /// Who in the list decided it.
    pub(super) subject: Option<String>,
}

// === impl Access ===

impl Access {
    pub(super) fn add_user(&mut self, login: &str) {
        self.users.insert(login.to_owned());
    }

    pub(super) fn add_token(&mut self, login: &str, token: &str) {
        self.add_user(login);
        self.tokens.insert(token.to_owned(), login.to_owned());
    }

    pub(super) fn revoke_token(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    pub(super) fn add_cookie(&mut self, login: &str, cookie: &str) {
        self.add_user(login);
        self.cookies.insert(cookie.to_owned(), login.to_owned());
    }

    pub(super) fn revoke_cookie(&mut self, cookie: &str) {
        self.cookies.remove(cookie);
    }

    pub(super) fn add_member(&mut self, group: &str, member: &str) {
        self.groups.entry(group.to_owned()).or_default().insert(member.to_owned());
    }

    pub(super) fn remove_member(&mut self, group: &str, member: &str) {
        if let Some(members) = self.groups.get_mut(group) {
            members.remove(member);
        }
    }

    pub(super) fn set_superuser(&mut self, login: &str, is_superuser: bool) {
        if is_superuser {
            self.add_member(SUPERUSERS, login);
        } else {
            self.remove_member(SUPERUSERS, login);
        }
    }

    pub(super) fn set_banned(&mut self, login: &str, is_banned: bool) {
        if is_banned {
            self.banned.insert(login.to_owned());
        } else {
            self.banned.remove(login);
        }
    }

    pub(super) fn deny(&mut self, user: &str, permission: &str, path: &str) {
        let denial = Denial { user: user.to_owned(), permission: permission.to_owned(), path: path.to_owned() };
        self.denials.push(denial);
    }

    pub(super) fn stop_denying(&mut self, user: &str, path: &str) {
        self.denials.retain(|denial| denial.user != user || denial.path != path);
    }

    pub(super) fn token_holder(&self, token: &str) -> Option<&str> {
        self.tokens.get(token).map(String::as_str)
    }

    pub(super) fn cookie_holder(&self, cookie: &str) -> Option<&str> {
        self.cookies.get(cookie).map(String::as_str)
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().map(String::as_str)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str).chain(EVERYBODY)
    }

    pub(super) fn is_banned(&self, user: &str) -> bool {
        self.banned.contains(user)
    }

    pub(super) fn is_superuser(&self, user: &str) -> bool {
        user == ROOT || self.closure(user).contains(SUPERUSERS)
    }

    /// A user must exist.
    pub(super) fn known(&self, user: &str) -> Result<(), ClusterError> {
        let is_known = user == ROOT || self.users.contains(user) || self.groups.contains_key(user);
        is_known.then_some(()).ok_or_else(|| {
            let reason = ClusterError::generic(format!("No such user \"{user}\""));
            ClusterError::new(codes::RESOLVE, format!("Error checking permissions of \"{user}\"")).because(reason)
        })
    }

    /// The user with all groups it is in, directly or not.
    fn closure<'a>(&'a self, user: &'a str) -> BTreeSet<&'a str> {
        let mut closure: BTreeSet<&str> = EVERYBODY.into_iter().chain([user]).collect();
        loop {
            let more: Vec<&str> = self
                .groups
                .iter()
                .filter(|(group, members)| {
                    !closure.contains(group.as_str()) && members.iter().any(|member| closure.contains(member.as_str()))
                })
                .map(|(group, _)| group.as_str())
                .collect();
            if more.is_empty() {
                return closure;
            }
            closure.extend(more);
        }
    }

    /// What an access list says. Denials come before permissions; who is not in it may not.
    pub(super) fn check(&self, acl: &Yson, user: &str, permission: &str) -> Ruling {
        if self.is_superuser(user) {
            return Ruling { is_allowed: true, subject: Some(user.to_owned()) };
        }
        let closure = self.closure(user);
        let entries = acl.as_list().unwrap_or_default();
        let found = |action: &str| {
            entries.iter().filter(|entry| entry.at(&["action"]).and_then(Yson::as_str) == Some(action)).find_map(
                |entry| {
                    has(entry.field("permissions"), &[permission]).then_some(())?;
                    let subjects = entry.field("subjects")?.as_list()?.iter().filter_map(Yson::as_str);
                    subjects.into_iter().find(|subject| closure.contains(subject)).map(str::to_owned)
                },
            )
        };
        if let Some(subject) = found("deny") {
            return Ruling { is_allowed: false, subject: Some(subject) };
        }
        let subject = found("allow");
        Ruling { is_allowed: subject.is_some(), subject }
    }

    /// Fails if the user may not do that to that path or to what it is under.
    pub(super) fn permit(&self, user: &str, permission: &str, path: &str) -> Result<(), ClusterError> {
        match self.denial(user, permission, path) {
            None => Ok(()),
            Some(denied) => Err(ClusterError::new(
                codes::ACCESS_DENIED,
                format!(
                    "Access denied for user \"{user}\": \"{permission}\" permission for node {path} is denied for \
                     \"{user}\" by ACE at node {denied}"
                ),
            )
            .with("permission", permission)
            .with("user", user)
            .with("path", path)),
        }
    }

    /// The path whose access list denies it, if any.
    pub(super) fn denial(&self, user: &str, permission: &str, path: &str) -> Option<&str> {
        if self.denials.is_empty() || self.is_superuser(user) {
            return None;
        }
        let applies = |denial: &&Denial| {
            denial.user == user
                && denial.permission == permission
                && path.strip_prefix(&denial.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.denials.iter().find(applies).map(|denial| denial.path.as_str())
    }
}

/// Whether a list has any of the texts.
fn has(list: Option<&Yson>, texts: &[&str]) -> bool {
    let items = list.and_then(Yson::as_list).unwrap_or_default();
    items.iter().filter_map(Yson::as_str).any(|item| texts.contains(&item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let mut access = Access::default();
        for user in ["alice", "bob", "carol"] {
            access.add_user(user);
        }
        access.add_member("inner", "bob");
        access.add_member("outer", "inner");
        access
    }

    fn acl() -> Yson {
        Yson::parse(
            "[{action=allow;subjects=[alice;outer];permissions=[read;manage]};\
              {action=deny;subjects=[bob];permissions=[manage]}]",
        )
        .unwrap()
    }

    #[test]
    fn goes_by_the_list_and_by_groups() {
        let mut access = access();
        let check = |access: &Access, user, permission| access.check(&acl(), user, permission).is_allowed;
        assert!(check(&access, "alice", "read"));
        assert!(check(&access, "bob", "read"), "through two groups");
        assert!(!check(&access, "bob", "manage"), "a denial wins");
        assert!(!check(&access, "carol", "read"));
        assert!(!check(&access, "alice", "administer"));
        access.set_superuser("carol", true);
        assert!(check(&access, "carol", "administer"));
        assert!(check(&access, "root", "read"));
    }

    #[test]
    fn everybody_is_a_group() {
        let acl = Yson::parse("[{action=allow;subjects=[everyone];permissions=[read]}]").unwrap();
        let ruling = access().check(&acl, "carol", "read");
        assert_eq!((ruling.is_allowed, ruling.subject.as_deref()), (true, Some("everyone")));
    }

    #[test]
    fn denials_hold_for_what_is_below() {
        let mut access = access();
        access.deny("alice", "read", "//home/x");
        assert!(access.permit("alice", "read", "//home/x/y").is_err());
        assert!(access.permit("alice", "read", "//home/x").is_err());
        assert!(access.permit("alice", "read", "//home/xy").is_ok());
        assert!(access.permit("alice", "write", "//home/x").is_ok());
        assert!(access.permit("bob", "read", "//home/x").is_ok());
        access.stop_denying("alice", "//home/x");
        assert!(access.permit("alice", "read", "//home/x").is_ok());
    }
}
