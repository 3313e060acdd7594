//! Objects: made, found, described; ids that the client chose.

use serde_json::{Map, Value, json};
use taskgate::hsds::calls::ListOrder;
use taskgate::hsds::calls::create::{NewKind, NewObject};
use taskgate::hsds::calls::objects::{Follow, Kind};
use taskgate::hsds::client::error::HsdsError;
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::{Class, Datatype, Order};
use taskgate::hsds::id::{Collection, ObjectId};
use taskgate::hsds::json;
use taskgate_test_kit::HsdsUser;

use crate::hsds::support::{dataset, named, new_domain, server, session};

fn creation(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

#[tokio::test]
async fn ids_that_the_client_chose_make_objects_once() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/ids.h5").await;
    let (_, elsewhere) = new_domain(&one, "/home/test_user1/ids2.h5").await;
    let int = Datatype::integer(4, true, Order::Little);
    for (kind, collection) in [
        (NewKind::group(Vec::new()), Collection::Groups),
        (NewKind::Datatype(int.clone()), Collection::Datatypes),
        (
            NewKind::Dataset { datatype: int.clone(), dataspace: Dataspace::Scalar, creation: Map::new() },
            Collection::Datasets,
        ),
    ] {
        let id = ObjectId::derived(collection, root, &[b"task", b"object"]);
        let wanted = NewObject { id: Some(id), ..NewObject::new(kind) };
        assert_eq!(one.create(&domain, &wanted).await.map(|object| object.id), Ok(id));
        let again = one.create(&domain, &wanted).await.map(|_| ());
        assert!(matches!(again, Err(HsdsError::BadRequest { .. })), "{again:?}");
        assert_eq!(one.object(&domain, id).await.map(|object| (object.id, object.root)), Ok((id, root)));
        let foreign = NewObject { id: Some(ObjectId::derived(collection, elsewhere, &[b"x"])), ..wanted };
        let refused = one.create(&domain, &foreign).await.map(|_| ());
        assert!(matches!(refused, Err(HsdsError::BadRequest { .. })), "{refused:?}");

        assert_eq!(one.delete_object(&domain, id).await, Ok(()));
        assert!(one.object(&domain, id).await.is_err_and(|error| error.is_absent()));
    }
}

#[tokio::test]
async fn many_objects_in_one_request() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/bulk.h5").await;
    let id = |collection, n: u32| ObjectId::derived(collection, root, &[&n.to_le_bytes()]);
    for (collection, kind) in [
        (Collection::Groups, NewKind::group(Vec::new())),
        (Collection::Datatypes, NewKind::Datatype(Datatype::text())),
        (Collection::Datasets, dataset(Datatype::float(8, Order::Big), Dataspace::simple([3])).kind),
    ] {
        let name = collection.as_str();
        let wanted: Vec<NewObject> = (0..40)
            .map(|n| NewObject { id: Some(id(collection, n)), ..NewObject::new(kind.clone()) })
            .map(|object| {
                let n = object.id.map(|id| id.to_string()).unwrap_or_default();
                named(object, root, &format!("{name} {n}"))
            })
            .collect();
        let made = one.create_many(&domain, collection, &wanted).await.expect("objects");
        assert_eq!(made, (0..40).map(|n| id(collection, n)).collect::<Vec<ObjectId>>());
        // Again, after an attempt that had made some of them, without their names.
        assert_eq!(one.delete_object(&domain, made[3]).await, Ok(()));
        assert_eq!(one.delete_link(&domain, root, &format!("{name} {}", made[5])).await, Ok(()));
        assert_eq!(one.create_many(&domain, collection, &wanted).await.as_ref(), Ok(&made));
    }
    assert_eq!(one.links(&domain, root, ListOrder::Names, None, 1_000).await.map(|links| links.len()), Ok(120));
    assert_eq!(one.create_many(&domain, Collection::Groups, &[]).await, Ok(Vec::new()));
    // A name that stands for something else is none for this.
    let taken = format!("groups {}", id(Collection::Groups, 0));
    let wanted = NewObject { id: Some(id(Collection::Groups, 99)), ..NewObject::new(NewKind::group(Vec::new())) };
    assert_eq!(one.create_once(&domain, &named(wanted, root, &taken)).await, Err(HsdsError::Conflict));
}

