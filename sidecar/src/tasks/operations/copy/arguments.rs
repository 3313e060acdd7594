//! What a copy is asked for, beside its source and its destination.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::tasks::request::Request;

/// How a copy is made. The flags are those of h5py's `Group.copy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Arguments {
    /// Groups in the group that is copied stay empty.
    pub(super) shallow: bool,
    /// What soft links lead to is copied in their place.
    pub(super) expand_soft: bool,
    /// What links into other domains lead to is copied in their place.
    pub(super) expand_external: bool,
    /// What references lead to is copied as well.
    pub(super) expand_refs: bool,
    /// No attributes are copied.
    pub(super) without_attrs: bool,
    /// What becomes of references.
    pub(super) refs: References,
    /// The name of the copy, where the destination is the id of a group.
    pub(super) name: Option<String>,
}

/// What becomes of references.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum References {
    /// What HDF5 does.
    #[default]
    Hdf5,
    /// Those to what is copied lead to the copy, all others nowhere.
    MapInside,
}

impl Arguments {
    /// Reads the arguments of a request.
    pub(super) fn read(request: &Request) -> Result<Self, String> {
        let arguments: Self =
            serde_json::from_value(Value::Object(request.args.clone())).map_err(|error| format!("`args`: {error}"))?;
        match arguments.name.as_deref() {
            Some("" | "." | "..") => Err("`args.name` is no name of a link".to_owned()),
            Some(name) if name.contains('/') => Err("`args.name` has a slash".to_owned()),
            _ => Ok(arguments),
        }
    }
}

/// The JSON Schema of the arguments.
pub(super) fn schema() -> Value {
    let flag = |description: &str| json!({"description": description, "type": "boolean", "default": false});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "shallow": flag("Copy only the group's own members: groups among them are made, but stay empty."),
            "expand_soft": flag("Copy what soft links lead to in their place; those that lead nowhere stay."),
            "expand_external": flag(
                "Copy what links into other domains lead to in their place; those that lead nowhere stay."
            ),
            "expand_refs": flag(
                "Copy what references lead to as well. What no link of the copy leads to gets the name \
                 `~obj_pointed_by_<id>` in the destination's root group."
            ),
            "without_attrs": flag("Copy no attributes."),
            "refs": {
                "description":
                    "What becomes of references. `hdf5`: as H5Ocopy has it. In data they stay as they are within a \
                     domain, and in another domain lead nowhere, or to the copy with `expand_refs`; those that are an \
                     attribute's own value lead nowhere, or to the copy with `expand_refs`; those in an attribute's \
                     fields or lists are as in data. `map-inside`: all that lead to what is copied lead to the copy, \
                     all others nowhere.",
                "type": "string", "enum": ["hdf5", "map-inside"], "default": "hdf5"
            },
            "name": {
                "description": "The name of the copy, where the destination is a group's id.",
                "type": "string", "minLength": 1, "maxLength": 1024
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &Value) -> Result<Arguments, String> {
        let request = json!({"operation": "copy", "args": args});
        Arguments::read(&serde_json::from_value(request).expect("a request"))
    }

    #[test]
    fn arguments_are_flags_a_policy_and_a_name() {
        assert_eq!(read(&json!({})), Ok(Arguments::default()));
        let all = read(&json!({"expand_refs": true, "refs": "map-inside", "name": "x y"})).expect("arguments");
        assert_eq!((all.expand_refs, all.refs, all.name.as_deref()), (true, References::MapInside, Some("x y")));
        for wrong in [json!({"deep": true}), json!({"shallow": 1}), json!({"refs": "all"}), json!({"name": "a/b"})] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_schema_has_every_argument() {
        let schema = schema();
        let names: Vec<&String> = schema["properties"].as_object().expect("properties").keys().collect();
        for name in ["expand_external", "expand_refs", "expand_soft", "name", "refs", "shallow", "without_attrs"] {
            assert!(names.iter().any(|one| *one == name), "{name}");
        }
        assert_eq!(names.len(), 7);
    }
}
