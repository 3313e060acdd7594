//! Merge patches (RFC 7396): what is null goes, objects are merged, and everything else is replaced, lists as a whole.

use serde_json::{Map, Value};

/// Applies a patch.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_replaces_lists_and_removes_what_is_null() {
        let mut target = json!({"a": {"b": 1, "c": [1, 2]}, "d": 3});
        merge(&mut target, &json!({"a": {"c": [9], "e": {"f": null, "g": 1}}, "d": null}));
        assert_eq!(target, json!({"a": {"b": 1, "c": [9], "e": {"g": 1}}}));
    }
}