#[tokio::test]
async fn a_dataset_is_described_so_that_a_copy_is_the_same() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/described.h5").await;
    let committed = NewObject::new(NewKind::Datatype(Datatype::complex(8, Order::Big)));
    let committed = one.create(&domain, &named(committed, root, "type")).await.expect("a type");
    let Kind::Datatype(datatype) = &committed.kind else { panic!("no datatype: {committed:?}") };
    assert_eq!(datatype.complex_part().map(|part| part.bytes), Some(8));
    let chunked = json!({
        "layout": {"class": "H5D_CHUNKED", "dims": [10, 20]},
        "fillValue": json::of_number(f64::NAN),
        "filters": [{"class": "H5Z_FILTER_DEFLATE", "id": 1, "level": 4, "name": "deflate"}],
    });
    let infinite = json!({"fillValue": json::of_number(f64::NEG_INFINITY)});
    let exact = json!({"fillValue": 0.100_000_001_490_116_12});
    let resizable = Dataspace::Simple { dims: vec![100, 100], max: Some(vec![None, Some(500)]) };
    let float = Datatype::float(4, Order::Big);
    let committed_type = Datatype::complex(8, Order::Big).with_committed(Some(committed.id));
    for (datatype, dataspace, properties) in [
        (float.clone(), resizable, chunked),
        (float.clone(), Dataspace::Scalar, infinite),
        (Datatype::float(8, Order::Little), Dataspace::simple([0]), exact),
        (Datatype::boolean(), Dataspace::Null, json!({})),
        (committed_type, Dataspace::simple([4]), json!({})),
        (Datatype::variable(Datatype::integer(8, true, Order::Little)), Dataspace::simple([1]), json!({})),
    ] {
        let name = dataspace.shape().to_string() + &datatype.json().to_string();
        let kind = NewKind::Dataset { datatype, dataspace, creation: creation(&properties) };
        let first = one.create(&domain, &NewObject::new(kind.clone())).await.expect("a dataset");
        let found = one.object(&domain, first.id).await.expect("the dataset");
        let described = found.dataset().expect("a dataset").clone();
        let NewKind::Dataset { datatype, dataspace, creation } = &kind else { panic!("no dataset") };
        assert_eq!((&described.datatype, &described.dataspace), (datatype, dataspace), "{name}");
        assert_eq!(described.datatype.committed(), datatype.committed());
        assert_eq!(described.creation.get("fillValue"), creation.get("fillValue"), "{name}");

        // A copy from the description has the same description.
        let copy = NewKind::Dataset {
            datatype: described.datatype.clone(),
            dataspace: described.dataspace.clone(),
            creation: described.creation.clone(),
        };
        let copy = one.create(&domain, &NewObject::new(copy)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let copy = one.object(&domain, copy.id).await.expect("the copy");
        let copied = copy.dataset().expect("a dataset");
        assert_eq!(copied.creation, described.creation, "{name}");
        assert_eq!(copied.datatype.json(), described.datatype.json(), "{name}");
        assert_eq!(copied.dataspace, described.dataspace, "{name}");
        assert_eq!(copied.layout, described.layout, "{name}");
        if name.contains("[100,100]") {
            assert_eq!(described.chunk_dims(), Some(vec![10, 20]));
            assert_eq!(described.layout_class(), Some("H5D_CHUNKED"));
        }
    }
    let found = one.resolve(&domain, None, "/type", Follow::default()).await.expect("the type");
    assert_eq!(found.id, committed.id);
    let Kind::Group { link_count, .. } = one.object(&domain, root).await.expect("the root").kind else {
        panic!("no group");
    };
    assert_eq!(link_count, Some(1));
    assert_eq!(one.resolve(&domain, None, "/nothing", Follow::default()).await.map(|_| ()), Err(HsdsError::NotFound));
}

#[tokio::test]
async fn what_h5pyd_makes_is_understood() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let program = r#"
import h5pyd, numpy as np
with h5pyd.File("/home/test_user1/made.h5", "w") as f:
    f.create_dataset("b", data=np.array([True, False]))
    f.create_dataset("c", data=np.array([1+2j], dtype=">c8"))
    f.create_dataset("e", (2,), dtype=h5pyd.enum_dtype({"RED": 0, "BLUE": 7}, basetype="i2"))
    f.create_dataset("o", (2,), dtype="V5")
    f.create_dataset("s", data=np.array([b"abc"], dtype="S5"))
    f.create_dataset("v", (2,), dtype=h5pyd.special_dtype(vlen=str))
    f.create_dataset("r", (2,), dtype=h5pyd.special_dtype(ref=h5pyd.Reference))
    f.create_dataset("k", (2,), dtype=np.dtype([("a", "<i2"), ("b", "S3"), ("c", ">f8", (2, 3))]))
    f.create_dataset("h", (2,), dtype="f2")
"#;
    server.python(HsdsUser::One, program, &[]).await.expect("h5pyd");
    let domain = taskgate::hsds::domain::DomainName::new("/home/test_user1/made.h5");
    let mut sizes = Vec::new();
    for name in ["b", "c", "e", "o", "s", "v", "r", "k", "h"] {
        let object = one.resolve(&domain, None, name, Follow::default()).await.expect("a dataset");
        let datatype = object.dataset().expect("a dataset").datatype.clone();
        assert_eq!(datatype.is_boolean(), name == "b", "{name}");
        assert_eq!(datatype.complex_part().is_some(), name == "c", "{name}");
        assert_eq!(datatype.has_references(), name == "r", "{name}");
        assert_eq!(matches!(datatype.class(), Class::Opaque { bytes: 5 }), name == "o", "{name}");
        sizes.push(datatype.item_size());
    }
    assert_eq!(sizes, [Some(1), Some(8), Some(2), Some(5), Some(5), None, Some(48), Some(53), Some(2)]);
}
