//! A running operation, as far as its services go.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use taskgate_core::service::{AccessLevel, MAX_NAME};

use crate::digest::Digest;
use crate::discovery::policy::Policy;
use crate::ytsaurus::client::guid;
use crate::ytsaurus::discovery::annotation::{self, Annotation};
use crate::ytsaurus::discovery::spark::{self, Spark};
use crate::ytsaurus::text;

/// The most reasons of one operation that are kept.
const MAX_REASONS: usize = 20;

/// A running operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// Its alias, without the leading `*`. Only one that nothing is folded or stripped of to make a label: in the
    /// cluster `*app`, `*App` and `**app` are three, which must not want one label.
    pub alias: Option<String>,
    /// Who started it.
    pub owner: Option<String>,
    /// Who may do what with it, as the cluster gave it.
    pub acl: Option<Arc<RawValue>>,
    /// What it offers.
    pub offer: Offer,
}

/// What an operation offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// What its annotation says.
    Annotated(Annotation),
    /// The services of a SPYT cluster or driver.
    Spark(Spark),
}

/// An operation out of a page.
#[derive(Clone, Debug)]
pub struct ReadOperation {
    /// Its id.
    pub id: String,
    /// When it started.
    pub started: Option<Timestamp>,
    /// The operation; none: it offers nothing.
    pub operation: Option<Operation>,
    /// What is wrong with what it offers.
    pub reasons: Vec<String>,
}

/// What of an operation is read first: its users can't spoil it.
#[derive(Deserialize)]
struct Head<'a> {
    id: String,
    #[serde(borrow)]
    start_time: Option<&'a RawValue>,
}

/// The rest.
#[derive(Deserialize)]
struct Body<'a> {
    authenticated_user: Option<String>,
    brief_spec: Option<Map<String, Value>>,
    #[serde(borrow)]
    runtime_parameters: Option<Runtime<'a>>,
}

#[derive(Deserialize)]
struct Runtime<'a> {
    annotations: Option<Value>,
    #[serde(borrow)]
    acl: Option<&'a RawValue>,
}

impl Operation {
    /// Who may use its services: whoever may read it. Its list of who may do what is part of the revision.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            access: AccessLevel::CanRead,
            owner: self.owner.clone(),
            grants: Vec::new(),
            revision: self.acl.as_ref().map_or(0, |acl| Digest::of(acl.get().as_bytes()).prefix()),
        }
    }
}

/// Reads an operation out of a page; none where not even its id can be read.
#[must_use]
pub fn read(raw: &RawValue) -> Option<ReadOperation> {
    let head: Head<'_> = serde_json::from_str(raw.get()).ok().filter(|head: &Head<'_>| guid::is_guid(&head.id))?;
    let mut reasons = Vec::new();
    let operation = match serde_json::from_str::<Body<'_>>(raw.get()) {
        Ok(body) => offered(&head.id, body, &mut reasons),
        Err(error) => {
            reasons.push(format!("can't be read: {error}"));
            None
        }
    };
    let started = head.start_time.and_then(|time| serde_json::from_str::<&str>(time.get()).ok()?.parse().ok());
    if started.is_none() {
        reasons.push("when it started is no time".into());
    }
    Some(ReadOperation { id: head.id, started, operation, reasons: bounded(reasons) })
}

/// As many reasons as someone reads: one operation does not fill the list of all.
#[must_use]
pub fn bounded(mut reasons: Vec<String>) -> Vec<String> {
    let more = reasons.len().saturating_sub(MAX_REASONS);
    if more > 0 {
        reasons.truncate(MAX_REASONS);
        reasons.push(format!("{more} more things are wrong with it"));
    }
    reasons
}

fn offered(id: &str, body: Body<'_>, reasons: &mut Vec<String>) -> Option<Operation> {
    let runtime = body.runtime_parameters?;
    let Some(Value::Object(annotations)) = &runtime.annotations else { return None };
    let spec = body.brief_spec.unwrap_or_default();
    let title = spec.get("title").and_then(Value::as_str).and_then(text::decode).unwrap_or_default();
    let offer = match spark::read(&title, annotations) {
        Some(spark) => Offer::Spark(spark.map_err(|reason| reasons.push(reason)).ok()?),
        None => {
            let read = annotation::read(annotations);
            reasons.extend(read.reasons);
            Offer::Annotated(read.annotation?)
        }
    };
    let alias = spec.get("alias").and_then(Value::as_str).filter(|alias| !alias.is_empty()).and_then(|alias| {
        let plain = plain_alias(alias).map(ToOwned::to_owned);
        if plain.is_none() {
            let reason = "its alias is left out: after a `*` it may have a-z, 0-9, `_` and `-`, and no upper case";
            reasons.push(reason.into());
        }
        plain
    });
    let owner = body.authenticated_user.as_deref().and_then(text::decode).filter(|owner| is_name(owner));
    let acl = runtime.acl.map(|acl| Arc::from(acl.to_owned()));
    Some(Operation { id: id.to_owned(), alias, owner, acl, offer })
}

