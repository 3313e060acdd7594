//! Round trips, what the server writes, and what poisons its JSON.

use proptest::prelude::*;

use super::{AttributesMode, JsonError, JsonOptions, Node, Yson, YsonError, YsonFormat, YsonMap};

fn parse(yson: &str) -> Yson {
    Yson::parse(yson).unwrap()
}

fn json(yson: &Yson, options: &JsonOptions) -> Result<String, JsonError> {
    yson.to_json(options).map(|json| String::from_utf8(json).unwrap())
}

fn values() -> impl Strategy<Value = Yson> {
    let strings = proptest::collection::vec(any::<u8>(), 0..12);
    let leaf = prop_oneof![
        Just(Node::Entity),
        any::<bool>().prop_map(Node::Bool),
        any::<i64>().prop_map(Node::Int64),
        any::<u64>().prop_map(Node::Uint64),
        any::<f64>().prop_filter("NaN differs from itself", |value| !value.is_nan()).prop_map(Node::Double),
        strings.clone().prop_map(Node::String),
    ]
    .prop_map(Yson::from);
    leaf.prop_recursive(4, 48, 5, move |inner| {
        let maps = proptest::collection::btree_map(strings.clone(), inner.clone(), 0..4);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Yson::from),
            maps.clone().prop_map(Yson::from),
            (maps, inner).prop_map(|(attributes, value)| Yson { attributes, node: value.node }),
        ]
    })
}

proptest! {
    #[test]
    fn comes_back_from_every_format(value in values()) {
        for format in [YsonFormat::Binary, YsonFormat::Text, YsonFormat::Pretty] {
            let bytes = value.to_bytes(format);
            prop_assert_eq!(Yson::parse(&bytes), Ok(value.clone()), "{:?}", format);
            prop_assert!(format == YsonFormat::Binary || bytes.is_ascii());
        }
    }

    #[test]
    fn strings_come_back_from_json(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
        let value = Yson::from(bytes.as_slice());
        let written = value.to_json(&JsonOptions::default()).unwrap();
        prop_assert_eq!(Yson::parse_json(&written, true), Ok(value));
    }

    #[test]
    fn nothing_makes_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = Yson::parse(&bytes);
        let _ = Yson::parse_rows(&bytes);
    }
}

#[test]
fn reads_what_people_write() {
    let value = parse("  { a = %true ; b = <x=1> \"y\\n\\x41\\101\" ; c = [ 1u ; -2 ; 3. ; 1e3 ; # ; ] ; } ");
    assert_eq!(value.field("a").and_then(Yson::as_bool), Some(true));
    assert_eq!(value.at(&["b"]).and_then(Yson::as_str), Some("y\nAA"));
    assert_eq!(value.at(&["b"]).and_then(|b| b.attribute("x")).and_then(Yson::as_i64), Some(1));
    let items = [Yson::from(1_u64), Yson::from(-2_i64), Yson::from(3.0), Yson::from(1000.0), Yson::entity()];
    assert_eq!(value.field("c").and_then(Yson::as_list), Some(items.as_slice()));
    assert_eq!(parse("a-b.c_d").as_str(), Some("a-b.c_d"));
    assert!(parse("%nan").as_f64().is_some_and(f64::is_nan));
    assert_eq!(parse("%-inf").as_f64(), Some(f64::NEG_INFINITY));
    assert_eq!(Yson::parse(b"{\x01\nvalue=\x05;}"), Ok(Yson::map([("value", true)])));
}

#[test]
fn says_what_is_wrong() {
    assert_eq!(Yson::parse("{a=1"), Err(YsonError::End));
    assert_eq!(Yson::parse("1 2"), Err(YsonError::Trailing { offset: 2 }));
    assert_eq!(Yson::parse("{a 1}"), Err(YsonError::Unexpected { byte: b'1', offset: 3 }));
    assert_eq!(Yson::parse("99999999999999999999"), Err(YsonError::Number { offset: 0 }));
    assert_eq!(Yson::parse("[".repeat(100_000)), Err(YsonError::Depth));
}

