//! Types from JSON.

use serde_json::Value;

use super::{
    Class, Datatype, Field, Integer, InvalidDatatype, Layout, MAX_DEPTH, MAX_ITEM, Member, Order, REFERENCE_BYTES,
    Reference, Text,
};
use crate::hsds::dataspace::MAX_RANK;
use crate::hsds::id::ObjectId;

/// The most fields or members of one type.
const MAX_PARTS: usize = 65_536;

impl Datatype {
    /// Reads a `type` of HSDS.
    ///
    /// # Errors
    /// [`InvalidDatatype`].
    pub fn read(json: &Value) -> Result<Self, InvalidDatatype> {
        read(json, MAX_DEPTH)
    }
}

fn read(json: &Value, depth: usize) -> Result<Datatype, InvalidDatatype> {
    let depth = depth.checked_sub(1).ok_or(InvalidDatatype::Depth)?;
    let class = match json {
        Value::String(name) => predefined(name).ok_or_else(|| unknown(name))?,
        _ => class(json, depth)?,
    };
    let committed = json.get("id").and_then(Value::as_str).and_then(|id| ObjectId::parse(id).ok());
    let datatype = Datatype { class, committed, json: json.clone() };
    match datatype.item_size() {
        Some(size) if size == 0 || size > MAX_ITEM => Err(InvalidDatatype::Size),
        // No size: elements differ, or there is an overflow of something that has none of its own.
        None if !differs(&datatype) => Err(InvalidDatatype::Size),
        _ => Ok(datatype),
    }
}

fn class(json: &Value, depth: usize) -> Result<Class, InvalidDatatype> {
    let text = |key: &'static str| json.get(key).and_then(Value::as_str).ok_or(InvalidDatatype::Part(key));
    let base = || read(json.get("base").ok_or(InvalidDatatype::Part("base"))?, depth);
    match text("class")? {
        "H5T_ARRAY" => {
            let dims = match json.get("dims") {
                Some(Value::Array(dims)) => dims.iter().map(Value::as_u64).collect(),
                Some(dim) => dim.as_u64().map(|dim| vec![dim]),
                None => None,
            };
            let dims: Vec<u64> = dims
                .filter(|dims: &Vec<u64>| !dims.is_empty() && dims.len() <= MAX_RANK && !dims.contains(&0))
                .ok_or(InvalidDatatype::Part("dims"))?;
            Ok(Class::Array { base: Box::new(base()?), dims })
        }
        "H5T_COMPOUND" => {
            let fields = json.get("fields").and_then(Value::as_array).filter(|fields| fields.len() <= MAX_PARTS);
            let fields = fields.filter(|fields| !fields.is_empty()).ok_or(InvalidDatatype::Part("fields"))?;
            Ok(Class::Compound(fields.iter().map(|one| field(one, depth)).collect::<Result<_, _>>()?))
        }
        "H5T_ENUM" => {
            let base = match base()?.class {
                Class::Integer(base) => base,
                _ => return Err(InvalidDatatype::Part("base")),
            };
            let members = json.get("members").or_else(|| json.get("mapping"));
            Ok(Class::Enumeration {
                base,
                members: members.and_then(read_members).ok_or(InvalidDatatype::Part("members"))?,
            })
        }
        "H5T_BITFIELD" | "H5T_FLOAT" | "H5T_INTEGER" => base_class(text("class")?, text("base")?),
        "H5T_OPAQUE" => {
            let bytes = json.get("size").and_then(Value::as_u64).ok_or(InvalidDatatype::Part("size"))?;
            Ok(Class::Opaque { bytes })
        }
        "H5T_REFERENCE" => match text("base")? {
            "H5T_STD_REF_OBJ" => {
                let bytes = json.get("length").and_then(Value::as_u64).unwrap_or(REFERENCE_BYTES);
                Ok(Class::Reference(Reference::Object { bytes }))
            }
            "H5T_STD_REF_DSETREG" => Ok(Class::Reference(Reference::Region)),
            _ => Err(InvalidDatatype::Part("base")),
        },
        "H5T_STRING" => {
            let bytes = match json.get("length") {
                Some(Value::String(text)) if text == "H5T_VARIABLE" => None,
                Some(length) => Some(length.as_u64().ok_or(InvalidDatatype::Part("length"))?),
                None => return Err(InvalidDatatype::Part("length")),
            };
            let is_unicode = json.get("charSet").and_then(Value::as_str) == Some("H5T_CSET_UTF8");
            let padding = json.get("strPad").and_then(Value::as_str).map(ToOwned::to_owned);
            Ok(Class::Text(Text { bytes, is_unicode, padding }))
        }
        "H5T_VLEN" => Ok(Class::Variable(Box::new(base()?))),
        name => Err(unknown(name)),
    }
}