/// An alias without its `*`; none where it has anything that a label can't have as it is.
fn plain_alias(alias: &str) -> Option<&str> {
    let plain = alias.strip_prefix('*').unwrap_or(alias);
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (is_name(plain) && plain.bytes().all(is_plain)).then_some(plain)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).expect("JSON")
    }

    fn operation(annotations: &Value) -> Value {
        json!({"id": "1-2-3-4", "start_time": "2026-01-01T00:00:00.000000Z", "authenticated_user": "alice",
            "brief_spec": {"title": "t", "alias": "*app"},
            "runtime_parameters": {"annotations": annotations, "acl": [{"action": "allow"}]}})
    }

    #[test]
    fn reads_what_is_offered() {
        let read = read(&raw(&operation(&json!({"task_proxy": {"enabled": true}})))).expect("an operation");
        let operation = read.operation.expect("an offer");
        assert_eq!((operation.id.as_str(), operation.owner.as_deref()), ("1-2-3-4", Some("alice")));
        assert_eq!(operation.alias.as_deref(), Some("app"));
        assert!(matches!(operation.offer, Offer::Annotated(_)));
        assert_ne!(operation.policy().revision, 0);
    }

    #[test]
    fn most_operations_offer_nothing() {
        for annotations in [
            json!({}),
            json!(null),
            json!("text"),
            json!({"description": 7}),
            json!({"task_proxy": {"enabled": false}}),
        ] {
            let read = read(&raw(&operation(&annotations))).expect("an operation");
            assert!(read.operation.is_none() && read.reasons.is_empty(), "{read:?}");
        }
        let bare = json!({"id": "1-2-3-4", "start_time": "2026-01-01T00:00:00.000000Z"});
        assert!(read(&raw(&bare)).is_some_and(|read| read.operation.is_none() && read.reasons.is_empty()));
    }

    #[test]
    fn what_a_user_wrote_never_costs_the_id() {
        let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let text = operation(&json!("PLACE")).to_string().replace("\"PLACE\"", &nested);
        let raw = RawValue::from_string(text).expect("JSON");
        let read = read(&raw).expect("an operation");
        assert_eq!((read.id.as_str(), read.operation.is_none(), read.reasons.len()), ("1-2-3-4", true, 1));
    }

    #[test]
    fn an_operation_without_an_id_is_none() {
        assert!(read(&raw(&json!({"start_time": "x"}))).is_none());
        assert!(read(&raw(&json!({"id": "../../x", "start_time": "x"}))).is_none());
    }

    #[test]
    fn aliases_may_be_anything() {
        let alias = |alias: Value| {
            let mut value = operation(&json!({"task_proxy": {"enabled": true}}));
            value["brief_spec"]["alias"] = alias;
            let read = read(&raw(&value)).expect("an operation");
            (read.operation.and_then(|operation| operation.alias), read.reasons.len())
        };
        assert_eq!(alias(json!("*my-app")), (Some("my-app".into()), 0));
        assert_eq!(alias(json!("plain_1")), (Some("plain_1".into()), 0));
        for absent in [json!(""), json!(7), json!(null)] {
            assert_eq!(alias(absent.clone()), (None, 0), "{absent}");
        }
        // In the cluster these are other aliases than `*app`, and whoever likes can have them.
        for taken in ["**app", "*App", "*a*pp", "app*"] {
            assert_eq!(alias(json!(taken)), (None, 1), "{taken}");
        }
        for strange in ["*", "*a\nb", "*a.b", "*\u{ff}", "*\u{c3}\u{a4}", &"*".repeat(999), &"a".repeat(999)] {
            assert_eq!(alias(json!(strange)), (None, 1), "{strange}");
        }
    }
}
