//! What every function makes of every type's values.

use serde_json::json;
use taskgate::array::choose::{Clip, choose, where_dtype};
use taskgate::array::dtype::{ByteOrder, Dtype, Kind};
use taskgate::array::scalar::Scalar;
use taskgate::array::slab::Slab;
use taskgate::array::ufunc::{ALL, Operand, Ufunc};

use super::judge::{Nearness, difference};
use super::oracle::{Questions, question, slabs};
use super::samples::{pairs, samples};

/// Functions whose every bit is determined.
const EXACT: &[&str] = &[
    "absolute",
    "fabs",
    "negative",
    "positive",
    "sign",
    "square",
    "sqrt",
    "reciprocal",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
    "invert",
    "logical_not",
    "bitwise_count",
    "conjugate",
    "spacing",
    "degrees",
    "radians",
    "add",
    "subtract",
    "multiply",
    "divide",
    "floor_divide",
    "remainder",
    "fmod",
    "copysign",
    "nextafter",
    "ldexp",
    "heaviside",
    "gcd",
    "lcm",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "left_shift",
    "right_shift",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "modf",
    "frexp",
    "divmod",
];
/// Functions that pick one of two zeros, which numpy itself does now this way and now that.
const PICKING: &[&str] = &["maximum", "minimum", "fmax", "fmin"];

fn nearness(ufunc: &Ufunc, dtype: Dtype) -> Nearness {
    let is_complex = dtype.kind() == Kind::Complex;
    match ufunc.name() {
        name if PICKING.contains(&name) => Nearness::Equal,
        // numpy's products of complex numbers are fused on some processors and not on others.
        name if EXACT.contains(&name) && !is_complex => Nearness::Exact,
        "add" | "subtract" | "negative" | "positive" | "conjugate" | "rint" => Nearness::Exact,
        "power" | "float_power" if is_complex => Nearness::Power(if dtype == Dtype::C64 { 8192.0 } else { 65_536.0 }),
        // numpy multiplies, or adds 1, in single precision.
        "exp2" | "log1p" if is_complex => Nearness::Around(if dtype == Dtype::C64 { 1024.0 } else { 8.0 }),
        // numpy's own are up to 6 units away from the exact ones.
        _ if is_complex => Nearness::Units(8.0),
        _ => Nearness::Units(2.0),
    }
}

