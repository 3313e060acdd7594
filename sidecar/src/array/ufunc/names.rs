//! Which functions there are, and of what.

use super::binary::Binary;
use super::unary::Unary;
use super::{Function, Outcome, Rule, Ufunc};
use crate::array::dtype::Dtype::{self, Bool, C64, C128, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};

const ALL_TYPES: &[Dtype] = &[Bool, I8, U8, I16, U16, I32, U32, I64, U64, F16, F32, F64, C64, C128];
const NUMBERS: &[Dtype] = &[I8, U8, I16, U16, I32, U32, I64, U64, F16, F32, F64, C64, C128];
const REALS: &[Dtype] = &[Bool, I8, U8, I16, U16, I32, U32, I64, U64, F16, F32, F64];
const RATIONAL: &[Dtype] = &[I8, U8, I16, U16, I32, U32, I64, U64, F16, F32, F64];
const BITS: &[Dtype] = &[Bool, I8, U8, I16, U16, I32, U32, I64, U64];
const INTEGERS: &[Dtype] = &[I8, U8, I16, U16, I32, U32, I64, U64];
const INEXACT: &[Dtype] = &[F16, F32, F64, C64, C128];
const FLOATS: &[Dtype] = &[F16, F32, F64];
const DOUBLES: &[Dtype] = &[F64, C128];

