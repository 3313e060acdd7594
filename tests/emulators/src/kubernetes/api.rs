//! From a request to objects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::authority;
use super::patch::merge;
use super::refusal::{Flaw, Refusal};
use super::resource::{DEFINITIONS, Resource};
use super::state::{Inner, Profile};
use super::store::Key;
use super::{builtin, rules, schemas};

/// A request, as far as it is understood.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) verb: &'static str,
    pub(super) resource: Resource,
    pub(super) version: String,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) is_status: bool,
    pub(super) query: BTreeMap<String, String>,
    pub(super) content_type: String,
    pub(super) body: Value,
}

/// An answer: the status, and the body.
pub(super) type Answer = Result<(u16, Value), Refusal>;

impl Call {
    /// Whether it changes something.
    pub(super) fn is_write(&self) -> bool {
        ["create", "update", "patch", "delete"].contains(&self.verb)
    }

    /// Whether an object is one that is asked for.
    pub(super) fn selects(&self, object: &Value) -> bool {
        let labels = self.query.get("labelSelector").map(String::as_str).unwrap_or_default();
        let fields = self.query.get("fieldSelector").map(String::as_str).unwrap_or_default();
        let has = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            object["metadata"]["labels"][key] == value.trim_start_matches('=')
        };
        let is = |pair: &str| match pair.split_once('=') {
            Some(("metadata.name", name)) => object["metadata"]["name"] == name,
            _ => false,
        };
        let mut labels = labels.split(',').filter(|pair| !pair.is_empty());
        let mut fields = fields.split(',').filter(|pair| !pair.is_empty());
        labels.all(has) && fields.all(is)
    }

    /// An object as it is shown in the version that is asked for.
    pub(super) fn shown(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let api = match self.resource.group {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        };
        object["apiVersion"] = json!(api);
        object["kind"] = json!(self.resource.kind);
        object
    }

    fn key(&self, name: &str) -> Key {
        (self.resource.plural, self.namespace.clone().unwrap_or_default(), name.to_owned())
    }
}

/// Answers a request that is no watch.
pub(super) fn answer(inner: &mut Inner, profile: &Profile, call: &Call) -> Answer {
    authority::check(inner.rules.as_deref(), &call.resource, call.verb, call.namespace.as_deref().unwrap_or_default())?;
    if !profile.serves(&call.resource, &call.version) {
        return Err(Refusal::no_resource());
    }
    if call.resource == DEFINITIONS {
        return match (call.verb, call.name.as_deref()) {
            ("get", Some("gateways.gateway.networking.k8s.io")) => Ok((200, profile.definition())),
            ("list", None) => Ok((200, json!({"kind": "CustomResourceDefinitionList", "metadata": {}, "items": []}))),
            (_, name) => Err(Refusal::not_found(&call.resource, name.unwrap_or_default())),
        };
    }
    match (call.verb, call.name.as_deref()) {
        ("list", None) => list(inner, call),
        ("get", Some(name)) => {
            let found = inner.store.get(&call.key(name)).ok_or_else(|| Refusal::not_found(&call.resource, name))?;
            Ok((200, call.shown(found)))
        }
        ("create", None) => create(inner, profile, call),
        ("update", Some(name)) => update(inner, profile, call, name, call.body.clone()),
        ("patch", Some(name)) => {
            if !call.content_type.starts_with("application/merge-patch+json") {
                return Err(Refusal::new(415, "UnsupportedMediaType", "only merge patches are understood here"));
            }
            let found = inner.store.get(&call.key(name)).ok_or_else(|| Refusal::not_found(&call.resource, name))?;
            let mut object = call.shown(found);
            merge(&mut object, &call.body);
            update(inner, profile, call, name, object)
        }
        ("delete", Some(name)) => delete(inner, call, name),
        _ => Err(Refusal::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )),
    }
}

fn list(inner: &Inner, call: &Call) -> Answer {
    let limit = call.query.get("limit").and_then(|limit| limit.parse::<usize>().ok()).filter(|limit| *limit > 0);
    let after = call.query.get("continue").filter(|token| !token.is_empty());
    let found = inner.store.all(&call.resource, call.namespace.as_deref());
    let found = found.filter(|(key, object)| {
        call.selects(object) && after.is_none_or(|after| format!("{}/{}", key.1, key.2) > *after)
    });
    let found: Vec<(&Key, &Value)> = found.collect();
    let shown = found.len().min(limit.unwrap_or(usize::MAX));
    let items: Vec<Value> = found.iter().take(shown).map(|(_, object)| call.shown(object)).collect();
    let mut metadata = json!({"resourceVersion": inner.store.version().to_string()});
    if shown < found.len()
        && let Some((key, _)) = found.get(shown.saturating_sub(1))
    {
        metadata["continue"] = json!(format!("{}/{}", key.1, key.2));
    }
    let shape = call.shown(&json!({}));
    let kind = format!("{}List", call.resource.kind);
    Ok((200, json!({"apiVersion": shape["apiVersion"], "kind": kind, "metadata": metadata, "items": items})))
}

