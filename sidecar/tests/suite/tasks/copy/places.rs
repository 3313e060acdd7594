//! What can be copied, and where to.

use serde_json::{Value, json};
use taskgate::hsds::calls::ListOrder;
use taskgate::hsds::calls::create::{NewKind, NewObject};
use taskgate::hsds::calls::links::{Link, Target};
use taskgate::hsds::calls::objects::Follow;
use taskgate::hsds::domain::DomainName;
use taskgate::hsds::id::ObjectId;
use taskgate::tasks::operation::Rejection;

use super::stage::{OTHER, SOURCE, Stage, at, code};

#[tokio::test]
async fn copies_go_where_there_is_room() {
    let stage = Stage::planted().await;
    let source = DomainName::new(SOURCE);
    let root = stage.session.domain(&source).await.expect("a domain").root.expect("a root");

    // A dataset, a committed type, and what a soft link leads to.
    for path in ["/tree/data/scalar", "/tree/data/type", "/tree/links/soft", "/tree/links/far"] {
        let result = stage.copy(at(SOURCE, path), json!({}), at(SOURCE, &format!("/new{path}"))).await.expect("a copy");
        let found = resolve(&stage, &source, &format!("/new{path}")).await;
        assert_eq!(result["id"], found.to_string(), "{path}");
    }
    let dumped = stage
        .dump(SOURCE, &["/tree/data/scalar", "/new/tree/data/scalar", "/new/tree/links/soft"].map(str::to_owned))
        .await;
    assert!(dumped[0] == dumped[1] && dumped[1] == dumped[2]);
    assert!(dumped[0][0]["value"].is_string());

    // By ids, into a group.
    let tree = resolve(&stage, &source, "/tree").await;
    let group = resolve(&stage, &source, "/new").await;
    let (src, des) =
        (json!({"domain": SOURCE, "uuid": tree.to_string()}), json!({"domain": SOURCE, "uuid": group.to_string()}));
    let args = json!({"name": "by id", "refs": "map-inside"});
    assert_eq!(stage.check(src.clone(), args.clone(), des.clone()).await, Ok(()));
    stage.copy(src.clone(), args.clone(), des.clone()).await.expect("a copy");
    assert!(matches!(stage.check(src.clone(), args.clone(), des.clone()).await, Err(Rejection::Exists(_))));
    assert_eq!(code(stage.copy(src.clone(), args, des.clone()).await), "exists");
    assert!(matches!(stage.check(src, json!({}), des).await, Err(Rejection::Malformed(_))));

    // Into itself.
    let result = stage.copy(at(SOURCE, "/"), json!({}), at(SOURCE, "/new/inner/all")).await.expect("a copy");
    let inner = stage
        .session
        .links(&source, resolve(&stage, &source, "/new/inner/all/new").await, ListOrder::Names, None, 100)
        .await;
    let names: Vec<String> = inner.expect("links").into_iter().map(|link| link.name).collect();
    assert_eq!(names, ["by id", "tree"], "what it was before");
    assert!(result["objects"].as_u64() > Some(80), "{result}");

    // A name on the way that is no group, one that is taken, and no domain at all.
    for (path, expected) in [
        ("/tree/data/scalar/x", "not-found"),
        ("/tree/links/nowhere/x", "not-found"),
        ("/tree", "exists"),
        ("/tree/links/nowhere", "exists"),
    ] {
        assert_eq!(code(stage.copy(at(SOURCE, "/outside"), json!({}), at(SOURCE, path)).await), expected, "{path}");
    }
    assert_eq!(code(stage.copy(at(SOURCE, "/none"), json!({}), at(SOURCE, "/x")).await), "not-found");
    assert_eq!(
        code(stage.copy(at(SOURCE, "/tree"), json!({}), at("/home/test_user1/none.h5", "/x")).await),
        "not-found"
    );
    for (src, args, des) in [
        (at(SOURCE, "/none"), json!({}), at(SOURCE, "/x")),
        (at(SOURCE, "/tree"), json!({}), at("/home/test_user1/none.h5", "/x")),
        (at(SOURCE, "/tree"), json!({}), at("/home/test_user1", "/x")),
    ] {
        assert!(matches!(stage.check(src, args, des).await, Err(Rejection::NotFound(_))));
    }
    let selected = json!({"domain": SOURCE, "h5path": "/tree", "select": "[0:1]"});
    assert!(matches!(stage.check(selected, json!({}), at(SOURCE, "/x")).await, Err(Rejection::Malformed(_))));
    assert!(root.is_beside(tree));
}

