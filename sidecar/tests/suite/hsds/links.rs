//! Links: all kinds, any name, many.

use taskgate::hsds::calls::ListOrder;
use taskgate::hsds::calls::create::{NewKind, NewObject};
use taskgate::hsds::calls::links::{Link, Target};
use taskgate::hsds::calls::objects::Follow;
use taskgate::hsds::client::error::HsdsError;
use taskgate_test_kit::HsdsUser;

use crate::hsds::support::{named, new_domain, server, session};

fn link(name: &str, target: Target) -> Link {
    Link { name: name.to_owned(), target }
}

#[tokio::test]
async fn links_of_all_kinds_and_names() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/links.h5").await;
    let (other, other_root) = new_domain(&one, "/home/test_user1/other.h5").await;
    let group = NewObject::new(NewKind::group(Vec::new()));
    let inner = one.create(&domain, &named(group.clone(), root, "inner")).await.expect("a group").id;
    let target = one.create(&other, &named(group, other_root, "target")).await.expect("a group").id;

    let names = ["plain", "grün 数 ☃", "a b", "..", ".", "{x}", "%41", "a+b&c=d?e#f", "\"q\\", "x\ty"];
    let mut links: Vec<Link> = names.iter().map(|name| link(name, Target::Hard(root))).collect();
    links.push(link("soft", Target::Soft("/inner/nowhere".into())));
    links.push(link("loop", Target::Soft("/inner/../inner".into())));
    links.push(link("far", Target::External { domain: other.path.clone(), path: "/target".into() }));
    assert_eq!(one.put_links(&domain, inner, &links).await, Ok(()));
    // Twice is no more than once.
    assert_eq!(one.put_links(&domain, inner, &links).await, Ok(()));
    assert_eq!(one.put_links(&domain, inner, &[]).await, Ok(()));
    let taken = [link("new", Target::Hard(inner)), link("plain", Target::Hard(inner))];
    assert_eq!(one.put_links(&domain, inner, &taken).await, Err(HsdsError::Conflict));

    for wanted in &links {
        assert_eq!(one.link(&domain, inner, &wanted.name).await.as_ref(), Ok(wanted));
    }
    assert_eq!(one.link(&domain, inner, "new").await, Err(HsdsError::NotFound));
    links.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(one.links(&domain, inner, ListOrder::Names, None, 1_000).await, Ok(links.clone()));
    let mut paged: Vec<Link> = Vec::new();
    loop {
        let after = paged.last().map(|link| link.name.clone());
        let page = one.links(&domain, inner, ListOrder::Names, after.as_deref(), 3).await.expect("a page");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        paged.extend(page);
    }
    assert_eq!(paged, links);

    let found = one.resolve(&domain, None, "/inner/grün 数 ☃/inner/a b", Follow::default()).await;
    assert_eq!(found.map(|object| object.id), Ok(root));
    let found = one.resolve(&domain, Some(inner), "plain/inner", Follow::default()).await;
    assert_eq!(found.map(|object| object.id), Ok(inner));
    let far = one.resolve(&domain, None, "/inner/far", Follow { soft: true, external: true }).await.expect("an object");
    assert_eq!((far.id, far.domain.as_deref()), (target, Some(other.path.as_str())));
    let unfollowed = one.resolve(&domain, None, "/inner/far", Follow::default()).await.map(|_| ());
    assert!(matches!(unfollowed, Err(HsdsError::BadRequest { .. })), "{unfollowed:?}");
    let dangling = one.resolve(&domain, None, "/inner/soft", Follow { soft: true, external: false }).await;
    assert_eq!(dangling.map(|_| ()), Err(HsdsError::NotFound));

    assert_eq!(one.delete_link(&domain, inner, "grün 数 ☃").await, Ok(()));
    assert!(one.link(&domain, inner, "grün 数 ☃").await.is_err_and(|error| error.is_absent()));
}

#[tokio::test]
async fn ten_thousand_links() {
    let server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/many.h5").await;
    let links: Vec<Link> = (0..10_000).map(|n| link(&format!("n{n:05}"), Target::Hard(root))).collect();
    for part in links.chunks(1_000) {
        assert_eq!(one.put_links(&domain, root, part).await, Ok(()));
    }
    let mut read: Vec<Link> = Vec::new();
    while read.len() < links.len() {
        let after = read.last().map(|link| link.name.clone());
        read.extend(one.links(&domain, root, ListOrder::Names, after.as_deref(), 4_000).await.expect("a page"));
    }
    assert_eq!(read, links);
}