fn ask(questions: &mut Questions<(&'static Ufunc, Vec<Slab>)>, ufunc: &'static Ufunc, slabs: Vec<Slab>) {
    let values: Vec<_> = slabs.iter().map(question).collect();
    questions.ask((ufunc, slabs), json!({"ask": "ufunc", "name": ufunc.name(), "values": values}));
}

fn compare(questions: Questions<(&'static Ufunc, Vec<Slab>)>) {
    let mut wrong = Vec::new();
    for ((ufunc, operands), answer) in questions.answers() {
        let types: Vec<_> = operands.iter().map(|slab| Operand::Array(slab.dtype())).collect();
        let result = match ufunc.resolve(&types) {
            Ok(found) => found.apply(&operands).map_err(|error| (error.to_string(), "ValueError")),
            Err(error) => Err((error.to_string(), "UFuncTypeError")),
        };
        let about = format!("{} of {types:?}", ufunc.name());
        match (result, answer) {
            (Ok(found), Ok(expected)) => {
                let expected = slabs(&expected);
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    let dtype = expected.dtype().max(operands[0].dtype());
                    if let Some(difference) = difference(found, expected, nearness(ufunc, dtype)) {
                        wrong.push(format!("{about}: {difference}"));
                    }
                }
            }
            (Err((_, "ValueError")), Err(class)) if class == "ValueError" => {}
            (Err((_, "UFuncTypeError")), Err(class)) if class != "ValueError" => {}
            (found, expected) => wrong.push(format!("{about}: {:?} instead of {:?}", found.err(), expected.err())),
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn functions_of_one_operand() {
    let mut questions = Questions::new();
    for ufunc in ALL.iter().filter(|ufunc| ufunc.inputs() == 1) {
        for dtype in Dtype::ALL {
            ask(&mut questions, ufunc, vec![samples(dtype, 300)]);
        }
        // Of halves there are so few that all can be tried.
        let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
        let halves = Slab::from_bytes(Dtype::F16, ByteOrder::Little, vec![1 << 16], &bytes).expect("as many bytes");
        ask(&mut questions, ufunc, vec![halves]);
    }
    compare(questions);
}

#[test]
fn functions_of_two_operands() {
    let mut questions = Questions::new();
    for ufunc in ALL.iter().filter(|ufunc| ufunc.inputs() == 2) {
        for left in Dtype::ALL {
            for right in Dtype::ALL {
                ask(&mut questions, ufunc, pairs(few(left), few(right)).into());
            }
        }
    }
    compare(questions);
}

/// Edges alone, and of complex numbers not the whole grid.
fn few(dtype: Dtype) -> Slab {
    let slab = samples(dtype, 4);
    if dtype.kind() != Kind::Complex {
        return slab;
    }
    let bytes = slab.to_bytes(ByteOrder::Little);
    let chosen: Vec<u8> = bytes.chunks(dtype.item_size()).step_by(5).flatten().copied().collect();
    let count = chosen.len() / dtype.item_size();
    Slab::from_bytes(dtype, ByteOrder::Little, vec![count], &chosen).expect("as many")
}

#[test]
fn powers_of_integers() {
    let mut questions = Questions::new();
    let power = Ufunc::named("power").expect("known");
    for dtype in Dtype::ALL.into_iter().filter(|dtype| dtype.is_integer()) {
        let exponents = Slab::of((0_u8..70).collect()).astype(dtype);
        ask(&mut questions, power, pairs(samples(dtype, 10), exponents).into());
    }
    compare(questions);
}

#[test]
fn numbers_take_the_type_that_they_meet() {
    let numbers = [
        (Scalar::Int(0), json!({"int": "0"})),
        (Scalar::Int(3), json!({"int": "3"})),
        (Scalar::Int(-1), json!({"int": "-1"})),
        (Scalar::Int(200), json!({"int": "200"})),
        (Scalar::Int(70_000), json!({"int": "70000"})),
        (Scalar::Int(i64::MAX.into()), json!({"int": i64::MAX.to_string()})),
        (Scalar::Int(u64::MAX.into()), json!({"int": u64::MAX.to_string()})),
        (Scalar::Int(i128::from(u64::MAX) * 4), json!({"int": (i128::from(u64::MAX) * 4).to_string()})),
        (Scalar::Float(2.5), json!({"float": "0x1.4p1"})),
        (Scalar::Float(1e300), json!({"float": "0x1.7e43c8800759cp+996"})),
    ];
    let mut questions = Questions::new();
    for name in ["add", "multiply", "equal", "less", "greater_equal", "not_equal", "divide", "maximum"] {
        for dtype in Dtype::ALL.into_iter().filter(|dtype| *dtype != Dtype::Bool) {
            let slab = samples(dtype, 3);
            for (number, value) in &numbers {
                for is_left in [false, true] {
                    let mut values = [question(&slab), value.clone()];
                    let mut operands = [Operand::Array(dtype), Operand::Number(*number)];
                    if is_left {
                        values.reverse();
                        operands.reverse();
                    }
                    let question = json!({"ask": "ufunc", "name": name, "values": values});
                    questions.ask((name, operands, slab.clone()), question);
                }
            }
        }
    }
    let mut wrong = Vec::new();
    for ((name, operands, slab), answer) in questions.answers() {
        let ufunc = Ufunc::named(name).expect("known");
        let found =
            ufunc.resolve(&operands).ok().map(|found| found.apply(std::slice::from_ref(&slab)).expect("values"));
        match (found, answer) {
            (Some(found), Ok(expected)) => {
                let near = nearness(ufunc, slab.dtype());
                if let Some(difference) = difference(&found[0], &slabs(&expected)[0], near) {
                    wrong.push(format!("{name} of {operands:?}: {difference}"));
                }
            }
            (None, Err(_)) => {}
            (found, answer) => wrong.push(format!("{name} of {operands:?}: {found:?} instead of {answer:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn choosing() {
    let mut wheres = Questions::new();
    let mut clips = Questions::new();
    for left in Dtype::ALL {
        for right in Dtype::ALL {
            let [yes, no] = pairs(few(left), few(right));
            let condition = Slab::of((0..no.values().len()).map(|index| index % 3 == 0).collect());
            let values = [&condition, &yes, &no].map(question);
            wheres.ask([condition, yes.clone(), no.clone()], json!({"ask": "where", "values": values}));
            let value = yes.clone();
            let question = json!({"ask": "clip", "values": [question(&value), question(&no), question(&no)]});
            clips.ask([value, no], question);
        }
    }
    for ([condition, yes, no], answer) in wheres.answers() {
        let dtype = where_dtype(Operand::Array(yes.dtype()), Operand::Array(no.dtype()));
        let found = choose(&condition, &yes, &no, dtype).expect("values");
        assert_eq!(difference(&found, &slabs(&answer.expect("values"))[0], Nearness::Exact), None);
    }
    for ([value, bound], answer) in clips.answers() {
        let operand = Operand::Array(bound.dtype());
        let clip = Clip::resolve(Operand::Array(value.dtype()), Some(operand), Some(operand)).expect("types");
        let found = clip.apply(&value, &[bound.clone(), bound.clone()]).expect("values");
        let about = format!("{} by {}", value.dtype(), bound.dtype());
        let expected = slabs(&answer.expect("values")).remove(0);
        assert_eq!(difference(&found, &expected, Nearness::Equal), None, "{about}");
    }
}