#[tokio::test]
async fn a_whole_domain_is_copied_into_an_empty_one() {
    let stage = Stage::planted().await;
    let other = DomainName::new("/home/test_user1/whole.h5").in_bucket(Some("other".to_owned()));
    stage.session.create_domain(&other).await.expect("a domain");
    let des = json!({"domain": other.path, "bucket": "other", "h5path": "/"});
    assert_eq!(stage.check(at(SOURCE, "/"), json!({}), des.clone()).await, Ok(()));
    let copying = stage.copying(&at(SOURCE, "/"), &json!({"refs": "map-inside"}), &des, Default::default());
    let result = copying.attempt().await.expect("a copy");
    assert_eq!(copying.attempt().await.expect("all done"), result);
    let copied = stage.dump("/home/test_user1/whole.h5@other", &["/".to_owned()]).await;
    assert_eq!(stage.dump(SOURCE, &["/".to_owned()]).await, copied);
    assert!(matches!(stage.check(at(OTHER, "/"), json!({}), des.clone()).await, Err(Rejection::Exists(_))));
    assert_eq!(code(stage.copy(at(OTHER, "/"), json!({}), des).await), "exists");
    let empty = stage.domain("/home/test_user1/empty.h5").await;
    let outcome = stage.copy(at(SOURCE, "/tree/data/scalar"), json!({}), at(&empty.path, "/")).await;
    assert_eq!(code(outcome), "malformed-arguments");
}

#[tokio::test]
async fn links_that_lead_nowhere_or_in_circles_stay() {
    let stage = Stage::empty().await;
    let domain = stage.domain(SOURCE).await;
    let root = stage.session.domain(&domain).await.expect("a domain").root.expect("a root");
    let gone = stage.session.create(&domain, &NewObject::new(NewKind::group(Vec::new()))).await.expect("a group").id;
    let soft = |path: &str| Target::Soft(path.to_owned());
    let links = [
        ("circle", soft("/tree/circle")),
        ("up and down", soft("/tree/other circle/x")),
        ("other circle", soft("up and down")),
        ("nowhere", soft("/no/where")),
        ("through", soft("/tree/data/x/y")),
        ("far", Target::External { domain: "none.h5".to_owned(), path: "/x".to_owned() }),
        ("folder", Target::External { domain: "/home/test_user1".to_owned(), path: "/".to_owned() }),
        ("gone", Target::Hard(gone)),
    ];
    let links = links.map(|(name, target)| Link { name: name.to_owned(), target });
    let tree = NewObject { link: Some((root, "tree".to_owned())), ..NewObject::new(NewKind::group(links.to_vec())) };
    let tree = stage.session.create(&domain, &tree).await.expect("a group").id;
    stage.session.delete_object(&domain, gone).await.expect("it is deleted");

    let args = json!({"expand_soft": true, "expand_external": true});
    let result: Value = stage.copy(at(SOURCE, "/tree"), args, at(SOURCE, "/copy")).await.expect("a copy");
    assert_eq!(result["objects"], 1);
    let copy = resolve(&stage, &domain, "/copy").await;
    let list = async |group| stage.session.links(&domain, group, ListOrder::Names, None, 100).await.expect("links");
    let expected: Vec<Link> = list(tree).await.into_iter().filter(|link| link.name != "gone").collect();
    assert_eq!(list(copy).await, expected);
}

async fn resolve(stage: &Stage, domain: &DomainName, path: &str) -> ObjectId {
    let follow = Follow { soft: true, external: true };
    stage.session.resolve(domain, None, path, follow).await.expect("it is there").id
}
