//! Which functions there are of which types, and what they return.

use serde_json::json;
use taskgate::array::dtype::Dtype;
use taskgate::array::element::Complex128;
use taskgate::array::scalar::Scalar;
use taskgate::array::ufunc::{ALL, Operand, Ufunc};

use super::oracle::Questions;

/// Every type, and numbers without one.
fn operands() -> Vec<(Operand, &'static str)> {
    let numbers = [
        (Operand::Number(Scalar::Int(1)), "int"),
        (Operand::Number(Scalar::Float(1.0)), "float"),
        (Operand::Number(Scalar::Complex(Complex128::new(1.0, 1.0))), "complex"),
    ];
    Dtype::ALL.into_iter().map(|dtype| (Operand::Array(dtype), dtype.name())).chain(numbers).collect()
}

#[test]
fn every_function_has_the_types_that_numpy_gives_it() {
    let mut questions = Questions::new();
    for ufunc in ALL {
        for (first, first_name) in operands() {
            for (second, second_name) in operands() {
                let (operands, names) = match ufunc.inputs() {
                    1 => (vec![first], vec![first_name]),
                    _ => (vec![first, second], vec![first_name, second_name]),
                };
                // Two integers without a type are Python's own, which numpy compares as objects.
                if names != ["int", "int"] {
                    let question = json!({"ask": "types", "name": ufunc.name(), "operands": names});
                    questions.ask((ufunc, operands), question);
                }
                if ufunc.inputs() == 1 {
                    break;
                }
            }
        }
    }
    let mut wrong = Vec::new();
    for ((ufunc, operands), answer) in questions.answers() {
        let found = ufunc.resolve(&operands).map(|found| found.outputs().iter().map(|dtype| dtype.name()).collect());
        let found = found.ok().map(|names: Vec<&str>| json!(names));
        if found != answer.clone().ok() {
            wrong.push(format!("{} of {operands:?}: {found:?} instead of {answer:?}", ufunc.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn numpy_knows_every_name() {
    let mut questions = Questions::new();
    for ufunc in ALL {
        for name in [&[ufunc.name()], ufunc.aliases()].concat() {
            assert_eq!(Ufunc::named(name), Some(ufunc));
            let dtype =
                if ufunc.resolve(&[Operand::Array(Dtype::F64); 2][..ufunc.inputs()]).is_ok() { "f8" } else { "i4" };
            let names = if ufunc.name() == "ldexp" { vec!["f8", "i4"] } else { vec![dtype; ufunc.inputs()] };
            questions.ask(name, json!({"ask": "types", "name": name, "operands": names}));
        }
    }
    for (name, answer) in questions.answers() {
        assert!(answer.is_ok(), "{name}: {answer:?}");
    }
}
