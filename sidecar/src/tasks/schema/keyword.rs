//! The keywords: which there are, what values they can have, and what each says of a value.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use crate::tasks::schema::{InvalidSchema, MAX_DEPTH, Mismatch, Place};

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Whether something is a schema.
pub(super) fn look_at(schema: &Value, place: &Place, depth: usize) -> Result<(), InvalidSchema> {
    if depth > MAX_DEPTH {
        return Err(InvalidSchema::Deep(place.clone()));
    }
    let keywords = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(keywords) => keywords,
        _ => return Err(InvalidSchema::Kind(place.clone())),
    };
    for (keyword, value) in keywords {
        let place = place.member(keyword);
        let is_right = match keyword.as_str() {
            "title" | "description" | "$schema" | "$comment" | "format" => value.is_string(),
            "default" | "const" => true,
            "examples" => value.is_array(),
            "deprecated" | "uniqueItems" => value.is_boolean(),
            "enum" => value.as_array().is_some_and(|values| !values.is_empty()),
            "type" => is_type(value),
            "required" => strings(value).is_some(),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => value.is_u64(),
            "items" | "additionalProperties" | "not" => {
                look_at(value, &place, depth + 1)?;
                true
            }
            "properties" => match value.as_object() {
                Some(properties) => {
                    for (name, schema) in properties {
                        look_at(schema, &place.member(name), depth + 1)?;
                    }
                    true
                }
                None => false,
            },
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => match value.as_array() {
                Some(schemas) => {
                    for (index, schema) in schemas.iter().enumerate() {
                        look_at(schema, &place.element(index), depth + 1)?;
                    }
                    !schemas.is_empty()
                }
                None => false,
            },
            _ => return Err(InvalidSchema::Unknown(place)),
        };
        if !is_right {
            return Err(InvalidSchema::Value(place));
        }
    }
    Ok(())
}

