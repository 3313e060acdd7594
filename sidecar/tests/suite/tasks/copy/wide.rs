//! A group with very many links.

use serde_json::json;
use taskgate::hsds::calls::ListOrder;
use taskgate::hsds::calls::create::{NewKind, NewObject};
use taskgate::hsds::calls::links::{Link, Target};
use taskgate::hsds::calls::objects::Follow;
use taskgate::hsds::client::Session;
use taskgate::hsds::domain::DomainName;
use taskgate::hsds::id::{Collection, ObjectId};

use super::stage::{SOURCE, Stage, at};

const LINKS: usize = 10_000;
const OBJECTS: usize = 400;

#[tokio::test]
async fn ten_thousand_links_are_copied() {
    let stage = Stage::empty().await;
    let domain = stage.domain(SOURCE).await;
    let root = stage.session.domain(&domain).await.expect("a domain").root.expect("a root");
    let objects: Vec<NewObject> = (0..OBJECTS)
        .map(|number| {
            let id = ObjectId::derived(Collection::Groups, root, &[&number.to_le_bytes()]);
            NewObject { id: Some(id), ..NewObject::new(NewKind::group(Vec::new())) }
        })
        .collect();
    let ids = stage.session.create_many(&domain, Collection::Groups, &objects).await.expect("groups");
    let links: Vec<Link> = (0..LINKS)
        .map(|number| {
            let target = match number % 10 {
                0 => Target::Soft(format!("/wide/{}", number + 1)),
                _ => Target::Hard(ids[number % OBJECTS]),
            };
            Link { name: format!("{number:05} \u{2603}"), target }
        })
        .collect();
    let wide = NewObject { link: Some((root, "wide".to_owned())), ..NewObject::new(NewKind::group(Vec::new())) };
    let wide = stage.session.create(&domain, &wide).await.expect("a group").id;
    for links in links.chunks(2_000) {
        stage.session.put_links(&domain, wide, links).await.expect("links");
    }

    let other = stage.domain("/home/test_user1/wide.h5").await;
    let result = stage.copy(at(SOURCE, "/wide"), json!({}), at(&other.path, "/copy")).await.expect("a copy");
    let copy = stage.session.resolve(&other, None, "/copy", Follow::default()).await.expect("it is there").id;
    let (old, new) = (all(&stage.session, &domain, wide).await, all(&stage.session, &other, copy).await);
    assert_eq!((old.len(), new.len()), (LINKS, LINKS));
    let mut copies = std::collections::BTreeMap::new();
    for (old, new) in old.iter().zip(&new) {
        assert_eq!(old.name, new.name);
        match (&old.target, &new.target) {
            (Target::Hard(old), Target::Hard(new)) => {
                let known = copies.entry(*old).or_insert(*new);
                assert_eq!(known, new, "shared objects stay shared");
            }
            (old, new) => assert_eq!(old, new),
        }
    }
    let distinct: std::collections::BTreeSet<&ObjectId> = copies.values().collect();
    assert_eq!(distinct.len(), copies.len());
    assert_eq!(result["objects"].as_u64(), u64::try_from(copies.len() + 1).ok());
}

async fn all(session: &Session, domain: &DomainName, group: ObjectId) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    loop {
        let after = links.last().map(|link| link.name.clone());
        let page = session.links(domain, group, ListOrder::Names, after.as_deref(), 3_000).await.expect("links");
        if page.is_empty() {
            return links;
        }
        links.extend(page);
    }
}
