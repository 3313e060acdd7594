//! What becomes of references in what is copied.

use serde_json::Value;

use super::arguments::{Arguments, References};
use crate::hsds::datatype::{Class, Datatype, Reference};
use crate::hsds::id::ObjectId;

/// What becomes of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// All lead to the copies of their objects, which are copied for that if need be.
    Expanded,
    /// Those to what is copied lead to the copies, all others nowhere.
    Inside,
    /// They stay as they are.
    Kept,
    /// All lead nowhere.
    Nowhere,
}

/// Where references are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// They are an attribute's own value.
    Attribute,
    /// They are in a dataset's data, or in fields or lists of an attribute's value.
    Data,
}

impl Fate {
    /// What becomes of references there. `is_same_domain` is whether the copy is in the domain of the original.
    pub(super) fn of(arguments: &Arguments, holder: Holder, is_same_domain: bool) -> Self {
        match (arguments.refs, holder) {
            (References::MapInside, _) if !arguments.expand_refs => Self::Inside,
            // HDF5 expands references in data only where they would else be lost.
            (References::Hdf5, Holder::Data) if is_same_domain => Self::Kept,
            _ if arguments.expand_refs => Self::Expanded,
            _ => Self::Nowhere,
        }
    }
}

impl Holder {
    /// Where the references of an attribute's value are.
    pub(super) fn of_attribute(datatype: &Datatype) -> Self {
        if matches!(datatype.class(), Class::Reference(_)) { Self::Attribute } else { Self::Data }
    }
}

/// The same value of an attribute with other references: what [`crate::hsds::references::rewrite`] is for values
/// as they lie in memory. `rank` is how many dimensions it has.
pub(super) fn rewrite_json(
    datatype: &Datatype,
    rank: usize,
    value: &Value,
    becomes: &mut dyn FnMut(ObjectId) -> Option<ObjectId>,
) -> Value {
    match value {
        Value::Array(list) if rank > 0 => {
            list.iter().map(|part| rewrite_json(datatype, rank - 1, part, becomes)).collect()
        }
        _ => element(datatype, value, becomes),
    }
}

fn element(datatype: &Datatype, value: &Value, becomes: &mut dyn FnMut(ObjectId) -> Option<ObjectId>) -> Value {
    match (datatype.class(), value) {
        (Class::Array { base, dims }, _) => rewrite_json(base, dims.len(), value, becomes),
        (Class::Variable(base), Value::Array(list)) => list.iter().map(|part| element(base, part, becomes)).collect(),
        // A list of one element may be written without the list.
        (Class::Variable(base), _) => element(base, value, becomes),
        (Class::Compound(fields), Value::Array(list)) if fields.len() == list.len() => {
            fields.iter().zip(list).map(|(field, part)| element(&field.datatype, part, becomes)).collect()
        }
        (Class::Reference(Reference::Object { .. }), Value::String(text)) => {
            let text = text.trim_end_matches('\0');
            let Ok(old) = ObjectId::parse(text) else { return value.clone() };
            match becomes(old) {
                Some(new) if text.contains('/') => new.reference().into(),
                Some(new) => new.to_string().into(),
                None => Value::String(String::new()),
            }
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_becomes_of_references_is_what_hdf5_does_unless_another_way_is_asked_for() {
        let flags = |expand_refs, refs| Arguments { expand_refs, refs, ..Arguments::default() };
        for (expand, refs, holder, is_same, fate) in [
            (false, References::Hdf5, Holder::Data, true, Fate::Kept),
            (false, References::Hdf5, Holder::Data, false, Fate::Nowhere),
            (false, References::Hdf5, Holder::Attribute, true, Fate::Nowhere),
            (false, References::Hdf5, Holder::Attribute, false, Fate::Nowhere),
            (true, References::Hdf5, Holder::Data, true, Fate::Kept),
            (true, References::Hdf5, Holder::Data, false, Fate::Expanded),
            (true, References::Hdf5, Holder::Attribute, true, Fate::Expanded),
            (false, References::MapInside, Holder::Data, true, Fate::Inside),
            (false, References::MapInside, Holder::Attribute, false, Fate::Inside),
            (true, References::MapInside, Holder::Data, true, Fate::Expanded),
        ] {
            assert_eq!(Fate::of(&flags(expand, refs), holder, is_same), fate, "{expand} {refs:?} {holder:?} {is_same}");
        }
    }

    #[test]
    fn references_in_lists_and_fields_become_others() {
        let reference = json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_OBJ"});
        let datatype = Datatype::read(&json!({"class": "H5T_COMPOUND", "fields": [
            {"name": "t", "type": Datatype::text().json()},
            {"name": "v", "type": {"class": "H5T_VLEN", "base": reference}},
        ]}))
        .expect("a type");
        let text = |digit: u8| format!("datasets/d-01234567-89abcdef-0123-456789-abcde{digit}");
        let new = ObjectId::parse(&text(9)).expect("an id");
        let value = json!([[text(1), [text(1), text(2), ""]], ["", []]]);
        let old = ObjectId::parse(&text(1)).expect("an id");
        let written = rewrite_json(&datatype, 1, &value, &mut |id| (id == old).then_some(new));
        assert_eq!(written, json!([[text(1), [text(9), "", ""]], ["", []]]));
    }
}