fn create(inner: &mut Inner, profile: &Profile, call: &Call) -> Answer {
    let mut object = call.body.clone();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    object["metadata"]["namespace"] = json!(call.namespace);
    if call.resource.has_status()
        && let Some(object) = object.as_object_mut()
    {
        object.remove("status");
    }
    check(profile, call, &name, &mut object, None, inner.store.version())?;
    let key = call.key(&name);
    if inner.store.get(&key).is_some() {
        return Err(Refusal::already_exists(&call.resource, &name));
    }
    Ok((201, call.shown(&inner.store.add(&key, object))))
}

fn update(inner: &mut Inner, profile: &Profile, call: &Call, name: &str, mut object: Value) -> Answer {
    let key = call.key(name);
    let before = inner.store.get(&key).cloned().ok_or_else(|| Refusal::not_found(&call.resource, name))?;
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if version.is_empty() && call.resource.is_custom {
        let message = "must be specified for an update";
        let flaw = Flaw::invalid("metadata.resourceVersion", &json!(0), message);
        return Err(Refusal::invalid(&call.resource, name, &[flaw]));
    }
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    if !version.is_empty() && before["metadata"]["resourceVersion"] != version {
        return Err(Refusal::conflict(&call.resource, name, why));
    }
    let uid = &object["metadata"]["uid"];
    if !uid.is_null() && *uid != before["metadata"]["uid"] {
        return Err(Refusal::conflict(&call.resource, name, "Precondition failed: UID in precondition"));
    }
    if call.is_status {
        let mut changed = before;
        changed["status"] = object["status"].clone();
        return Ok((200, call.shown(&inner.store.put(&key, changed))));
    }
    for own in ["uid", "creationTimestamp", "generation", "resourceVersion", "namespace", "name"] {
        object["metadata"][own] = before["metadata"][own].clone();
    }
    if call.resource.has_status() {
        object["status"] = before["status"].clone();
    }
    check(profile, call, name, &mut object, Some(&before), inner.store.version())?;
    if object["spec"] != before["spec"] {
        object["metadata"]["generation"] = json!(before["metadata"]["generation"].as_i64().unwrap_or_default() + 1);
    }
    Ok((200, call.shown(&inner.store.put(&key, object))))
}

fn delete(inner: &mut Inner, call: &Call, name: &str) -> Answer {
    let key = call.key(name);
    let found = inner.store.get(&key).ok_or_else(|| Refusal::not_found(&call.resource, name))?;
    let preconditions = &call.body["preconditions"];
    for (field, called) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        if !preconditions[field].is_null() && preconditions[field] != found["metadata"][field] {
            let (wanted, is) = (&preconditions[field], &found["metadata"][field]);
            let why = format!("Precondition failed: {called} in precondition: {wanted}, {called} in object meta: {is}");
            return Err(Refusal::conflict(&call.resource, name, &why));
        }
    }
    let details = json!({"name": name, "kind": call.resource.plural, "uid": found["metadata"]["uid"]});
    inner.store.delete(&key);
    Ok((200, json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})))
}

/// Checks an object as it is to be kept, fills in defaults, and drops what is unknown.
fn check(
    profile: &Profile,
    call: &Call,
    name: &str,
    object: &mut Value,
    before: Option<&Value>,
    number: u64,
) -> Result<(), Refusal> {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|_, value| !value.is_null());
    }
    let mut flaws = builtin::metadata(&call.resource, &object["metadata"]);
    if let Some(schema) = schemas::of(&call.resource, &call.version) {
        if object["spec"].is_object() {
            schema.apply("spec", &mut object["spec"], &mut flaws);
        } else {
            flaws.push(Flaw::required("spec"));
        }
        // Rules are looked at where the structure is right.
        if flaws.is_empty() {
            flaws.extend(rules::check(&call.resource, &object["spec"], profile.max_listeners));
        }
    } else {
        flaws.extend(builtin::complete(&call.resource, object, before, number));
    }
    if let Some(object) = object.as_object_mut() {
        object.remove("apiVersion");
        object.remove("kind");
        object.retain(|_, value| !value.is_null());
    }
    if flaws.is_empty() { Ok(()) } else { Err(Refusal::invalid(&call.resource, name, &flaws)) }
}