#[test]
fn writes_as_the_server_does() {
    let value = parse("{b=<x=1>[1;{}];a=\"q\\\"\\x00\\xff\"}");
    assert_eq!(value.to_string(), r#"{"a"="q\"\0\xFF";"b"=<"x"=1;>[1;{};];}"#);
    assert_eq!(
        String::from_utf8(value.to_bytes(YsonFormat::Pretty)).unwrap(),
        "{\n    \"a\" = \"q\\\"\\0\\xFF\";\n    \"b\" = <\n        \"x\" = 1;\n    > [\n        1;\n        {};\n    ];\n}"
    );
    assert_eq!(parse("{value=%true}").to_bytes(YsonFormat::Binary), b"{\x01\nvalue=\x05;}");
    assert_eq!(parse("[1.;1e300;%inf;%nan]").to_string(), "[1.0;1e300;%inf;%nan;]");
}

#[test]
fn rows_are_lists_without_brackets() {
    let rows = Yson::parse_rows("{a=1};\n{a=2}\n").unwrap();
    assert_eq!(rows, [Yson::map([("a", 1_i64)]), Yson::map([("a", 2_i64)])]);
    assert_eq!(Yson::parse_rows("").unwrap(), []);
    let rows = Yson::parse_json_rows(b"{\"a\": 1}\n{\"a\": 2}\n", true).unwrap();
    assert_eq!(rows.len(), 2);
}

#[test]
fn each_byte_is_a_character_of_json() {
    let options = JsonOptions::default();
    assert_eq!(json(&"é".into(), &options).unwrap(), "\"Ã©\"");
    assert_eq!(json(&b"\xff\"\n\x01".as_slice().into(), &options).unwrap(), "\"ÿ\\\"\\n\\u0001\"");
    assert_eq!(Yson::parse_json("\"\u{c3}\u{a9}\"".as_bytes(), true).unwrap(), "é".into());
    assert_eq!(Yson::parse_json("\"ы\"".as_bytes(), true), Err(JsonError::NotBytes));
    assert_eq!(Yson::parse_json("\"ы\"".as_bytes(), false).unwrap(), "ы".into());
}

#[test]
fn one_bad_string_fails_the_whole_answer_without_encode_utf8() {
    let options = JsonOptions { encode_utf8: false, ..JsonOptions::default() };
    assert_eq!(json(&"é".into(), &options).unwrap(), "\"é\"");
    let listing = Yson::list(["fine".into(), Yson::map([("x", Yson::from(b"\xff".as_slice()))])]);
    assert_eq!(json(&listing, &options), Err(JsonError::NotUtf8));
    assert!(json(&listing, &JsonOptions::default()).is_ok());
    let key = Yson::map([(b"\xff".to_vec(), 1_i64)]);
    assert_eq!(json(&key, &options), Err(JsonError::NotUtf8));
}

#[test]
fn one_nan_fails_the_whole_answer() {
    let poisoned = parse("[1;[{a=%nan}]]");
    let infinite = parse("[%inf;%-inf]");
    let default = JsonOptions::default();
    assert_eq!(json(&poisoned, &default), Err(JsonError::NotFinite));
    assert_eq!(json(&infinite, &default), Err(JsonError::NotFinite));
    let quoted = JsonOptions { stringify_nan_and_infinity: true, ..default.clone() };
    assert_eq!(json(&poisoned, &quoted).unwrap(), r#"[1,[{"a":"nan"}]]"#);
    assert_eq!(json(&infinite, &quoted).unwrap(), r#"["inf","-inf"]"#);
    let supported = JsonOptions { support_infinity: true, ..quoted };
    assert_eq!(json(&infinite, &supported).unwrap(), "[inf,-inf]");
    assert_eq!(json(&poisoned, &supported), Err(JsonError::NotANumber));
}

#[test]
fn attributes_change_the_shape() {
    let value = parse("{a=<x=<y=2>1>b;c=3}");
    let mode = |attributes_mode| JsonOptions { attributes_mode, ..JsonOptions::default() };
    assert_eq!(
        json(&value, &mode(AttributesMode::OnDemand)).unwrap(),
        r#"{"a":{"$attributes":{"x":{"$attributes":{"y":2},"$value":1}},"$value":"b"},"c":3}"#
    );
    assert_eq!(json(&value, &mode(AttributesMode::Never)).unwrap(), r#"{"a":"b","c":3}"#);
    assert_eq!(json(&3_i64.into(), &mode(AttributesMode::Always)).unwrap(), r#"{"$attributes":{},"$value":3}"#);
    let written = value.to_json(&JsonOptions::default()).unwrap();
    assert_eq!(Yson::parse_json(&written, true).unwrap(), value);
    assert_eq!(Yson::parse_json(br#"{"$attributes":{}}"#, true), Err(JsonError::Attributes));
}

#[test]
fn data_that_looks_like_attributes_is_escaped() {
    let value = Yson::map([("$value", 1_i64), ("$$x", 2), ("a$", 3)]);
    let written = value.to_json(&JsonOptions::default()).unwrap();
    assert_eq!(written, br#"{"$$$x":2,"$$value":1,"a$":3}"#);
    assert_eq!(Yson::parse_json(&written, true).unwrap(), value);
}

#[test]
fn numbers_keep_their_kind_where_json_can_tell() {
    let options = JsonOptions::default();
    assert_eq!(
        json(&parse("[1;18446744073709551615u;1.;#;%true]"), &options).unwrap(),
        "[1,18446744073709551615,1.0,null,true]"
    );
    let read = Yson::parse_json(b"[1,18446744073709551615,1.0,1e3]", true).unwrap();
    assert_eq!(read, Yson::list([Yson::from(1_i64), u64::MAX.into(), 1.0.into(), 1000.0.into()]));
    let stringify = JsonOptions { stringify: true, ..options };
    assert_eq!(json(&parse("[1;2u;1.5;%false;%nan]"), &stringify).unwrap(), r#"["1","2","1.5","false","nan"]"#);
}

#[test]
fn builds_values() {
    assert_eq!(Yson::map([("a", Yson::list([1_i64, 2]))]), parse("{a=[1;2]}"));
    assert_eq!(Yson::from("x").with_attribute("y", true), parse("<y=%true>x"));
    assert_eq!(Yson::from(None::<&str>), Yson::entity());
    assert_eq!(Yson::from(YsonMap::new()), parse("{}"));
}