/// All element-wise functions.
pub static ALL: &[Ufunc] = &[
    ufunc("absolute", &["abs"], Function::Unary(Unary::Absolute), ALL_TYPES, Rule::Common, Outcome::Real),
    ufunc("fabs", &[], Function::Unary(Unary::Fabs), FLOATS, Rule::Common, Outcome::Same),
    ufunc("negative", &[], Function::Unary(Unary::Negative), NUMBERS, Rule::NotOfBool, Outcome::Same),
    ufunc("positive", &[], Function::Unary(Unary::Positive), NUMBERS, Rule::NotOfBool, Outcome::Same),
    ufunc("sign", &[], Function::Unary(Unary::Sign), NUMBERS, Rule::NotOfBool, Outcome::Same),
    ufunc("square", &[], Function::Unary(Unary::Square), NUMBERS, Rule::Common, Outcome::Same),
    ufunc("reciprocal", &[], Function::Unary(Unary::Reciprocal), NUMBERS, Rule::Common, Outcome::Same),
    ufunc("conjugate", &["conj"], Function::Unary(Unary::Conjugate), NUMBERS, Rule::Common, Outcome::Same),
    ufunc("sqrt", &[], Function::Unary(Unary::Sqrt), INEXACT, Rule::Common, Outcome::Same),
    ufunc("cbrt", &[], Function::Unary(Unary::Cbrt), FLOATS, Rule::Common, Outcome::Same),
    ufunc("exp", &[], Function::Unary(Unary::Exp), INEXACT, Rule::Common, Outcome::Same),
    ufunc("exp2", &[], Function::Unary(Unary::Exp2), INEXACT, Rule::Common, Outcome::Same),
    ufunc("expm1", &[], Function::Unary(Unary::Expm1), INEXACT, Rule::Common, Outcome::Same),
    ufunc("log", &[], Function::Unary(Unary::Log), INEXACT, Rule::Common, Outcome::Same),
    ufunc("log2", &[], Function::Unary(Unary::Log2), INEXACT, Rule::Common, Outcome::Same),
    ufunc("log10", &[], Function::Unary(Unary::Log10), INEXACT, Rule::Common, Outcome::Same),
    ufunc("log1p", &[], Function::Unary(Unary::Log1p), INEXACT, Rule::Common, Outcome::Same),
    ufunc("sin", &[], Function::Unary(Unary::Sin), INEXACT, Rule::Common, Outcome::Same),
    ufunc("cos", &[], Function::Unary(Unary::Cos), INEXACT, Rule::Common, Outcome::Same),
    ufunc("tan", &[], Function::Unary(Unary::Tan), INEXACT, Rule::Common, Outcome::Same),
    ufunc("arcsin", &["asin"], Function::Unary(Unary::Arcsin), INEXACT, Rule::Common, Outcome::Same),
    ufunc("arccos", &["acos"], Function::Unary(Unary::Arccos), INEXACT, Rule::Common, Outcome::Same),
    ufunc("arctan", &["atan"], Function::Unary(Unary::Arctan), INEXACT, Rule::Common, Outcome::Same),
    ufunc("sinh", &[], Function::Unary(Unary::Sinh), INEXACT, Rule::Common, Outcome::Same),
    ufunc("cosh", &[], Function::Unary(Unary::Cosh), INEXACT, Rule::Common, Outcome::Same),
    ufunc("tanh", &[], Function::Unary(Unary::Tanh), INEXACT, Rule::Common, Outcome::Same),
    ufunc("arcsinh", &["asinh"], Function::Unary(Unary::Arcsinh), INEXACT, Rule::Common, Outcome::Same),
    ufunc("arccosh", &["acosh"], Function::Unary(Unary::Arccosh), INEXACT, Rule::Common, Outcome::Same),
    ufunc("arctanh", &["atanh"], Function::Unary(Unary::Arctanh), INEXACT, Rule::Common, Outcome::Same),
    ufunc("degrees", &["rad2deg"], Function::Unary(Unary::Degrees), FLOATS, Rule::Common, Outcome::Same),
    ufunc("radians", &["deg2rad"], Function::Unary(Unary::Radians), FLOATS, Rule::Common, Outcome::Same),
    ufunc("floor", &[], Function::Unary(Unary::Floor), REALS, Rule::Common, Outcome::Same),
    ufunc("ceil", &[], Function::Unary(Unary::Ceil), REALS, Rule::Common, Outcome::Same),
    ufunc("trunc", &[], Function::Unary(Unary::Trunc), REALS, Rule::Common, Outcome::Same),
    ufunc("rint", &[], Function::Unary(Unary::Rint), INEXACT, Rule::Common, Outcome::Same),
    ufunc("isnan", &[], Function::Unary(Unary::Isnan), ALL_TYPES, Rule::Common, Outcome::Bool),
    ufunc("isinf", &[], Function::Unary(Unary::Isinf), ALL_TYPES, Rule::Common, Outcome::Bool),
    ufunc("isfinite", &[], Function::Unary(Unary::Isfinite), ALL_TYPES, Rule::Common, Outcome::Bool),
    ufunc("signbit", &[], Function::Unary(Unary::Signbit), FLOATS, Rule::Common, Outcome::Bool),
    ufunc("spacing", &[], Function::Unary(Unary::Spacing), FLOATS, Rule::Common, Outcome::Same),
    ufunc(
        "invert",
        &["bitwise_not", "bitwise_invert"],
        Function::Unary(Unary::Invert),
        BITS,
        Rule::Common,
        Outcome::Same,
    ),
    ufunc("logical_not", &[], Function::Unary(Unary::LogicalNot), ALL_TYPES, Rule::Logical, Outcome::Bool),
    ufunc("bitwise_count", &[], Function::Unary(Unary::BitwiseCount), INTEGERS, Rule::Common, Outcome::Byte),
    ufunc("add", &[], Function::Binary(Binary::Add), ALL_TYPES, Rule::Common, Outcome::Same),
    ufunc("subtract", &[], Function::Binary(Binary::Subtract), NUMBERS, Rule::NotOfBool, Outcome::Same),
    ufunc("multiply", &[], Function::Binary(Binary::Multiply), ALL_TYPES, Rule::Common, Outcome::Same),
    ufunc("divide", &["true_divide"], Function::Binary(Binary::Divide), INEXACT, Rule::Divide, Outcome::Same),
    ufunc("floor_divide", &[], Function::Binary(Binary::FloorDivide), RATIONAL, Rule::Common, Outcome::Same),
    ufunc("remainder", &["mod"], Function::Binary(Binary::Remainder), RATIONAL, Rule::Common, Outcome::Same),
    ufunc("fmod", &[], Function::Binary(Binary::Fmod), RATIONAL, Rule::Common, Outcome::Same),
    ufunc("power", &["pow"], Function::Binary(Binary::Power), NUMBERS, Rule::Common, Outcome::Same),
    ufunc("float_power", &[], Function::Binary(Binary::FloatPower), DOUBLES, Rule::Common, Outcome::Same),
    ufunc("maximum", &[], Function::Binary(Binary::Maximum), ALL_TYPES, Rule::Common, Outcome::Same),
    ufunc("minimum", &[], Function::Binary(Binary::Minimum), ALL_TYPES, Rule::Common, Outcome::Same),
    ufunc("fmax", &[], Function::Binary(Binary::Fmax), ALL_TYPES, Rule::Common, Outcome::Same),
    ufunc("fmin", &[], Function::Binary(Binary::Fmin), ALL_TYPES, Rule::Common, Outcome::Same),
    ufunc("arctan2", &["atan2"], Function::Binary(Binary::Arctan2), FLOATS, Rule::Separate, Outcome::Same),
    ufunc("hypot", &[], Function::Binary(Binary::Hypot), FLOATS, Rule::Separate, Outcome::Same),
    ufunc("copysign", &[], Function::Binary(Binary::Copysign), FLOATS, Rule::Separate, Outcome::Same),
    ufunc("nextafter", &[], Function::Binary(Binary::Nextafter), FLOATS, Rule::Separate, Outcome::Same),
    ufunc("heaviside", &[], Function::Binary(Binary::Heaviside), FLOATS, Rule::Separate, Outcome::Same),
    ufunc("logaddexp", &[], Function::Binary(Binary::Logaddexp), FLOATS, Rule::Separate, Outcome::Same),
    ufunc("logaddexp2", &[], Function::Binary(Binary::Logaddexp2), FLOATS, Rule::Separate, Outcome::Same),
    ufunc("ldexp", &[], Function::Binary(Binary::Ldexp), FLOATS, Rule::Scale, Outcome::Same),
    ufunc("gcd", &[], Function::Binary(Binary::Gcd), INTEGERS, Rule::NotOfBool, Outcome::Same),
    ufunc("lcm", &[], Function::Binary(Binary::Lcm), INTEGERS, Rule::NotOfBool, Outcome::Same),
    ufunc("bitwise_and", &[], Function::Binary(Binary::BitwiseAnd), BITS, Rule::Common, Outcome::Same),
    ufunc("bitwise_or", &[], Function::Binary(Binary::BitwiseOr), BITS, Rule::Common, Outcome::Same),
    ufunc("bitwise_xor", &[], Function::Binary(Binary::BitwiseXor), BITS, Rule::Common, Outcome::Same),
    ufunc(
        "left_shift",
        &["bitwise_left_shift"],
        Function::Binary(Binary::LeftShift),
        INTEGERS,
        Rule::Common,
        Outcome::Same,
    ),
    ufunc(
        "right_shift",
        &["bitwise_right_shift"],
        Function::Binary(Binary::RightShift),
        INTEGERS,
        Rule::Common,
        Outcome::Same,
    ),
    ufunc("equal", &[], Function::Binary(Binary::Equal), ALL_TYPES, Rule::Compare, Outcome::Bool),
    ufunc("not_equal", &[], Function::Binary(Binary::NotEqual), ALL_TYPES, Rule::Compare, Outcome::Bool),
    ufunc("less", &[], Function::Binary(Binary::Less), ALL_TYPES, Rule::Compare, Outcome::Bool),
    ufunc("less_equal", &[], Function::Binary(Binary::LessEqual), ALL_TYPES, Rule::Compare, Outcome::Bool),
    ufunc("greater", &[], Function::Binary(Binary::Greater), ALL_TYPES, Rule::Compare, Outcome::Bool),
    ufunc("greater_equal", &[], Function::Binary(Binary::GreaterEqual), ALL_TYPES, Rule::Compare, Outcome::Bool),
    ufunc("logical_and", &[], Function::Binary(Binary::LogicalAnd), ALL_TYPES, Rule::Logical, Outcome::Bool),
    ufunc("logical_or", &[], Function::Binary(Binary::LogicalOr), ALL_TYPES, Rule::Logical, Outcome::Bool),
    ufunc("logical_xor", &[], Function::Binary(Binary::LogicalXor), ALL_TYPES, Rule::Logical, Outcome::Bool),
    ufunc("frexp", &[], Function::Frexp, FLOATS, Rule::Common, Outcome::Same),
    ufunc("modf", &[], Function::Modf, FLOATS, Rule::Common, Outcome::Same),
    ufunc("divmod", &[], Function::Divmod, RATIONAL, Rule::Common, Outcome::Same),
];

const fn ufunc(
    name: &'static str,
    aliases: &'static [&'static str],
    function: Function,
    loops: &'static [Dtype],
    rule: Rule,
    result: Outcome,
) -> Ufunc {
    Ufunc { name, aliases, function, loops, rule, result }
}
