//! Attributes: of every type, with any name, copied without a loss.

use bytes::Bytes;
use serde_json::{Value, json};
use taskgate::hsds::calls::ListOrder;
use taskgate::hsds::calls::attributes::{Attribute, AttributeValue};
use taskgate::hsds::calls::create::{NewKind, NewObject};
use taskgate::hsds::client::error::HsdsError;
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::{Datatype, Order};
use taskgate::hsds::domain::DomainName;
use taskgate::hsds::id::ObjectId;
use taskgate::hsds::json as hsds_json;
use taskgate_test_kit::HsdsUser;

use crate::hsds::support::{new_domain, server, session};

fn attribute(name: &str, datatype: Datatype, dataspace: Dataspace, value: AttributeValue) -> Attribute {
    Attribute { name: name.to_owned(), datatype, dataspace, value }
}

fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::Binary(Bytes::copy_from_slice(bytes))
}

fn all_kinds(root: ObjectId) -> Vec<Attribute> {
    let float = |bytes| Datatype::float(bytes, Order::Big);
    let nan = [f64::NAN, f64::INFINITY, -0.0, 5e-324].map(f64::to_be_bytes).concat();
    let fixed = json!({"class": "H5T_STRING", "length": 4, "charSet": "H5T_CSET_ASCII", "strPad": "H5T_STR_NULLPAD"});
    let fixed = Datatype::read(&fixed).expect("a type");
    let (fixed4, fixed5) = (fixed.clone(), fixed.clone());
    let opaque = Datatype::read(&json!({"class": "H5T_OPAQUE", "size": 3})).expect("a type");
    let reference = Datatype::read(&json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_OBJ"})).expect("a type");
    let floats = Datatype::variable(float(8));
    let numbers = json!([[1.5, hsds_json::of_number(f64::NAN)], [], [hsds_json::of_number(f64::NEG_INFINITY)]]);
    let mut pointer = root.reference().into_bytes();
    pointer.resize(48, 0);
    vec![
        attribute("f8", float(8), Dataspace::simple([4]), binary(&nan)),
        attribute("f4", float(4), Dataspace::Scalar, binary(&1.1_f32.to_be_bytes())),
        attribute("empty", float(4), Dataspace::simple([0, 3]), binary(&[])),
        attribute("null", float(4), Dataspace::Null, AttributeValue::Unwritten),
        attribute("fixed", fixed, Dataspace::simple([2]), binary(b"abc\0de\0\0")),
        attribute("latin", fixed4, Dataspace::Scalar, binary(b"caf\xe9")),
        attribute("a/grün?", fixed5, Dataspace::Scalar, binary(b"\xff\xfe\0\0")),
        attribute("opaque", opaque, Dataspace::simple([2]), binary(&[1, 2, 0xff, 0xfe, 0, 0])),
        attribute("flag", Datatype::boolean(), Dataspace::simple([3]), binary(&[1, 0, 1])),
        attribute("complex", Datatype::complex(8, Order::Little), Dataspace::Scalar, binary(&[7; 16])),
        attribute("text", Datatype::text(), Dataspace::Scalar, AttributeValue::Json(json!("grün 数 NaN"))),
        attribute("floats", floats, Dataspace::simple([3]), AttributeValue::Json(numbers)),
        attribute("object", reference, Dataspace::Scalar, binary(&pointer)),
        attribute("a/b", float(4), Dataspace::Scalar, binary(&[0; 4])),
        attribute("..", float(4), Dataspace::Scalar, binary(&[0; 4])),
        attribute("grün {数} %41 \"?#", float(4), Dataspace::Scalar, binary(&[0; 4])),
    ]
}

#[tokio::test]
async fn attributes_are_copied_without_a_loss() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/attributes.h5").await;
    let mut wanted = all_kinds(root);
    for attribute in &wanted {
        let written = one.put_attributes(&domain, root, std::slice::from_ref(attribute), false).await;
        assert_eq!(written, Ok(()), "{}", attribute.name);
    }
    wanted.sort_by(|one, other| one.name.cmp(&other.name));
    let read = one.attributes(&domain, root, ListOrder::Names, None, 1_000).await.expect("attributes");
    for (read, wanted) in read.iter().zip(&wanted) {
        let value = match &wanted.value {
            // No elements are read as no bytes, or as nothing.
            AttributeValue::Binary(bytes) if bytes.is_empty() => &read.value,
            value => value,
        };
        assert_eq!((&read.name, &read.value), (&wanted.name, value));
        assert_eq!((&read.datatype, &read.dataspace), (&wanted.datatype, &wanted.dataspace), "{}", wanted.name);
    }
    assert_eq!(read.len(), wanted.len());

    // What was read makes a copy, on an object that is there, or with one that is new.
    let copy = NewObject::new(NewKind::group(Vec::new()));
    let first = one.create(&domain, &copy).await.expect("a group").id;
    assert_eq!(one.put_attributes(&domain, first, &read, false).await, Ok(()));
    assert_eq!(one.attributes(&domain, first, ListOrder::Names, None, 1_000).await.as_ref(), Ok(&read));
    let second = one.create(&domain, &NewObject { attributes: read.clone(), ..copy }).await.expect("a group").id;
    assert_eq!(one.attributes(&domain, second, ListOrder::Names, None, 1_000).await.as_ref(), Ok(&read));
    // Again changes nothing and is no error, page by page there is the same.
    assert_eq!(one.put_attributes(&domain, first, &read, false).await, Ok(()));
    let mut paged: Vec<Attribute> = Vec::new();
    while paged.len() < read.len() {
        let after = paged.last().map(|attribute| attribute.name.clone());
        paged.extend(one.attributes(&domain, first, ListOrder::Names, after.as_deref(), 4).await.expect("a page"));
    }
    assert_eq!(paged, read);
}

#[tokio::test]
async fn an_attribute_is_replaced_only_on_demand() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/replace.h5").await;
    let int = |value: i32| {
        let datatype = Datatype::integer(4, true, Order::Little);
        attribute("n", datatype, Dataspace::Scalar, binary(&value.to_le_bytes()))
    };
    assert_eq!(one.put_attributes(&domain, root, &[int(1)], false).await, Ok(()));
    assert_eq!(one.put_attributes(&domain, root, &[int(2)], false).await, Err(HsdsError::Conflict));
    assert_eq!(one.put_attributes(&domain, root, &[int(2)], true).await, Ok(()));
    assert_eq!(one.attributes(&domain, root, ListOrder::Names, None, 9).await, Ok(vec![int(2)]));
    assert_eq!(one.put_attributes(&domain, root, &[], true).await, Ok(()));
}

#[tokio::test]
async fn attributes_that_h5pyd_wrote() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let program = r#"
import h5pyd, numpy as np
with h5pyd.File("/home/test_user1/written.h5", "w") as f:
    f.attrs["a"] = np.nan
    f.attrs["b"] = "text"
    f.attrs["c"] = np.array([1, 2], dtype=">i2")
"#;
    server.python(HsdsUser::One, program, &[]).await.expect("h5pyd");
    let domain = DomainName::new("/home/test_user1/written.h5");
    let root = one.domain(&domain).await.expect("the domain").root.expect("a root");
    let values: Vec<AttributeValue> = one
        .attributes(&domain, root, ListOrder::Names, None, 9)
        .await
        .expect("attributes")
        .into_iter()
        .map(|one| one.value)
        .collect();
    let expected = [binary(&f64::NAN.to_le_bytes()), AttributeValue::Json(Value::from("text")), binary(&[0, 1, 0, 2])];
    assert_eq!(values, expected);
}
