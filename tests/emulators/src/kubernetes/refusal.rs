//! What the server says instead of doing it: a `Status`.

use serde_json::{Value, json};

use super::resource::Resource;

/// What the server says instead of doing it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

/// What is wrong with one field.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    field: String,
    reason: &'static str,
    message: String,
}

impl Flaw {
    pub(super) fn new(field: &str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason, message: message.into() }
    }

    pub(super) fn invalid(field: &str, value: &Value, message: &str) -> Self {
        Self::new(field, "FieldValueInvalid", format!("Invalid value: {value}: {message}"))
    }

    pub(super) fn required(field: &str) -> Self {
        Self::new(field, "FieldValueRequired", "Required value")
    }

    /// A rule of the definition that is not about one value.
    pub(super) fn rule(field: &str, kind: &str, message: &str) -> Self {
        Self::new(field, "FieldValueInvalid", format!("Invalid value: \"{kind}\": {message}"))
    }
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: json!({}) }
    }

    pub(super) fn no_resource() -> Self {
        Self { details: json!({}), ..Self::new(404, "NotFound", "the server could not find the requested resource") }
    }

    pub(super) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::about(404, "NotFound", resource, name, "not found")
    }

    pub(super) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::about(409, "AlreadyExists", resource, name, "already exists")
    }

    pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let called = resource.full_name();
        let message = format!("Operation cannot be fulfilled on {called} \"{name}\": {why}");
        Self { message, ..Self::about(409, "Conflict", resource, name, "") }
    }

    pub(super) fn invalid(resource: &Resource, name: &str, flaws: &[Flaw]) -> Self {
        let texts: Vec<String> = flaws.iter().map(|flaw| format!("{}: {}", flaw.field, flaw.message)).collect();
        let text = if texts.len() == 1 { texts.concat() } else { format!("[{}]", texts.join(", ")) };
        let kind = resource.full_kind();
        let causes: Vec<Value> = flaws
            .iter()
            .map(|flaw| json!({"reason": flaw.reason, "message": flaw.message, "field": flaw.field}))
            .collect();
        Self {
            details: json!({"name": name, "group": resource.group, "kind": resource.kind, "causes": causes}),
            ..Self::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {text}"))
        }
    }

    /// The body.
    pub(super) fn body(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": self.details, "code": self.code,
        })
    }

    fn about(code: u16, reason: &'static str, resource: &Resource, name: &str, what: &str) -> Self {
        Self {
            details: json!({"name": name, "group": resource.group, "kind": resource.plural}),
            ..Self::new(code, reason, format!("{} \"{name}\" {what}", resource.full_name()))
        }
    }
}