/// A class whose `base` is one of HDF5's own types, and must be of that class.
fn base_class(class: &str, base: &str) -> Result<Class, InvalidDatatype> {
    match (class, predefined(base)) {
        ("H5T_BITFIELD", Some(class @ Class::Bitfield(_)))
        | ("H5T_FLOAT", Some(class @ Class::Float(_)))
        | ("H5T_INTEGER", Some(class @ Class::Integer(_))) => Ok(class),
        _ => Err(InvalidDatatype::Part("base")),
    }
}

/// One of HDF5's own types, such as `H5T_STD_I32LE`.
fn predefined(name: &str) -> Option<Class> {
    let (kind, rest) = ["H5T_STD_I", "H5T_STD_U", "H5T_STD_B", "H5T_IEEE_F"]
        .into_iter()
        .find_map(|prefix| Some((prefix, name.strip_prefix(prefix)?)))?;
    let (bits, order) = match (rest.strip_suffix("LE"), rest.strip_suffix("BE")) {
        (Some(bits), _) => (bits, Order::Little),
        (_, Some(bits)) => (bits, Order::Big),
        (None, None) => return None,
    };
    let bytes = match bits {
        "8" if kind != "H5T_IEEE_F" => 1,
        "16" => 2,
        "32" => 4,
        "64" => 8,
        _ => return None,
    };
    let layout = Layout { bytes, order };
    Some(match kind {
        "H5T_STD_I" => Class::Integer(Integer { layout, is_signed: true }),
        "H5T_STD_U" => Class::Integer(Integer { layout, is_signed: false }),
        "H5T_STD_B" => Class::Bitfield(layout),
        _ => Class::Float(layout),
    })
}

fn field(json: &Value, depth: usize) -> Result<Field, InvalidDatatype> {
    let name = json.get("name").and_then(Value::as_str).ok_or(InvalidDatatype::Part("name"))?;
    let datatype = read(json.get("type").ok_or(InvalidDatatype::Part("type"))?, depth)?;
    Ok(Field { name: name.to_owned(), datatype })
}

/// Names and numbers: a list of both, or an object.
fn read_members(json: &Value) -> Option<Vec<Member>> {
    let number = |value: &Value| value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    let member = |name: &str, value: &Value| Some(Member { name: name.to_owned(), value: number(value)? });
    let members: Option<Vec<Member>> = match json {
        Value::Array(list) => list.iter().map(|one| member(one.get("name")?.as_str()?, one.get("value")?)).collect(),
        Value::Object(object) => object.iter().map(|(name, value)| member(name, value)).collect(),
        _ => None,
    };
    members.filter(|members| !members.is_empty() && members.len() <= MAX_PARTS)
}

/// Whether elements differ in size because a part of them does.
fn differs(datatype: &Datatype) -> bool {
    match &datatype.class {
        Class::Array { base, .. } => differs(base),
        Class::Compound(fields) => fields.iter().any(|field| differs(&field.datatype)),
        Class::Reference(Reference::Region) | Class::Variable(_) => true,
        Class::Text(text) => text.bytes.is_none(),
        Class::Bitfield(_)
        | Class::Enumeration { .. }
        | Class::Float(_)
        | Class::Integer(_)
        | Class::Opaque { .. }
        | Class::Reference(Reference::Object { .. }) => false,
    }
}

fn unknown(name: &str) -> InvalidDatatype {
    InvalidDatatype::Class(name.chars().filter(|one| !one.is_control()).take(64).collect())
}
