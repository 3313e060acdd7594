//! Elements: selections, types, sizes, slabs.

use bytes::Bytes;
use serde_json::{Value, json};
use taskgate::hsds::client::error::HsdsError;
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::{Datatype, Order};
use taskgate::hsds::references;
use taskgate::hsds::selection::Selection;
use taskgate::hsds::slabs::Slabs;
use taskgate::hsds::vlen::{self, Elements, Writer};
use taskgate_test_kit::HsdsUser;

use crate::hsds::support::{dataset, new_domain, server, session};

fn datatype(json: &Value) -> Datatype {
    Datatype::read(json).expect("a type")
}

#[tokio::test]
async fn selections_are_read_and_written_in_the_datasets_own_order_of_bytes() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, _) = new_domain(&one, "/home/test_user1/values.h5").await;
    let wanted = dataset(Datatype::integer(2, true, Order::Big), Dataspace::simple([4, 6]));
    let x = one.create(&domain, &wanted).await.expect("a dataset").id;
    let of = |numbers: &[i16]| Bytes::from(numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>());
    let all: Vec<i16> = (0..24).collect();
    assert_eq!(one.write_values(&domain, x, None, of(&all)).await, Ok(()));
    let part = Selection::parse("[1:4:2,0:6:3]", &[4, 6]).expect("a selection");
    assert_eq!(one.read_values(&domain, x, Some(&part), Some(8)).await, Ok(of(&[6, 9, 18, 21])));
    assert_eq!(one.write_values(&domain, x, Some(&part), of(&[-1, -2, -3, -4])).await, Ok(()));
    let row = Selection::parse("[3,:]", &[4, 6]).expect("a selection");
    assert_eq!(one.read_values(&domain, x, Some(&row), Some(12)).await, Ok(of(&[-3, 19, 20, -4, 22, 23])));

    // Too few, beyond the extent, of another size than is expected.
    for wrong in [of(&[1; 3]), Bytes::from_static(&[1; 7])] {
        let refused = one.write_values(&domain, x, Some(&part), wrong).await;
        assert!(matches!(refused, Err(HsdsError::BadRequest { .. })), "{refused:?}");
    }
    let beyond = Selection::whole(&[5, 6]);
    let refused = one.read_values(&domain, x, Some(&beyond), None).await;
    assert!(matches!(refused, Err(HsdsError::BadRequest { .. })), "{refused:?}");
    let short = one.read_values(&domain, x, None, Some(47)).await;
    assert!(matches!(short, Err(HsdsError::Malformed(_))), "{short:?}");
    assert_eq!(one.read_values(&domain, x, None, Some(1 << 40)).await, Err(HsdsError::TooLarge));
}

#[tokio::test]
async fn elements_of_every_type_come_back_as_they_were() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/types.h5").await;
    let object = json!({"class": "H5T_REFERENCE", "base": "H5T_STD_REF_OBJ"});
    let mut pointer = root.reference().into_bytes();
    pointer.resize(48, 0);
    let counted = |elements: &[&[u8]]| {
        let mut writer = Writer::default();
        elements.iter().try_for_each(|element| writer.push(element)).expect("is written");
        writer.finish()
    };
    let text = Datatype::text().json().clone();
    let mixed = json!({"class": "H5T_COMPOUND", "fields": [
        {"name": "n", "type": {"class": "H5T_INTEGER", "base": "H5T_STD_I16BE"}},
        {"name": "t", "type": text},
        {"name": "o", "type": object},
    ]});
    let packed = json!({"class": "H5T_COMPOUND", "fields": [
        {"name": "a", "type": {"class": "H5T_INTEGER", "base": "H5T_STD_I8LE"}},
        {"name": "b", "type": {"class": "H5T_FLOAT", "base": "H5T_IEEE_F64BE"}},
        {"name": "c", "type": {"class": "H5T_ARRAY", "dims": [3], "base": {"class": "H5T_INTEGER", "base": "H5T_STD_U16LE"}}},
    ]});
    let variable = |base: &Value| json!({"class": "H5T_VLEN", "size": "H5T_VARIABLE", "base": base});
    let long = vec![b'x'; 300_000];
    for (name, json, values) in [
        ("packed", packed, (0..30).collect::<Vec<u8>>()),
        ("boolean", Datatype::boolean().json().clone(), vec![1, 0]),
        ("opaque", json!({"class": "H5T_OPAQUE", "size": 3}), vec![1, 2, 3, 0, 0xff, 0xfe]),
        ("numbers", variable(Datatype::integer(8, true, Order::Little).json()), counted(&[&[1; 24], &[]])),
        (
            "big-endian numbers",
            variable(Datatype::float(4, Order::Big).json()),
            counted(&[&1.5_f32.to_be_bytes(), &[]]),
        ),
        ("texts", text.clone(), counted(&["grün 数".as_bytes(), b""])),
        ("long", text.clone(), counted(&[&long, b"y"])),
        ("objects", object.clone(), [pointer.as_slice(), &[0; 48]].concat()),
        ("lists of objects", variable(&object), counted(&[&[pointer.as_slice(), &pointer].concat(), &[]])),
        ("mixed", mixed, [&[0, 7][..], &counted(&[b"seven"]), &pointer, &[0, 0], &counted(&[b""]), &[0; 48]].concat()),
    ] {
        let datatype = datatype(&json);
        let wanted = dataset(datatype.clone(), Dataspace::simple([2]));
        let made = one.create(&domain, &wanted).await.unwrap_or_else(|error| panic!("{name}: {error}")).id;
        let expected = datatype.item_size().map(|size| size * 2);
        let unwritten = one.read_values(&domain, made, None, expected).await.expect("values");
        assert_eq!(vlen::check(&datatype, &unwritten, 2), Ok(()), "{name}");
        assert_eq!(one.write_values(&domain, made, None, values.clone().into()).await, Ok(()), "{name}");
        let read = one.read_values(&domain, made, None, expected).await.expect("values");
        assert_eq!(read, values, "{name}");
        let elements: Result<Vec<&[u8]>, _> = Elements::new(&datatype, &read).collect();
        assert_eq!(elements.map(|elements| elements.len()), Ok(2), "{name}");
        if datatype.has_references() {
            let targets = references::targets(&datatype, &read).expect("targets");
            assert!(!targets.is_empty() && targets.iter().all(|target| *target == root), "{name}");
            let none = references::rewrite(&datatype, &read, &mut |_| None).expect("values");
            assert_eq!(one.write_values(&domain, made, None, none.into()).await, Ok(()), "{name}");
            let read = one.read_values(&domain, made, None, expected).await.expect("values");
            assert_eq!(references::targets(&datatype, &read), Ok(Vec::new()), "{name}");
        }
    }
}

