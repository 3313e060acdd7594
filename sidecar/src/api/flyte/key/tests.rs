use std::collections::BTreeMap;

use taskgate_idl::proto::flyteidl2::core::{
    KeyValuePair, Literal, LiteralMap, Primitive, Scalar, literal, primitive, scalar,
};
use taskgate_idl::proto::flyteidl2::task::NamedLiteral;

use super::*;

fn literal(value: primitive::Value) -> Literal {
    let primitive = Primitive { value: Some(value), ..Default::default() };
    let scalar = Scalar { value: Some(scalar::Value::Primitive(Box::new(primitive))), ..Default::default() };
    Literal { value: Some(literal::Value::Scalar(Box::new(scalar))), ..Default::default() }
}

fn named(name: &str, value: Literal) -> NamedLiteral {
    NamedLiteral { name: name.to_owned(), value: value.into(), ..Default::default() }
}

fn inputs(literals: Vec<NamedLiteral>) -> Inputs {
    Inputs { literals, ..Default::default() }
}

fn integer(name: &str, value: i64) -> NamedLiteral {
    named(name, literal(primitive::Value::Integer(value)))
}

fn hello(name: &str) -> NamedLiteral {
    named(name, literal(primitive::Value::StringValue("hello".to_owned())))
}

fn context() -> Vec<KeyValuePair> {
    vec![KeyValuePair { key: "k".to_owned(), value: "v".to_owned(), ..Default::default() }]
}

// The keys are what Flyte's own service gives for these inputs.

#[test]
fn keys_are_flytes_own() {
    assert_eq!(of(inputs(vec![integer("x", 42)]), &[]), "ImqB6TmEjYE");
    assert_eq!(of(inputs(vec![hello("y")]), &[]), "Jh4-ZuqYoA8");
    assert_eq!(of(Inputs::default(), &[]), "y_Kc5IQiIyU");
}

#[test]
fn ignored_inputs_do_not_count() {
    let ignored = ["y".to_owned()];
    assert_eq!(of(inputs(vec![integer("x", 1), hello("y")]), &ignored), "ImpW6TmERHA");
    assert_eq!(of(inputs(vec![integer("x", 1), integer("y", 7)]), &ignored), "ImpW6TmERHA");
}

#[test]
fn the_context_counts_where_nothing_is_ignored_and_there_alone() {
    let with_context = Inputs { context: context(), ..inputs(vec![integer("x", 1)]) };
    assert_eq!(of(with_context.clone(), &[]), "ltuV7rScu78");
    assert_eq!(of(with_context, &["other".to_owned()]), "ImpW6TmERHA");
}

#[test]
fn maps_count_in_the_order_of_their_keys() {
    let literals: BTreeMap<_, _> = "zyxabc"
        .chars()
        .map(|name| (name.to_string(), literal(primitive::Value::Integer(i64::from(u32::from(name))))))
        .collect();
    let map = LiteralMap { literals, ..Default::default() };
    let value = Literal { value: Some(literal::Value::Map(Box::new(map))), ..Default::default() };
    assert_eq!(of(inputs(vec![named("m", value)]), &[]), "0W4tfTnkG_4");
}
