//! Promotion, permitted casts, and what casts make of values.

use serde_json::json;
use taskgate::array::dtype::{Casting, Dtype, Kind, can_cast};
use taskgate::array::element::Values;
use taskgate::array::slab::Slab;

use super::judge::{Nearness, difference};
use super::oracle::{Questions, question, slabs};
use super::samples::samples;

const CASTINGS: [(Casting, &str); 5] = [
    (Casting::No, "no"),
    (Casting::Equiv, "equiv"),
    (Casting::Safe, "safe"),
    (Casting::SameKind, "same_kind"),
    (Casting::Unsafe, "unsafe"),
];

#[test]
fn promotion_and_permitted_casts_are_those_of_numpy() {
    let mut promotions = Questions::new();
    let mut permissions = Questions::new();
    for from in Dtype::ALL {
        for to in Dtype::ALL {
            promotions.ask((from, to), json!({"ask": "promote", "from": from.name(), "to": to.name()}));
            for (casting, name) in CASTINGS {
                let question = json!({"ask": "can_cast", "from": from.name(), "to": to.name(), "casting": name});
                permissions.ask((from, to, casting), question);
            }
        }
    }
    for ((from, to), answer) in promotions.answers() {
        assert_eq!(from.promote(to).name(), answer.expect("a type"), "{from} and {to}");
    }
    for ((from, to, casting), answer) in permissions.answers() {
        assert_eq!(can_cast(from, to, casting), answer.expect("a truth"), "{from} to {to}, {casting:?}");
    }
}

#[test]
fn every_cast_makes_the_same_of_every_value() {
    let mut questions = Questions::new();
    for from in Dtype::ALL {
        let slab = samples(from, 200);
        for to in Dtype::ALL {
            let question = json!({"ask": "astype", "value": question(&slab), "to": to.name()});
            questions.ask((slab.clone(), to), question);
        }
    }
    let mut wrong = Vec::new();
    for ((slab, to), answer) in questions.answers() {
        let from = slab.dtype();
        let (mut found, mut expected) = (slab.clone().astype(to), slabs(&answer.expect("values")).remove(0));
        if to == Dtype::U32 {
            (found, expected) = (within_u32(&slab, found), within_u32(&slab, expected));
        }
        if let Some(difference) = difference(&found, &expected, Nearness::Exact) {
            wrong.push(format!("{from} to {to}: {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Zeros where a float is out of range: numpy itself makes one thing of it in vectors and another one in
/// what is left over.
fn within_u32(from: &Slab, result: Slab) -> Slab {
    let (Values::F64(values), Values::U32(results)) = (from.values().astype(Dtype::F64), result.values()) else {
        return result;
    };
    if from.dtype().kind() < Kind::Float {
        return result;
    }
    let is_within = |value: f64| value > -2_147_483_649.0 && value < 4_294_967_296.0;
    let results = values.iter().zip(results).map(|(value, result)| if is_within(*value) { *result } else { 0 });
    Slab::of(results.collect())
}
