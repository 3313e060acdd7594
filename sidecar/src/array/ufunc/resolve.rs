//! From operands to the types that a function computes with.

use super::binary::Binary;
use super::{Function, Input, Loop, Operand, Outcome, Rule, TypeError, Ufunc};
use crate::array::dtype::{Casting, Dtype, can_cast};
use crate::array::scalar::Scalar;

pub(super) fn resolve(ufunc: &Ufunc, operands: &[Operand]) -> Result<Loop, TypeError> {
    if operands.len() != ufunc.inputs() {
        return Err(TypeError::Operands { ufunc: ufunc.name, expected: ufunc.inputs(), found: operands.len() });
    }
    if let Some(certain) = certain(ufunc, operands) {
        let inputs = operands.iter().filter_map(|operand| match operand {
            Operand::Array(dtype) => Some(Input::Array(*dtype)),
            Operand::Number(_) => None,
        });
        let inputs = inputs.collect();
        return Ok(Loop { function: ufunc.function, inputs, outputs: vec![Dtype::Bool], certain: Some(certain) });
    }
    let Some(dtypes) = dtypes(ufunc, operands) else {
        return Err(TypeError::NoLoop { ufunc: ufunc.name, dtypes: names(operands) });
    };
    let first = dtypes.first().copied().unwrap_or(Dtype::F64);
    let output = match ufunc.result {
        Outcome::Same => first,
        Outcome::Real => first.real(),
        Outcome::Bool => Dtype::Bool,
        Outcome::Byte => Dtype::U8,
    };
    let outputs = match ufunc.function {
        Function::Unary(_) | Function::Binary(_) => vec![output],
        Function::Frexp => vec![output, Dtype::I32],
        Function::Modf | Function::Divmod => vec![output, output],
    };
    let input = |(operand, dtype): (&Operand, Dtype)| match operand {
        Operand::Array(_) => Ok(Input::Array(dtype)),
        Operand::Number(number) => number.to_slab(dtype).map(Input::Number),
    };
    let inputs = operands.iter().zip(dtypes).map(input).collect::<Result<_, _>>()?;
    Ok(Loop { function: ufunc.function, inputs, outputs, certain: None })
}

/// The types that the operands are cast to; none if there are no such.
fn dtypes(ufunc: &Ufunc, operands: &[Operand]) -> Option<Vec<Dtype>> {
    let has_arrays = operands.iter().any(|operand| matches!(operand, Operand::Array(_)));
    let own = |operand: &Operand| match operand {
        Operand::Array(dtype) => Some(*dtype),
        Operand::Number(Scalar::Bool(_)) => Some(Dtype::Bool),
        Operand::Number(number) => (!has_arrays).then(|| number.default_dtype()),
    };
    let typed: Option<Vec<Dtype>> = operands.iter().map(own).collect();
    match ufunc.rule {
        Rule::Scale => return scale(ufunc, operands),
        Rule::Separate => {
            if let Some(typed) = typed {
                let fits = |to: &Dtype| typed.iter().all(|from| can_cast(*from, *to, Casting::Safe));
                return ufunc.loops.iter().copied().find(fits).map(|found| vec![found; operands.len()]);
            }
        }
        Rule::Logical => return Some(vec![Dtype::Bool; operands.len()]),
        Rule::Compare => {
            let integers = typed.filter(|typed| typed.iter().all(|dtype| dtype.is_integer() || *dtype == Dtype::Bool));
            let wide = |dtype: &Dtype| if *dtype == Dtype::U64 { Dtype::U64 } else { Dtype::I64 };
            if let Some(integers) = integers
                && common(operands) == Dtype::F64
            {
                return Some(integers.iter().map(wide).collect());
            }
        }
        Rule::Common | Rule::NotOfBool | Rule::Divide => {}
    }
    let common = common(operands);
    if ufunc.rule == Rule::NotOfBool && common == Dtype::Bool {
        return None;
    }
    if ufunc.rule == Rule::Divide && (common.is_integer() || common == Dtype::Bool) {
        return Some(vec![Dtype::F64; operands.len()]);
    }
    let found = if ufunc.loops.contains(&common) {
        Some(common)
    } else {
        ufunc.loops.iter().copied().find(|to| can_cast(common, *to, Casting::Safe))
    };
    found.map(|found| vec![found; operands.len()])
}

/// The type of all operands together.
pub(crate) fn common(operands: &[Operand]) -> Dtype {
    let dtype = |operand: &Operand| match operand {
        Operand::Array(dtype) => Some(*dtype),
        Operand::Number(Scalar::Bool(_)) => Some(Dtype::Bool),
        Operand::Number(_) => None,
    };
    let number = |operand: &Operand| match operand {
        Operand::Array(_) | Operand::Number(Scalar::Bool(_)) => None,
        Operand::Number(number) => Some(*number),
    };
    match operands.iter().filter_map(dtype).reduce(Dtype::promote) {
        Some(arrays) => operands.iter().filter_map(number).fold(arrays, |dtype, number| number.meet(dtype)),
        None => {
            let numbers = operands.iter().filter_map(number).map(Scalar::default_dtype);
            numbers.reduce(Dtype::promote).unwrap_or(Dtype::F64)
        }
    }
}

/// A float and the exponent that it is scaled by.
fn scale(ufunc: &Ufunc, operands: &[Operand]) -> Option<Vec<Dtype>> {
    let [value, exponent] = operands else { return None };
    // An integer without a type fits where an array of numbers has one.
    let is_number = |operand: &Operand| matches!(operand, Operand::Array(dtype) if *dtype != Dtype::Bool);
    let has_numbers = operands.iter().any(is_number);
    let fits = |operand: &Operand, to: Dtype| match operand {
        Operand::Array(from) => can_cast(*from, to, Casting::Safe),
        Operand::Number(Scalar::Int(_)) if has_numbers => true,
        Operand::Number(number) => can_cast(number.default_dtype(), to, Casting::Safe),
    };
    for float in ufunc.loops {
        for integer in [Dtype::I32, Dtype::I64] {
            if fits(value, *float) && fits(exponent, integer) {
                return Some(vec![*float, integer]);
            }
        }
    }
    None
}

/// What a comparison of integers with one that their type does not have comes to.
fn certain(ufunc: &Ufunc, operands: &[Operand]) -> Option<bool> {
    let Function::Binary(function) = ufunc.function else { return None };
    let (dtype, number, is_left) = match operands {
        [Operand::Array(dtype), Operand::Number(Scalar::Int(number))] => (dtype, number, false),
        [Operand::Number(Scalar::Int(number)), Operand::Array(dtype)] => (dtype, number, true),
        _ => return None,
    };
    let (low, high) = dtype.bounds()?;
    if (low..=high).contains(number) {
        return None;
    }
    // Whether the left side is the larger one.
    let is_greater = is_left == (*number > high);
    match function {
        Binary::Equal => Some(false),
        Binary::NotEqual => Some(true),
        Binary::Less | Binary::LessEqual => Some(!is_greater),
        Binary::Greater | Binary::GreaterEqual => Some(is_greater),
        _ => None,
    }
}

fn names(operands: &[Operand]) -> String {
    let name = |operand: &Operand| match operand {
        Operand::Array(dtype) => dtype.name(),
        Operand::Number(Scalar::Bool(_)) => Dtype::Bool.name(),
        Operand::Number(Scalar::Int(_)) => "int",
        Operand::Number(Scalar::Float(_)) => "float",
        Operand::Number(Scalar::Complex(_)) => "complex",
    };
    operands.iter().map(name).collect::<Vec<_>>().join(" and ")
}
