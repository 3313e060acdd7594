//! Filters of listings: `["container.state", "=", "Running"]`.

use std::cmp::Ordering;

use serde_json::Value;

use super::cluster::Cluster;
use super::error::ApiError;
use super::record::{Kind, Record, text};

/// One condition.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    field: String,
    operator: String,
    operand: Value,
}

/// Reads filters for records of a kind.
///
/// # Errors
/// One has another form, or a field or an operator that there is not.
pub(super) fn parse(kind: Kind, items: Vec<Value>) -> Result<Vec<Filter>, ApiError> {
    items.into_iter().map(|item| parse_one(kind, &item)).collect()
}

fn parse_one(kind: Kind, item: &Value) -> Result<Filter, ApiError> {
    let parts = item.as_array().map(Vec::as_slice);
    let Some([Value::String(field), Value::String(operator), operand]) = parts else {
        return Err(ApiError::invalid(format!("Invalid element in filters array: {item} is not a list of three")));
    };
    let (base, below) = field.split_once('.').map_or((field.as_str(), None), |(base, below)| (base, Some(below)));
    let is_known = match below {
        Some(below) if kind == Kind::ContainerRequest && base == "container" => {
            Kind::Container.fields().contains(&below)
        }
        Some(_) => base == "properties" && kind.fields().contains(&base),
        None => kind.fields().contains(&base) && !kind.is_computed(base),
    };
    if !is_known {
        return Err(ApiError::invalid(format!("Invalid attribute '{field}' in filter")));
    }
    let operator = operator.to_ascii_lowercase();
    let takes_list = matches!(operator.as_str(), "in" | "not in");
    let is_operator = matches!(
        operator.as_str(),
        "=" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in" | "like" | "ilike" | "is_a" | "exists" | "contains"
    );
    if !is_operator {
        return Err(ApiError::invalid(format!("Invalid operator '{operator}'")));
    }
    if takes_list && !operand.is_array() {
        return Err(ApiError::invalid(format!("Invalid operand type for '{operator}' operator in filters")));
    }
    Ok(Filter { field: field.clone(), operator, operand: operand.clone() })
}

// === impl Filter ===

impl Filter {
    /// Whether a record meets the condition.
    pub(super) fn matches(&self, cluster: &Cluster, record: &Record) -> bool {
        let value = self.value(cluster, record);
        let same = |other: &Value| value == *other || compare(&value, other) == Some(Ordering::Equal);
        match self.operator.as_str() {
            "=" => same(&self.operand),
            "!=" => !same(&self.operand),
            "<" => compare(&value, &self.operand) == Some(Ordering::Less),
            ">" => compare(&value, &self.operand) == Some(Ordering::Greater),
            "<=" => matches!(compare(&value, &self.operand), Some(Ordering::Less | Ordering::Equal)),
            ">=" => matches!(compare(&value, &self.operand), Some(Ordering::Greater | Ordering::Equal)),
            "in" => self.operand.as_array().is_some_and(|items| items.iter().any(same)),
            "not in" => !self.operand.as_array().is_some_and(|items| items.iter().any(same)),
            "like" | "ilike" => self.is_like(&value),
            "is_a" => self.is_a(&value),
            "exists" => self.operand.as_str().is_some_and(|key| value.get(key).is_some()),
            "contains" => match (&value, &self.operand) {
                (Value::Object(fields), Value::String(key)) => fields.contains_key(key),
                (Value::Array(items), operand) => items.contains(operand),
                _ => false,
            },
            _ => false,
        }
    }

    fn value(&self, cluster: &Cluster, record: &Record) -> Value {
        let value = match self.field.split_once('.') {
            Some(("container", below)) => {
                cluster.find(text(record, "container_uuid")).and_then(|container| container.get(below))
            }
            Some((base, below)) => record.get(base).and_then(|value| value.get(below)),
            None => record.get(&self.field),
        };
        value.cloned().unwrap_or(Value::Null)
    }

    fn is_like(&self, value: &Value) -> bool {
        let (Some(value), Some(pattern)) = (value.as_str(), self.operand.as_str()) else { return false };
        let fold = |text: &str| if self.operator == "ilike" { text.to_lowercase() } else { text.to_owned() };
        let (value, pattern) = (fold(value), fold(pattern));
        // Only the forms that clients send: a text with `%` at either end.
        let middle = pattern.trim_matches('%');
        match (pattern.starts_with('%'), pattern.ends_with('%')) {
            (true, true) => value.contains(middle),
            (true, false) => value.ends_with(middle),
            (false, true) => value.starts_with(middle),
            (false, false) => value == pattern,
        }
    }

    fn is_a(&self, value: &Value) -> bool {
        let kind = value.as_str().and_then(Kind::of_uuid).map(Kind::name);
        match &self.operand {
            Value::String(name) => kind == Some(name),
            Value::Array(names) => names.iter().any(|name| kind == name.as_str()),
            _ => false,
        }
    }
}

/// The order of two values of one type; none where there is none.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
