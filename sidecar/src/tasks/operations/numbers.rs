//! Datasets of numbers: which of numpy's types their elements are, and numbers among the arguments.

use serde_json::{Map, Value, json};

use crate::array::dtype::{ByteOrder, Casting, Dtype, can_cast};
use crate::array::element::{Complex128, Values};
use crate::array::scalar::Scalar;
use crate::array::slab::Slab;
use crate::hsds::datatype::{Class, Datatype, Integer, Layout, Order};
use crate::tasks::operations::fault::Fault;

/// The type of a dataset's elements where they are numbers, with their order of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The type.
    pub dtype: Dtype,
    /// The order of bytes.
    pub order: ByteOrder,
}

impl Numbers {
    /// What elements of that type are when they are read, as h5py has it: numpy's `bool` and complex numbers
    /// are what they were stored from, and other named numbers are the numbers. None for what are no numbers.
    #[must_use]
    pub fn read(datatype: &Datatype) -> Option<Self> {
        match datatype.class() {
            Class::Enumeration { base, .. } if !datatype.is_boolean() => Self::integer(*base),
            _ => Self::written(datatype),
        }
    }

    /// What elements of that type may be written from; none also for named numbers, of which not every number
    /// has a name.
    #[must_use]
    pub fn written(datatype: &Datatype) -> Option<Self> {
        let of = |dtype, layout: Layout| Some(Self { dtype, order: order(layout.order) });
        match datatype.class() {
            Class::Integer(integer) => Self::integer(*integer),
            Class::Float(layout) => match layout.bytes {
                2 => of(Dtype::F16, *layout),
                4 => of(Dtype::F32, *layout),
                8 => of(Dtype::F64, *layout),
                _ => None,
            },
            Class::Enumeration { base, .. } if datatype.is_boolean() => of(Dtype::Bool, base.layout),
            Class::Compound(_) => {
                let part = datatype.complex_part()?;
                match part.bytes {
                    4 => of(Dtype::C64, part),
                    8 => of(Dtype::C128, part),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn integer(integer: Integer) -> Option<Self> {
        let dtype = match (integer.layout.bytes, integer.is_signed) {
            (1, true) => Dtype::I8,
            (1, false) => Dtype::U8,
            (2, true) => Dtype::I16,
            (2, false) => Dtype::U16,
            (4, true) => Dtype::I32,
            (4, false) => Dtype::U32,
            (8, true) => Dtype::I64,
            (8, false) => Dtype::U64,
            _ => return None,
        };
        Some(Self { dtype, order: order(integer.layout.order) })
    }

    /// How many bytes an element has.
    #[must_use]
    pub const fn item_size(self) -> usize {
        self.dtype.item_size()
    }
}

const fn order(order: Order) -> ByteOrder {
    match order {
        Order::Big => ByteOrder::Big,
        Order::Little => ByteOrder::Little,
    }
}

/// The JSON Schema of a number among the arguments.
#[must_use]
pub fn number_schema(description: &str) -> Value {
    json!({
        "description": description,
        "oneOf": [
            {"type": "boolean"},
            {"type": "number"},
            {"enum": ["nan", "inf", "-inf"]},
            {
                "type": "object", "additionalProperties": false, "required": ["r", "i"],
                "properties": {"r": {"type": "number"}, "i": {"type": "number"}}
            }
        ]
    })
}

/// The JSON Schema of `casting`.
#[must_use]
pub fn casting_schema(default: &str) -> Value {
    json!({
        "description": "Which casts to the destination's type are allowed, as numpy has it.",
        "enum": ["no", "equiv", "safe", "same_kind", "unsafe"], "default": default
    })
}

/// The number of that name among the arguments, if there is one.
///
/// # Errors
/// It is no number.
pub fn number(arguments: &Map<String, Value>, name: &str) -> Result<Option<Scalar>, Fault> {
    let Some(value) = arguments.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    read_number(value).map(Some).ok_or_else(|| {
        Fault::malformed(format!(
            "`args.{name}` must be a number, true, false, \"nan\", \"inf\", \"-inf\" or a complex number {{\"r\": 1, \"i\": 2}}"
        ))
    })
}

fn read_number(value: &Value) -> Option<Scalar> {
    match value {
        Value::Bool(value) => Some(Scalar::Bool(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Some(Scalar::Int(value.into())),
            (None, Some(value)) => Some(Scalar::Int(value.into())),
            (None, None) => number.as_f64().map(Scalar::Float),
        },
        Value::String(text) => match text.as_str() {
            "nan" => Some(Scalar::Float(f64::NAN)),
            "inf" => Some(Scalar::Float(f64::INFINITY)),
            "-inf" => Some(Scalar::Float(f64::NEG_INFINITY)),
            _ => None,
        },
        Value::Object(parts) if parts.len() == 2 => {
            Some(Scalar::Complex(Complex128::new(parts.get("r")?.as_f64()?, parts.get("i")?.as_f64()?)))
        }
        _ => None,
    }
}

/// Which casts to the destination's type are allowed.
///
/// # Errors
/// `casting` is none of numpy's words.
pub fn casting(arguments: &Map<String, Value>, default: Casting) -> Result<Casting, Fault> {
    match arguments.get("casting").map(Value::as_str) {
        None => Ok(default),
        Some(Some("no")) => Ok(Casting::No),
        Some(Some("equiv")) => Ok(Casting::Equiv),
        Some(Some("safe")) => Ok(Casting::Safe),
        Some(Some("same_kind")) => Ok(Casting::SameKind),
        Some(Some("unsafe")) => Ok(Casting::Unsafe),
        Some(_) => Err(Fault::malformed("`args.casting` must be no, equiv, safe, same_kind or unsafe")),
    }
}

/// Whether there is no argument but these.
///
/// # Errors
/// There is one.
pub fn known(arguments: &Map<String, Value>, names: &[&str]) -> Result<(), Fault> {
    match arguments.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(Fault::malformed(format!("`args.{key}` is not an argument of this operation"))),
        None => Ok(()),
    }
}

/// Whether results of that type may go into that place.
///
/// # Errors
/// They may not.
pub fn check_cast(from: Dtype, to: Dtype, casting: Casting, place: &str) -> Result<(), Fault> {
    if can_cast(from, to, casting) {
        return Ok(());
    }
    let word = match casting {
        Casting::No => "no",
        Casting::Equiv => "equiv",
        Casting::Safe => "safe",
        Casting::SameKind => "same_kind",
        Casting::Unsafe => "unsafe",
    };
    Err(Fault::malformed(format!(
        "the result is {from}, which is not cast to the {to} of {place} under the rule `{word}`; \
         `args.casting` can allow more"
    )))
}

/// A single element as JSON: what JSON has no number for is a text.
#[must_use]
pub fn single(slab: &Slab) -> Option<Value> {
    let float = |value: f64| match () {
        () if value.is_nan() => json!("nan"),
        () if value.is_infinite() => json!(if value > 0.0 { "inf" } else { "-inf" }),
        () => json!(value),
    };
    let widened = match slab.dtype().kind() {
        crate::array::dtype::Kind::Bool => Dtype::Bool,
        crate::array::dtype::Kind::Signed => Dtype::I64,
        crate::array::dtype::Kind::Unsigned => Dtype::U64,
        crate::array::dtype::Kind::Float => Dtype::F64,
        crate::array::dtype::Kind::Complex => Dtype::C128,
    };
    match (slab.values().len(), slab.values().astype(widened)) {
        (1, Values::Bool(values)) => values.first().map(|value| json!(value)),
        (1, Values::I64(values)) => values.first().map(|value| json!(value)),
        (1, Values::U64(values)) => values.first().map(|value| json!(value)),
        (1, Values::F64(values)) => values.first().copied().map(float),
        (1, Values::C128(values)) => values.first().map(|value| json!({"r": float(value.re), "i": float(value.im)})),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_datasets_are_numpys() {
        let read = |datatype: &Datatype| Numbers::read(datatype).map(|numbers| (numbers.dtype, numbers.order));
        assert_eq!(read(&Datatype::integer(2, false, Order::Big)), Some((Dtype::U16, ByteOrder::Big)));
        assert_eq!(read(&Datatype::float(2, Order::Little)), Some((Dtype::F16, ByteOrder::Little)));
        assert_eq!(read(&Datatype::boolean()), Some((Dtype::Bool, ByteOrder::Little)));
        assert_eq!(read(&Datatype::complex(8, Order::Big)), Some((Dtype::C128, ByteOrder::Big)));
        assert_eq!(read(&Datatype::text()), None);
        assert_eq!(read(&Datatype::variable(Datatype::float(4, Order::Big))), None);
        let colours = Datatype::read(&json!({
            "class": "H5T_ENUM", "base": {"class": "H5T_INTEGER", "base": "H5T_STD_I16BE"},
            "members": [{"name": "RED", "value": 0}, {"name": "GREEN", "value": 1}],
        }))
        .expect("a type");
        assert_eq!(read(&colours), Some((Dtype::I16, ByteOrder::Big)));
        assert_eq!(Numbers::written(&colours), None);
    }

    #[test]
    fn numbers_are_read_as_python_has_them() {
        let arguments = json!({"a": 3, "b": 3.0, "c": true, "d": "-inf", "e": {"r": 1, "i": -2}, "f": 18_446_744_073_709_551_615_u64, "g": null, "h": "3"});
        let arguments = arguments.as_object().expect("an object");
        let of = |name: &str| number(arguments, name).ok().flatten();
        assert_eq!(of("a"), Some(Scalar::Int(3)));
        assert_eq!(of("b"), Some(Scalar::Float(3.0)));
        assert_eq!(of("c"), Some(Scalar::Bool(true)));
        assert_eq!(of("d"), Some(Scalar::Float(f64::NEG_INFINITY)));
        assert_eq!(of("e"), Some(Scalar::Complex(Complex128::new(1.0, -2.0))));
        assert_eq!(of("f"), Some(Scalar::Int(u64::MAX.into())));
        assert_eq!(number(arguments, "g"), Ok(None));
        assert!(number(arguments, "h").is_err() && known(arguments, &["a"]).is_err());
    }

    #[test]
    fn one_element_is_json() {
        assert_eq!(single(&Slab::single(f32::NAN)), Some(json!("nan")));
        assert_eq!(single(&Slab::single(u64::MAX)), Some(json!(u64::MAX)));
        assert_eq!(single(&Slab::of(vec![1_i8, 2])), None);
    }
}
