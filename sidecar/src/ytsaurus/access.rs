//! Who may use the services of an operation: the cluster says, the robot asks.
//!
//! A visitor who may read an operation may use its services; where the operation wants more, who may
//! manage it. Everybody can list operations, so a no hides nothing. Whatever is neither a yes nor a no of
//! the cluster's is "can't be said now".

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::value::RawValue;
use taskgate_core::service::AccessLevel;
use tokio::time::Instant;

use crate::auth::actor::Actor;
use crate::discovery::inventory::Entry;
use crate::discovery::policy::{Authorisation, Policy};
use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::permissions::{Action, CheckOperationPermission, CheckPermissionByAcl, Permission};

/// How long the cluster may take to say yes or no, with all attempts.
const TIME: Duration = Duration::from_secs(2);
/// How long a cluster without `check_operation_permission` is not asked for it again. It may be renewed.
const OLD_FOR: Duration = Duration::from_secs(600);
/// What is asked for a service that anyone may use who may look at the operation.
const READ: &str = "read";
/// What is asked for a service that wants more.
const MANAGE: &str = "manage";

/// The access lists of operations, as discovery saw them last.
#[derive(Debug, Default)]
pub struct Acls {
    of_operations: ArcSwap<HashMap<String, Arc<RawValue>>>,
}

/// What asks the cluster who may use an operation's services.
#[derive(Debug)]
pub struct Access {
    client: Client,
    acls: Arc<Acls>,
    /// Until when the cluster counts as too old for `check_operation_permission`.
    old_until: Mutex<Option<Instant>>,
}

/// Why there is neither a yes nor a no.
enum NoAnswer {
    /// The call failed.
    Call(CallError),
    /// The cluster is old, and the operation's access list is not known.
    NoAcl,
}

impl Acls {
    /// These are the lists now, by operation.
    pub fn replace(&self, of_operations: HashMap<String, Arc<RawValue>>) {
        self.of_operations.store(Arc::new(of_operations));
    }

    /// The list of an operation, where it has one of its own.
    #[must_use]
    pub fn of(&self, operation: &str) -> Option<Arc<RawValue>> {
        self.of_operations.load().get(operation).cloned()
    }
}

impl Access {
    /// What asks through that client, as the robot. Clusters that know no better are shown `acls`.
    #[must_use]
    pub fn new(client: Client, acls: Arc<Acls>) -> Self {
        Self { client, acls, old_until: Mutex::default() }
    }

    /// Whether an actor may use a service.
    pub async fn authorise(&self, service: &Entry, actor: &Actor) -> Authorisation {
        let permission = match service.policy.access {
            AccessLevel::CanRead => READ,
            AccessLevel::CanManage | AccessLevel::CanWrite => MANAGE,
            AccessLevel::Nobody | AccessLevel::Owner | AccessLevel::Public => {
                return without_asking(&service.policy, actor);
            }
        };
        match self.check(&service.key.operation, actor.name(), permission).await {
            Ok(Permission { action: Action::Allow }) => Authorisation::Allow,
            Ok(Permission { action: Action::Deny }) => Authorisation::AccessDenied,
            Err(NoAnswer::Call(CallError::Refused(error))) if error.has(code::NO_SUCH_OPERATION) => {
                Authorisation::UnknownService
            }
            Err(NoAnswer::Call(error)) if is_unknown(&error, actor.name()) => Authorisation::AccessDenied,
            Err(NoAnswer::Call(CallError::Credential(error))) => {
                Authorisation::Unavailable(format!("the cluster rejects the robot's token: {error}"))
            }
            Err(NoAnswer::Call(error)) => {
                Authorisation::Unavailable(format!("the cluster can't say who may use the operation: {error}"))
            }
            Err(NoAnswer::NoAcl) => {
                let reason = "the cluster knows no `check_operation_permission`, and the operation has no access list \
                              of its own";
                Authorisation::Unavailable(reason.into())
            }
        }
    }

    async fn check(&self, operation: &str, user: &str, permission: &'static str) -> Result<Permission, NoAnswer> {
        let deadline = Instant::now() + TIME;
        if !self.is_old() {
            match self.client.inquire(&CheckOperationPermission { operation, user, permission }, deadline).await {
                Err(error) if error.is_unknown_command() => self.is_found_old(),
                result => return result.map_err(NoAnswer::Call),
            }
        }
        let acl = self.acls.of(operation).ok_or(NoAnswer::NoAcl)?;
        let command = CheckPermissionByAcl { user, permission, acl: &acl };
        self.client.inquire(&command, deadline).await.map_err(NoAnswer::Call)
    }

