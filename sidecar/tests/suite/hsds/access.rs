//! Who may do what: refusals, rights, and the probes that ask without doing.

use serde_json::json;
use taskgate::hsds::calls::ListOrder;
use taskgate::hsds::calls::acls::Rights;
use taskgate::hsds::client::Session;
use taskgate::hsds::client::error::HsdsError;
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::{Datatype, Order};
use taskgate::hsds::domain::DomainName;
use taskgate::hsds::id::ObjectId;
use taskgate::secret::SecretText;
use taskgate_test_kit::HsdsUser;

use crate::hsds::support::{client, dataset, named, new_domain, server, session};

const READ: Rights =
    Rights { create: false, read: true, update: false, delete: false, read_rights: false, update_rights: false };
const NOTHING: Rights = Rights { read: false, ..READ };

#[tokio::test]
async fn probes_say_what_a_user_may_and_change_nothing() {
    let server = server().await;
    let (one, two) = (session(&server, HsdsUser::One), session(&server, HsdsUser::Two));
    let admin = session(&server, HsdsUser::Admin);
    let (domain, root) = new_domain(&one, "/home/test_user1/access.h5").await;
    let wanted = named(dataset(Datatype::integer(4, true, Order::Big), Dataspace::simple([2])), root, "x");
    let x = one.create(&domain, &wanted).await.expect("a dataset").id;
    let values = bytes::Bytes::from_static(&[0, 0, 0, 1, 0, 0, 0, 2]);
    assert_eq!(one.write_values(&domain, x, None, values.clone()).await, Ok(()));

    let before = server.ask(HsdsUser::Admin, reqwest::Method::GET, &about(&domain, x), None).await.expect("JSON");
    let rights_of = async |who: &Session| {
        let may = [
            who.may_read(&domain).await,
            who.may_update(&domain, x).await,
            who.may_create(&domain).await,
            who.may_change(&domain, root).await,
        ];
        may.map(|may| may.expect("yes or no"))
    };
    for (who, rights) in [(&one, true), (&admin, true), (&two, false)] {
        assert_eq!(rights_of(who).await, [rights; 4]);
    }
    for (rights, expected) in [
        (READ, [true, false, false, false]),
        (Rights { update: true, ..READ }, [true, true, false, true]),
        (Rights { create: true, ..READ }, [true, false, true, false]),
        (NOTHING, [false; 4]),
    ] {
        assert_eq!(one.put_rights(&domain, "test_user2", rights).await, Ok(()));
        assert_eq!(one.rights(&domain, "test_user2").await, Ok(Some(rights)));
        assert_eq!(rights_of(&two).await, expected, "{rights:?}");
    }
    assert_eq!(one.rights(&domain, "somebody").await, Ok(None));
    assert_eq!(one.rights(&DomainName::new("/home/test_user1/no.h5"), "somebody").await, Err(HsdsError::NotFound));

    let after = server.ask(HsdsUser::Admin, reqwest::Method::GET, &about(&domain, x), None).await.expect("JSON");
    assert_eq!(after, before);
    assert_eq!(one.read_values(&domain, x, None, Some(8)).await, Ok(values));
    assert_eq!(one.links(&domain, root, ListOrder::Names, None, 9).await.map(|links| links.len()), Ok(1));
    assert_eq!(one.object(&domain, root).await.expect("a group").attribute_count, Some(0));

    // What is not there is no "may not".
    let other = ObjectId::derived(x.collection(), root, &[b"other"]);
    assert_eq!(one.may_update(&domain, other).await, Err(HsdsError::NotFound));
    let (elsewhere, _) = new_domain(&one, "/home/test_user1/elsewhere.h5").await;
    assert_eq!(one.may_update(&elsewhere, x).await, Err(HsdsError::NotFound));
    assert_eq!(one.may_create(&DomainName::new("/home/test_user1/no.h5")).await, Err(HsdsError::NotFound));
}

fn about(domain: &DomainName, object: ObjectId) -> String {
    format!("/datasets/{object}?domain={}", domain.path)
}

#[tokio::test]
async fn a_group_has_rights_too() {
    let server = server().await;
    let (one, two) = (session(&server, HsdsUser::One), session(&server, HsdsUser::Two));
    let (domain, _) = new_domain(&one, "/home/test_user1/group.h5").await;
    assert_eq!(two.may_read(&domain).await, Ok(false));
    let rights = Rights { create: true, ..READ };
    assert_eq!(one.put_rights(&domain, "g:test_group", rights).await, Ok(()));
    assert_eq!((two.may_read(&domain).await, two.may_create(&domain).await), (Ok(true), Ok(true)));
}

#[tokio::test]
async fn credentials_that_are_none_are_refused_and_never_shown() {
    let server = server().await;
    let hsds = client(&server.url());
    let one = session(&server, HsdsUser::One);
    let (domain, _) = new_domain(&one, "/home/test_user1/secret.h5").await;
    for credential in
        ["Basic dGVzdF91c2VyMTpodW50ZXIy", "Basic bm9ib2R5Omh1bnRlcjI=", "Bearer hunter2", "Digest hunter2"]
    {
        let wrong = hsds.with(&SecretText::from(credential.to_owned())).expect("a session");
        let errors = [
            wrong.whoami().await.map(|_| ()),
            wrong.domain(&domain).await.map(|_| ()),
            wrong.may_create(&domain).await.map(|_| ()),
        ];
        for error in errors {
            assert_eq!(error, Err(HsdsError::Unauthorised), "{credential}");
        }
        let shown = format!("{wrong:?} {:?} {}", HsdsError::Unauthorised, HsdsError::Unauthorised);
        assert!(!shown.contains("hunter2") && !shown.contains("dGVz"), "{shown}");
    }
    let broken = hsds.with(&SecretText::from("Basic a\r\nX: hunter2".to_owned()));
    assert_eq!(broken.map(|_| ()), Err(HsdsError::Unauthorised));
    // Nobody is refused where they are asked who they are, and may not read.
    assert_eq!(hsds.anonymous().may_read(&domain).await, Ok(false));
    assert_eq!(hsds.anonymous().may_create(&domain).await, Err(HsdsError::Unauthorised));
    let shown = json!(format!("{one:?}")).to_string();
    let secret = HsdsUser::One.authorization();
    assert!(!shown.contains(secret.trim_start_matches("Basic ")), "{shown}");
}
