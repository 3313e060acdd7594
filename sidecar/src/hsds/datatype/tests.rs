use serde_json::json;

use super::*;

fn read(json: &Value) -> Datatype {
    let datatype = Datatype::read(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(datatype.json(), json, "a copy has the same JSON");
    datatype
}

fn i32le() -> Value {
    json!({"class": "H5T_INTEGER", "base": "H5T_STD_I32LE"})
}

#[test]
fn sizes_are_those_of_packed_elements() {
    let object = json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_OBJ"});
    let fixed = json!({"class": "H5T_STRING", "length": 5, "charSet": "H5T_CSET_ASCII", "strPad": "H5T_STR_NULLPAD"});
    let variable = json!({"class": "H5T_STRING", "length": "H5T_VARIABLE", "charSet": "H5T_CSET_UTF8"});
    let compound = |types: &[Value]| {
        let fields: Vec<Value> =
            types.iter().enumerate().map(|(n, one)| json!({"name": format!("f{n}"), "type": one})).collect();
        json!({"class": "H5T_COMPOUND", "fields": fields})
    };
    for (json, size) in [
        (i32le(), Some(4)),
        (json!("H5T_STD_U64BE"), Some(8)),
        (json!({"class": "H5T_FLOAT", "base": "H5T_IEEE_F16BE"}), Some(2)),
        (json!({"class": "H5T_BITFIELD", "base": "H5T_STD_B16LE"}), Some(2)),
        (fixed.clone(), Some(5)),
        (variable.clone(), None),
        (object.clone(), Some(48)),
        (json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_OBJ", "length": 38}), Some(38)),
        (json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_DSETREG", "length": "H5T_VARIABLE"}), None),
        (json!({"class": "H5T_OPAQUE", "size": 7, "tag": "x"}), Some(7)),
        (json!({"class": "H5T_ARRAY", "base": i32le(), "dims": [2, 3]}), Some(24)),
        (json!({"class": "H5T_VLEN", "size": "H5T_VARIABLE", "base": i32le()}), None),
        (compound(&[i32le(), fixed, object]), Some(57)),
        (compound(&[i32le(), variable]), None),
    ] {
        assert_eq!(read(&json).item_size(), size, "{json}");
    }
}

#[test]
fn what_numpy_stores_is_known_again() {
    let boolean = json!({
        "class": "H5T_ENUM",
        "base": {"class": "H5T_INTEGER", "base": "H5T_STD_I8LE"},
        "mapping": {"FALSE": 0, "TRUE": 1},
    });
    assert!(read(&boolean).is_boolean());
    assert!(Datatype::boolean().is_boolean());
    assert!(!read(&i32le()).is_boolean());
    let complex = Datatype::complex(4, Order::Big);
    assert_eq!(complex.complex_part(), Some(Layout { bytes: 4, order: Order::Big }));
    assert_eq!(complex.item_size(), Some(8));
    assert_eq!(read(&i32le()).complex_part(), None);
}

#[test]
fn what_is_made_reads_back() {
    for made in [
        Datatype::integer(8, true, Order::Little),
        Datatype::integer(2, false, Order::Big),
        Datatype::float(8, Order::Big),
        Datatype::boolean(),
        Datatype::complex(8, Order::Little),
        Datatype::variable(Datatype::integer(8, true, Order::Little)),
        Datatype::text(),
    ] {
        assert_eq!(Datatype::read(made.json()).as_ref(), Ok(&made));
    }
}

#[test]
fn a_committed_type_is_asked_for_by_its_id() {
    let id = "t-01234567-89abcdef-0123-456789-abcdef";
    let datatype = read(&json!({"class": "H5T_INTEGER", "base": "H5T_STD_I32LE", "id": id}));
    assert_eq!(datatype.committed().map(|id| id.to_string()).as_deref(), Some(id));
    assert_eq!(datatype.wanted(), json!(id));
    let plain = datatype.with_committed(None);
    assert_eq!((plain.committed(), plain.wanted()), (None, i32le()));
}

#[test]
fn references_are_found_at_any_depth() {
    let object = json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_OBJ"});
    let nested = json!({"class": "H5T_VLEN", "base": {"class": "H5T_COMPOUND", "fields": [
        {"name": "a", "type": i32le()}, {"name": "b", "type": {"class": "H5T_ARRAY", "dims": 2, "base": object}},
    ]}});
    assert!(read(&nested).has_references());
    assert!(!read(&i32le()).has_references());
}

#[test]
fn what_is_no_type_is_refused() {
    let mut deep = i32le();
    for _ in 0..40 {
        deep = json!({"class": "H5T_VLEN", "base": deep});
    }
    assert_eq!(Datatype::read(&deep), Err(InvalidDatatype::Depth));
    let large = json!({"class": "H5T_ARRAY", "base": i32le(), "dims": [u64::MAX, 9]});
    assert_eq!(Datatype::read(&large), Err(InvalidDatatype::Size));
    for json in [
        json!(null),
        json!("H5T_STD_I7LE"),
        json!("H5T_IEEE_F8LE"),
        json!({"class": "H5T_TIME"}),
        json!({"class": "H5T_INTEGER", "base": "H5T_IEEE_F32LE"}),
        json!({"class": "H5T_COMPOUND", "fields": []}),
        json!({"class": "H5T_ARRAY", "base": i32le(), "dims": [0]}),
        json!({"class": "H5T_STRING", "length": -1}),
        json!({"class": "H5T_ARRAY", "base": {"class": "H5T_OPAQUE", "size": 0}, "dims": [u64::MAX]}),
        json!({"class": "H5T_ENUM", "base": {"class": "H5T_FLOAT", "base": "H5T_IEEE_F32LE"}, "members": []}),
    ] {
        assert!(Datatype::read(&json).is_err(), "{json}");
    }
}