    fn is_old(&self) -> bool {
        let until = *self.old_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn is_found_old(&self) {
        let until = Instant::now() + OLD_FOR;
        if self.old_until.lock().unwrap_or_else(PoisonError::into_inner).replace(until).is_none() {
            tracing::info!("the cluster knows no `check_operation_permission`; it is shown operations' access lists");
        }
    }
}

/// What names alone decide.
fn without_asking(policy: &Policy, actor: &Actor) -> Authorisation {
    match policy.authorise(actor) {
        Authorisation::UnknownService => Authorisation::AccessDenied,
        decided => decided,
    }
}

/// Whether the cluster says that there is no such user: someone whose credential has outlived them.
fn is_unknown(error: &CallError, user: &str) -> bool {
    // The second is how a name is written where it is not escaped.
    let texts = [quoted(user), format!("\"{user}\"")].map(|name| format!("No such user {name}"));
    let (CallError::Credential(error) | CallError::Refused(error)) = error else { return false };
    texts.iter().any(|text| error.says(text))
}

/// A name as the cluster quotes it (`%Qv`): what is not ASCII is escaped, byte by byte.
fn quoted(name: &str) -> String {
    let bytes = name.bytes().map(|byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    });
    format!("\"{}\"", bytes.collect::<String>())
}

#[cfg(test)]
mod tests {
    use taskgate_core::identity::WireIdentity;

    use super::*;
    use crate::ytsaurus::client::error::YtError;

    fn actor(name: &str) -> Actor {
        Actor::new(WireIdentity { actor: name.into(), ..WireIdentity::default() }, None).expect("an actor")
    }

    #[test]
    fn names_decide_about_owners_alone() {
        let policy = |access| Policy { access, owner: Some("alice".into()), grants: Vec::new(), revision: 0 };
        let decided = |access, name| without_asking(&policy(access), &actor(name));
        assert_eq!(decided(AccessLevel::Owner, "alice"), Authorisation::Allow);
        for name in ["bob", "Alice", "alice2"] {
            assert_eq!(decided(AccessLevel::Owner, name), Authorisation::AccessDenied, "{name}");
        }
        assert_eq!(decided(AccessLevel::Nobody, "alice"), Authorisation::AccessDenied);
        assert_eq!(decided(AccessLevel::Nobody, "bob"), Authorisation::AccessDenied);
        assert_eq!(decided(AccessLevel::Public, "bob"), Authorisation::Allow);
        let nobodys = Policy { owner: None, ..policy(AccessLevel::Owner) };
        assert_eq!(without_asking(&nobodys, &actor("alice")), Authorisation::AccessDenied);
    }

    #[test]
    fn who_is_unknown_is_told_from_a_robot_that_is() {
        let inner = YtError::new(code::AUTHENTICATION, "No such user \"bob\"; create user by requesting any IDM role");
        let error = YtError { inner_errors: vec![inner], ..YtError::new(1, "Error checking permission") };
        assert!(is_unknown(&CallError::Credential(error.clone()), "bob"));
        assert!(
            !is_unknown(&CallError::Credential(error.clone()), "bo") && !is_unknown(&CallError::Refused(error), "")
        );
        // The cluster writes names so, and so in bytes.
        for (name, text) in [
            ("б\u{e9}", r#""\xd0\xb1\xc3\xa9""#),
            ("б\u{e9}", "\"Ð±Ã©\""),
            ("a\\\"b", r#""a\\\"b""#),
            ("a b", r#""a b""#),
        ] {
            let error = CallError::Refused(YtError::new(code::GENERIC, format!("No such user {text}")));
            assert!(is_unknown(&error, name) && !is_unknown(&error, "a") && !is_unknown(&error, "б"), "{text}");
        }
        let robot = YtError::new(code::AUTHENTICATION, "Token was not recognized");
        assert!(!is_unknown(&CallError::Credential(robot), "bob"));
    }

    #[test]
    fn lists_are_replaced_whole() {
        let acls = Acls::default();
        let list = |text: &str| -> Arc<RawValue> { RawValue::from_string(text.into()).expect("JSON").into() };
        acls.replace(HashMap::from([("a".into(), list("[1]")), ("b".into(), list("[2]"))]));
        assert_eq!(acls.of("b").map(|acl| acl.get().to_owned()).as_deref(), Some("[2]"));
        acls.replace(HashMap::from([("a".into(), list("[3]"))]));
        assert!(acls.of("b").is_none() && acls.of("a").is_some_and(|acl| acl.get() == "[3]"));
    }
}
