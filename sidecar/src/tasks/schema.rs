//! What an operation's arguments must look like: the part of JSON Schema (2020-12) that is used for that.
//!
//! A schema with a keyword that is not known here is refused when it is read: it would promise what nobody
//! checks. There are no references and no patterns, so that checking takes no longer than reading does.

mod keyword;

use std::fmt;

use serde_json::Value;
use thiserror::Error;

/// How deep a schema may be, and arguments.
pub const MAX_DEPTH: usize = 32;

/// A schema that can be checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema(Value);

/// Why something is no schema.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidSchema {
    /// It is deeper than [`MAX_DEPTH`].
    #[error("at {0}: deeper than {MAX_DEPTH}")]
    Deep(Place),
    /// It is neither an object nor true or false.
    #[error("at {0}: a schema is an object, `true` or `false`")]
    Kind(Place),
    /// The keyword is not known here.
    #[error("at {0}: the keyword is not supported; see the documentation of operations")]
    Unknown(Place),
    /// The keyword's value is none that it can have.
    #[error("at {0}: the keyword can't have this value")]
    Value(Place),
}

/// Where a value is not as the schema says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place} {reason}")]
pub struct Mismatch {
    /// Where.
    pub place: Place,
    /// What is expected there.
    pub reason: String,
}

/// A place in a JSON value, as in `args.axis[0]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The outermost value, by that name.
    #[must_use]
    pub fn root(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// A member of the value.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        // The name is the client's: it is cut, and shows no more than it is.
        let name: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
        Self(format!("{}.{name}", self.0))
    }

    /// An element of the value.
    #[must_use]
    pub fn element(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The place with a reason.
    fn not(&self, reason: impl Into<String>) -> Mismatch {
        Mismatch { place: self.clone(), reason: reason.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.0)
    }
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// [`InvalidSchema`], with the place, whose outermost name is `name`.
    pub fn read(schema: &Value, name: &str) -> Result<Self, InvalidSchema> {
        keyword::look_at(schema, &Place::root(name), 0)?;
        Ok(Self(schema.clone()))
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The first [`Mismatch`]; the outermost name of its place is `name`.
    pub fn check(&self, value: &Value, name: &str) -> Result<(), Mismatch> {
        keyword::check(&self.0, value, &Place::root(name), 0)
    }
}

/// Whether lists and objects in a value are nested more than `most` times.
#[must_use]
pub fn is_deeper(value: &Value, most: usize) -> bool {
    let mut inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => return false,
    };
    most.checked_sub(1).is_none_or(|rest| inner.any(|value| is_deeper(value, rest)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(schema: &Value, value: &Value) -> Result<(), String> {
        let schema = Schema::read(schema, "schema").expect("a schema");
        schema.check(value, "args").map_err(|mismatch| mismatch.to_string())
    }

    #[test]
    fn arguments_are_what_the_schema_says() {
        let schema = json!({
            "type": "object",
            "properties": {
                "axis": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "maxItems": 2}]},
                "refs": {"enum": ["hdf5", "map-inside"], "default": "hdf5"},
                "share": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
                "name": {"type": "string", "minLength": 1, "maxLength": 3},
                "pair": {"prefixItems": [{"type": "string"}, {"type": ["null", "boolean"]}], "items": false},
            },
            "required": ["refs"],
            "additionalProperties": false,
        });
        for good in [
            json!({"refs": "hdf5"}),
            json!({"refs": "map-inside", "axis": -1, "share": 1, "name": "äöü"}),
            json!({"refs": "hdf5", "axis": [0, 1.0], "pair": ["x", null]}),
        ] {
            assert_eq!(verdict(&schema, &good), Ok(()), "{good}");
        }
        for (bad, place) in [
            (json!([]), "`args` must be an object"),
            (json!({}), "`args` lacks `refs`"),
            (json!({"refs": "HDF5"}), "`args.refs` must be one of"),
            (json!({"refs": "hdf5", "axis": 0.5}), "`args.axis`"),
            (json!({"refs": "hdf5", "axis": [0, "1"]}), "`args.axis`"),
            (json!({"refs": "hdf5", "axis": [0, 1, 2]}), "`args.axis`"),
            (json!({"refs": "hdf5", "share": 0}), "`args.share` must be more than 0"),
            (json!({"refs": "hdf5", "share": 1.5}), "`args.share` must be at most 1"),
            (json!({"refs": "hdf5", "name": ""}), "`args.name`"),
            (json!({"refs": "hdf5", "name": "four"}), "`args.name`"),
            (json!({"refs": "hdf5", "pair": ["x", 1]}), "`args.pair[1]` must be null or a boolean"),
            (json!({"refs": "hdf5", "pair": ["x", null, 1]}), "`args.pair[2]`"),
            (json!({"refs": "hdf5", "code": "rm"}), "`args.code` is not known"),
        ] {
            let reason = verdict(&schema, &bad).expect_err("a mismatch");
            assert!(reason.starts_with(place), "{bad}: {reason}");
        }
    }

    #[test]
    fn numbers_are_compared_as_what_they_are() {
        let largest = json!({"maximum": 9_007_199_254_740_992_u64});
        assert!(verdict(&largest, &json!(9_007_199_254_740_993_u64)).is_err(), "no rounding in between");
        assert!(verdict(&json!({"minimum": -1}), &json!(u64::MAX)).is_ok());
        assert!(verdict(&json!({"const": 1}), &json!(1.0)).is_ok());
        assert!(verdict(&json!({"uniqueItems": true}), &json!([1, 2, 1])).is_err());
        assert!(verdict(&json!({"oneOf": [{"minimum": 1}, {"maximum": 1}]}), &json!(1)).is_err());
        assert!(verdict(&json!({"not": {"type": "string"}}), &json!("x")).is_err());
    }

    #[test]
    fn what_nobody_would_check_is_no_schema() {
        let deep = (0..100).fold(json!({}), |inner, _| json!({"items": inner}));
        for (schema, reason) in [
            (json!([]), "an object"),
            (json!({"pattern": "^a"}), "`arguments.pattern`: the keyword is not supported"),
            (json!({"properties": {"a": {"$ref": "#/x"}}}), "`arguments.properties.a.$ref`: the keyword"),
            (json!({"type": "text"}), "`arguments.type`: the keyword can't"),
            (json!({"minLength": -1}), "can't have"),
            (json!({"required": "a"}), "can't have"),
            (json!({"anyOf": []}), "can't have"),
            (deep, "deeper"),
        ] {
            let error = Schema::read(&schema, "arguments").expect_err("no schema").to_string();
            assert!(error.contains(reason), "{schema}: {error}");
        }
    }

    #[test]
    fn depth_has_an_end_and_odd_names_are_harmless() {
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        assert!(!is_deeper(&nested(MAX_DEPTH), MAX_DEPTH) && is_deeper(&nested(MAX_DEPTH + 1), MAX_DEPTH));
        assert!(is_deeper(&nested(100), MAX_DEPTH));
        let odd = "x\r\n\u{1b}".repeat(1_000);
        let reason = verdict(&json!({"additionalProperties": false}), &json!({odd: 1})).expect_err("a mismatch");
        assert!(reason.len() < 200 && !reason.contains('\n'), "{reason}");
    }
}