#[tokio::test]
async fn one_element_none_and_more() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, _) = new_domain(&one, "/home/test_user1/extent.h5").await;
    let int = Datatype::integer(8, true, Order::Little);
    let scalar = one.create(&domain, &dataset(int.clone(), Dataspace::Scalar)).await.expect("a dataset").id;
    let value = Bytes::copy_from_slice(&42_i64.to_le_bytes());
    assert_eq!(one.write_values(&domain, scalar, None, value.clone()).await, Ok(()));
    assert_eq!(one.read_values(&domain, scalar, None, Some(8)).await, Ok(value));
    let numbers = Datatype::variable(int.clone());
    let list = one.create(&domain, &dataset(numbers, Dataspace::Scalar)).await.expect("a dataset").id;
    let mut writer = Writer::default();
    writer.push(&[2; 24]).expect("is written");
    let values = Bytes::from(writer.finish());
    assert_eq!(one.write_values(&domain, list, None, values.clone()).await, Ok(()));
    assert_eq!(one.read_values(&domain, list, None, None).await, Ok(values));

    let null = one.create(&domain, &dataset(int.clone(), Dataspace::Null)).await.expect("a dataset").id;
    let refused = one.read_values(&domain, null, None, None).await;
    assert!(matches!(refused, Err(HsdsError::BadRequest { .. })), "{refused:?}");
    let growing = Dataspace::Simple { dims: vec![0], max: Some(vec![None]) };
    let growing = one.create(&domain, &dataset(int.clone(), growing)).await.expect("a dataset").id;
    assert_eq!(one.read_values(&domain, growing, None, Some(0)).await, Ok(Bytes::new()));
    assert_eq!(one.resize(&domain, growing, &[2]).await, Ok(()));
    assert_eq!(one.read_values(&domain, growing, None, Some(16)).await, Ok(Bytes::from_static(&[0; 16])));
    let fixed = one.create(&domain, &dataset(int, Dataspace::simple([1]))).await.expect("a dataset").id;
    let refused = one.resize(&domain, fixed, &[2]).await;
    assert!(matches!(refused, Err(HsdsError::BadRequest { .. })), "{refused:?}");
}

#[tokio::test]
async fn slabs_carry_a_large_dataset() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, _) = new_domain(&one, "/home/test_user1/large.h5").await;
    let dims = [1_500, 2_000];
    let wanted = dataset(Datatype::integer(4, false, Order::Little), Dataspace::simple(dims));
    let made = one.create(&domain, &wanted).await.expect("a dataset");
    let found = one.object(&domain, made.id).await.expect("the dataset");
    let chunks = found.dataset().and_then(|dataset| dataset.chunk_dims());
    let slabs = Slabs::new(Selection::whole(&dims), chunks.as_deref(), 4, 4 << 20);
    assert!(slabs.len() > 2, "{}", slabs.len());
    for (number, slab) in (0_u32..).zip(slabs.resume(0)) {
        let count = slab.selection.count().and_then(|count| usize::try_from(count).ok()).expect("a count");
        let values = Bytes::from(number.to_le_bytes().repeat(count));
        assert_eq!(one.write_values(&domain, made.id, Some(&slab.selection), values).await, Ok(()));
    }
    let whole = one.read_values(&domain, made.id, None, Some(12_000_000)).await.expect("values");
    for (number, slab) in (0_u32..).zip(slabs.resume(0)) {
        let values = one.read_values(&domain, made.id, Some(&slab.selection), None).await.expect("values");
        assert!(values.chunks_exact(4).all(|value| value == number.to_le_bytes()));
        let first = usize::try_from(slab.origin[0] * 2_000 + slab.origin[1]).expect("small") * 4;
        assert_eq!(whole.get(first..first + 4), Some(&number.to_le_bytes()[..]));
    }
}
