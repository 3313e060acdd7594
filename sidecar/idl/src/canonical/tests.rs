use buffa::Message as _;
use buffa_types::google::protobuf::{Struct, Value, value};

use super::*;
use crate::proto::flyteidl2::core::{Literal, LiteralOffloadedMetadata, Scalar, literal, scalar};
use crate::proto::flyteidl2::task::NamedLiteral;

fn with(literal: Literal) -> Inputs {
    let literal = NamedLiteral { name: "x".to_owned(), value: literal.into(), ..Default::default() };
    Inputs { literals: vec![literal], ..Default::default() }
}

fn structure(keys: &[&str], depth: usize) -> Struct {
    let value = |key: &&str| {
        let kind = match depth {
            0 => value::Kind::NumberValue(f64::from(u8::try_from(key.len()).expect("short"))),
            depth => value::Kind::StructValue(Box::new(structure(keys, depth - 1))),
        };
        ((*key).to_owned(), Value { kind: Some(kind), ..Default::default() })
    };
    Struct { fields: keys.iter().map(value).collect(), ..Default::default() }
}

fn generic(keys: &[&str]) -> Inputs {
    let scalar = Scalar { value: Some(scalar::Value::Generic(Box::new(structure(keys, 2)))), ..Default::default() };
    with(Literal { value: Some(literal::Value::Scalar(Box::new(scalar))), ..Default::default() })
}

#[test]
fn maps_whose_order_is_random_come_in_the_order_of_their_keys() {
    let keys = ["zeta", "b", "", "alpha", "bb", "ü", "Z"];
    let once = inputs(&generic(&keys));
    for _ in 0..20 {
        assert_eq!(inputs(&generic(&keys)), once);
    }
    assert_eq!(Inputs::decode_from_slice(&once).expect("inputs"), generic(&keys));
    let place = |key: &str| {
        let entry = [&[0x0a, u8::try_from(key.len()).expect("short")], key.as_bytes(), &[0x12]].concat();
        once.windows(entry.len()).position(|window| window == entry).expect("the key")
    };
    assert!(["Z", "alpha", "b", "bb", "zeta", "ü"].map(place).is_sorted());
}

#[test]
fn a_member_of_a_choice_stands_where_the_first_one_would() {
    let metadata = LiteralOffloadedMetadata { uri: "u".to_owned(), ..Default::default() };
    let literal = Literal {
        value: Some(literal::Value::OffloadedMetadata(Box::new(metadata))),
        hash: "h".to_owned(),
        ..Default::default()
    };
    // Field 8 is before field 4, for it is a member of the choice whose first is field 1.
    let literal_bytes = [0x42, 0x03, 0x0a, 0x01, b'u', 0x22, 0x01, b'h'];
    let value = [&[0x0a, 0x01, b'x', 0x12, 0x08][..], &literal_bytes].concat();
    assert_eq!(inputs(&with(literal)), [&[0x0a, 0x0d][..], &value].concat());
}

#[test]
fn what_is_unknown_stays_and_comes_last() {
    // An unknown field 100 of bytes before the name, and one of a number within the value.
    let value = [0x98, 0x06, 0x07, 0x22, 0x01, b'h'];
    let named = [&[0xa2, 0x06, 0x01, b'?', 0x0a, 0x01, b'x', 0x12, 0x06][..], &value].concat();
    let read = Inputs::decode_from_slice(&[&[0x0a, 0x0f][..], &named].concat()).expect("inputs");
    let value = [0x22, 0x01, b'h', 0x98, 0x06, 0x07];
    let named = [&[0x0a, 0x01, b'x', 0x12, 0x06][..], &value, &[0xa2, 0x06, 0x01, b'?']].concat();
    assert_eq!(inputs(&read), [&[0x0a, 0x0f][..], &named].concat());
}

#[test]
fn no_bytes_are_too_odd() {
    for bytes in [&[0x0a][..], &[0x0a, 0x05, 0x01], &[0xff; 11], &[0x0b, 0x0c], &[0x0e], &[0x09, 1], &[0x0d, 1]] {
        let mut rest = bytes;
        while !rest.is_empty() {
            if Raw::take(&mut rest).is_none() {
                break;
            }
        }
    }
    assert!(ordered(&[0x0a, 0x05, 0x01], INPUTS).is_none());
}