/// Whether a value is as a schema says.
pub(super) fn check(schema: &Value, value: &Value, place: &Place, depth: usize) -> Result<(), Mismatch> {
    if depth > MAX_DEPTH {
        return Err(place.not("is too deep"));
    }
    match schema {
        Value::Bool(false) => Err(place.not("is not known here")),
        Value::Object(keywords) => {
            for (keyword, rule) in keywords {
                any_value(keyword, rule, value, place, depth)?;
                match value {
                    Value::Number(number) => of_number(keyword, rule, number, place)?,
                    Value::String(text) => sized(keyword, rule, ("Length", "characters"), text.chars().count(), place)?,
                    Value::Array(items) => of_array(keyword, rule, keywords, items, place, depth)?,
                    Value::Object(members) => of_object(keyword, rule, keywords, members, place, depth)?,
                    Value::Null | Value::Bool(_) => {}
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn any_value(keyword: &str, rule: &Value, value: &Value, place: &Place, depth: usize) -> Result<(), Mismatch> {
    let schemas = rule.as_array().map_or(&[][..], Vec::as_slice);
    let matching = || schemas.iter().filter(|schema| check(schema, value, place, depth + 1).is_ok()).count();
    match keyword {
        "type" => {
            let types: Vec<&str> = match rule {
                Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                other => other.as_str().into_iter().collect(),
            };
            if types.iter().any(|name| is_of(value, name)) {
                return Ok(());
            }
            let named: Vec<String> = types.iter().map(|name| with_article(name)).collect();
            Err(place.not(format!("must be {}", named.join(" or "))))
        }
        "const" if !is_same(rule, value) => Err(place.not(format!("must be {rule}"))),
        "enum" if !schemas.iter().any(|one| is_same(one, value)) => {
            let named: Vec<String> = schemas.iter().map(ToString::to_string).collect();
            Err(place.not(format!("must be one of {}", named.join(", "))))
        }
        "allOf" => schemas.iter().try_for_each(|schema| check(schema, value, place, depth + 1)),
        "anyOf" if matching() == 0 => Err(place.not("is none of what it may be")),
        "oneOf" if matching() != 1 => Err(place.not("is not exactly one of what it may be")),
        "not" if check(rule, value, place, depth + 1).is_ok() => Err(place.not("is what it must not be")),
        _ => Ok(()),
    }
}

fn of_number(keyword: &str, rule: &Value, number: &Number, place: &Place) -> Result<(), Mismatch> {
    let Value::Number(bound) = rule else { return Ok(()) };
    let order = compare(number, bound);
    let (holds, words) = match keyword {
        "minimum" => (order != Ordering::Less, "at least"),
        "maximum" => (order != Ordering::Greater, "at most"),
        "exclusiveMinimum" => (order == Ordering::Greater, "more than"),
        "exclusiveMaximum" => (order == Ordering::Less, "less than"),
        _ => return Ok(()),
    };
    if holds { Ok(()) } else { Err(place.not(format!("must be {words} {bound}"))) }
}

fn of_array(
    keyword: &str,
    rule: &Value,
    keywords: &Map<String, Value>,
    items: &[Value],
    place: &Place,
    depth: usize,
) -> Result<(), Mismatch> {
    let first = || keywords.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match keyword {
        "prefixItems" => {
            for (index, (schema, item)) in first().iter().zip(items).enumerate() {
                check(schema, item, &place.element(index), depth + 1)?;
            }
            Ok(())
        }
        "items" => {
            for (index, item) in items.iter().enumerate().skip(first().len()) {
                check(rule, item, &place.element(index), depth + 1)?;
            }
            Ok(())
        }
        "uniqueItems" if rule == true => {
            let mut seen = HashSet::with_capacity(items.len());
            let is_unique = items.iter().all(|item| seen.insert(item.to_string()));
            if is_unique { Ok(()) } else { Err(place.not("has an element twice")) }
        }
        _ => sized(keyword, rule, ("Items", "elements"), items.len(), place),
    }
}

fn of_object(
    keyword: &str,
    rule: &Value,
    keywords: &Map<String, Value>,
    members: &Map<String, Value>,
    place: &Place,
    depth: usize,
) -> Result<(), Mismatch> {
    let properties = || keywords.get("properties").and_then(Value::as_object);
    match keyword {
        "required" => match strings(rule).unwrap_or_default().into_iter().find(|name| !members.contains_key(*name)) {
            Some(missing) => Err(place.not(format!("lacks `{missing}`"))),
            None => Ok(()),
        },
        "properties" => {
            for (name, schema) in properties().into_iter().flatten() {
                if let Some(member) = members.get(name) {
                    check(schema, member, &place.member(name), depth + 1)?;
                }
            }
            Ok(())
        }
        "additionalProperties" => {
            for (name, member) in members {
                if !properties().is_some_and(|known| known.contains_key(name)) {
                    check(rule, member, &place.member(name), depth + 1)?;
                }
            }
            Ok(())
        }
        _ => sized(keyword, rule, ("Properties", "members"), members.len(), place),
    }
}

/// The rules `min…` and `max…` of something with a length.
fn sized(
    keyword: &str,
    rule: &Value,
    (name, unit): (&str, &str),
    length: usize,
    place: &Place,
) -> Result<(), Mismatch> {
    let Some(bound) = rule.as_u64() else { return Ok(()) };
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    match keyword.split_at_checked(3) {
        Some(("min", what)) if what == name && length < bound => {
            Err(place.not(format!("must have at least {bound} {unit}")))
        }
        Some(("max", what)) if what == name && length > bound => {
            Err(place.not(format!("may have {bound} {unit} at most")))
        }
        _ => Ok(()),
    }
}

fn is_type(rule: &Value) -> bool {
    let is_one = |name: &Value| name.as_str().is_some_and(|name| TYPES.contains(&name));
    match rule {
        Value::Array(types) => !types.is_empty() && types.iter().all(is_one),
        other => is_one(other),
    }
}

fn strings(rule: &Value) -> Option<Vec<&str>> {
    rule.as_array()?.iter().map(Value::as_str).collect()
}

fn is_of(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => name == "number" || (name == "integer" && is_integer(number)),
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

fn with_article(name: &str) -> String {
    match name {
        "null" => name.to_owned(),
        "integer" | "array" | "object" => format!("an {name}"),
        other => format!("a {other}"),
    }
}

fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

fn compare(left: &Number, right: &Number) -> Ordering {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => left.cmp(&right),
        // JSON has no NaN.
        _ => left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal),
    }
}

fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Ordering::Equal,
        _ => left == right,
    }
}
