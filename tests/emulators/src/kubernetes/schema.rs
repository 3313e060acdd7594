//! Structural schemas, as definitions of resources have them: they say what is wrong, fill in defaults, and drop what
//! they don't know.

use serde_json::{Map, Value};

use super::refusal::Flaw;

/// What a value may be.
#[derive(Debug)]
pub(super) enum Schema {
    /// Anything.
    Any,
    /// Text, of so many characters at most.
    Text(usize, Form),
    /// A number, both ends included.
    Number(i64, i64),
    /// A list, of so few and so many.
    List(usize, usize, &'static Self),
    /// An object.
    Object(&'static [Field]),
}

/// What text looks like.
#[derive(Debug)]
pub(super) enum Form {
    /// Anything, even nothing.
    Free,
    /// Labels with dots between them.
    Subdomain,
    /// Like a label; group and kind are, too.
    Word,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) is_required: bool,
    /// What it is where it is left out, in JSON.
    pub(super) default: Option<&'static str>,
    pub(super) schema: Schema,
}

/// A field that may be left out.
pub(super) const fn optional(name: &'static str, schema: Schema) -> Field {
    Field { name, is_required: false, default: None, schema }
}

/// A field that may not.
pub(super) const fn required(name: &'static str, schema: Schema) -> Field {
    Field { name, is_required: true, default: None, schema }
}

/// A field with a default.
pub(super) const fn default(name: &'static str, default: &'static str, schema: Schema) -> Field {
    Field { name, is_required: false, default: Some(default), schema }
}

impl Schema {
    /// Checks a value; what is left out is filled in, and what is unknown goes.
    pub(super) fn apply(&self, path: &str, value: &mut Value, flaws: &mut Vec<Flaw>) {
        match (self, &mut *value) {
            (Self::Any, _) => {}
            (Self::Text(longest, form), Value::String(text)) => {
                if text.chars().count() > *longest {
                    let message = format!("Too long: may not be more than {longest} bytes");
                    flaws.push(Flaw::new(path, "FieldValueTooLong", message));
                } else if !form.fits(text) {
                    flaws.push(form.flaw(path, value));
                }
            }
            (Self::Number(least, most), Value::Number(number)) => match number.as_i64() {
                None => flaws.push(wrong_type(path, "integer", value)),
                Some(number) if number < *least => {
                    let message = format!("should be greater than or equal to {least}");
                    flaws.push(Flaw::invalid(path, value, &message));
                }
                Some(number) if number > *most => {
                    flaws.push(Flaw::invalid(path, value, &format!("should be less than or equal to {most}")));
                }
                Some(_) => {}
            },
            (Self::List(least, most, item), Value::Array(items)) => {
                let count = items.len();
                if count > *most {
                    let message = format!("Too many: {count}: must have at most {most} items");
                    flaws.push(Flaw::new(path, "FieldValueTooMany", message));
                } else if count < *least {
                    let message = format!("should have at least {least} items");
                    flaws.push(Flaw::invalid(path, &Value::from(count), &message));
                }
                for (index, value) in items.iter_mut().enumerate() {
                    item.apply(&format!("{path}[{index}]"), value, flaws);
                }
            }
            (Self::Object(fields), Value::Object(found)) => apply_fields(fields, path, found, flaws),
            (Self::Text(..), _) => flaws.push(wrong_type(path, "string", value)),
            (Self::Number(..), _) => flaws.push(wrong_type(path, "integer", value)),
            (Self::List(..), _) => flaws.push(wrong_type(path, "array", value)),
            (Self::Object(_), _) => flaws.push(wrong_type(path, "object", value)),
        }
    }
}

fn apply_fields(fields: &[Field], path: &str, found: &mut Map<String, Value>, flaws: &mut Vec<Flaw>) {
    found.retain(|name, value| !value.is_null() && fields.iter().any(|field| field.name == name));
    for field in fields {
        let path = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        if !found.contains_key(field.name)
            && let Some(default) = field.default.and_then(|text| serde_json::from_str(text).ok())
        {
            found.insert(field.name.to_owned(), default);
        }
        match found.get_mut(field.name) {
            Some(value) => field.schema.apply(&path, value, flaws),
            None if field.is_required => flaws.push(Flaw::required(&path)),
            None => {}
        }
    }
}

impl Form {
    fn fits(&self, text: &str) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = |text: &str| {
            !text.is_empty() && text.bytes().all(is_plain) && !text.starts_with('-') && !text.ends_with('-')
        };
        match self {
            Self::Free => true,
            Self::Subdomain => text.split('.').all(is_label),
            Self::Word => {
                let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
                letters && !text.starts_with('-') && !text.ends_with('-')
            }
            Self::OneOf(all) => all.contains(&text),
        }
    }

    fn flaw(&self, path: &str, value: &Value) -> Flaw {
        match self {
            Self::OneOf(all) => {
                let all: Vec<String> = all.iter().map(|one| format!("\"{one}\"")).collect();
                let message = format!("Unsupported value: {value}: supported values: {}", all.join(", "));
                Flaw::new(path, "FieldValueNotSupported", message)
            }
            _ => Flaw::invalid(path, value, "it does not match the pattern of such names"),
        }
    }
}

fn wrong_type(path: &str, wanted: &str, value: &Value) -> Flaw {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let message = format!("{path} in body must be of type {wanted}: \"{found}\"");
    Flaw::new(path, "FieldValueTypeInvalid", format!("Invalid value: \"{found}\": {message}"))
}
