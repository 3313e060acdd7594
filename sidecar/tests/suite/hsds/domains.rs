//! Domains, folders, flush and rescan.

use taskgate::hsds::calls::domains::Who;
use taskgate::hsds::client::error::HsdsError;
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::{Datatype, Order};
use taskgate::hsds::domain::DomainName;
use taskgate_test_kit::HsdsUser;

use crate::hsds::support::{client, dataset, named, new_domain, server, session};

#[tokio::test]
async fn domains_come_and_go() {
    let server = server().await;
    let (admin, one) = (session(&server, HsdsUser::Admin), session(&server, HsdsUser::One));
    assert_eq!(one.whoami().await, Ok(Who { username: "test_user1".into(), is_admin: false }));
    assert_eq!(admin.whoami().await, Ok(Who { username: "admin".into(), is_admin: true }));
    let nobody = client(&server.url()).anonymous();
    assert_eq!(nobody.whoami().await.map(|who| who.username), Ok("anonymous".into()));
    assert_eq!(nobody.is_ready().await, Ok(true));

    let folder = DomainName::new("/home/test_user1/f öl & der");
    assert_eq!(one.create_folder(&folder).await.map(|folder| folder.root), Ok(None));
    assert_eq!(one.create_folder(&folder).await, Err(HsdsError::Conflict));
    let (domain, root) = new_domain(&one, "/home/test_user1/f öl & der/x+y%20?.h5").await;
    let found = one.domain(&domain).await.expect("the domain");
    assert_eq!((found.root, found.owner.as_str()), (Some(root), "test_user1"));
    assert_eq!(found.max_request, Some(100 << 20));
    assert_eq!(one.create_domain(&domain).await, Err(HsdsError::Conflict));
    assert_eq!(one.delete_domain(&folder).await, Err(HsdsError::Conflict));

    assert_eq!(one.rescan(&domain).await, Ok(()));
    assert_eq!(one.delete_domain(&domain).await, Ok(()));
    assert!(one.domain(&domain).await.is_err_and(|error| error.is_absent()));
    assert_eq!(one.delete_domain(&folder).await, Ok(()));

    let elsewhere = DomainName::new("/home/test_user1/x.h5").in_bucket(Some("other".into()));
    assert!(one.create_domain(&elsewhere).await.is_ok());
    assert_eq!(one.domain(&DomainName::new("/home/test_user1/x.h5")).await, Err(HsdsError::NotFound));
    assert!(one.domain(&elsewhere).await.is_ok());
    let nowhere = elsewhere.in_bucket(Some("nothing".into()));
    assert_eq!(one.domain(&nowhere).await, Err(HsdsError::NotFound));
}

#[tokio::test]
async fn what_was_flushed_survives_the_server() {
    let mut server = server().await;
    let one = session(&server, HsdsUser::One);
    let (domain, root) = new_domain(&one, "/home/test_user1/flush.h5").await;
    let wanted = named(dataset(Datatype::integer(8, true, Order::Little), Dataspace::simple([3])), root, "x");
    let made = one.create(&domain, &wanted).await.expect("a dataset").id;
    let bytes: Vec<u8> = [2_i64, 3, 7].iter().flat_map(|number| number.to_le_bytes()).collect();
    assert_eq!(one.write_values(&domain, made, None, bytes.clone().into()).await, Ok(()));
    assert_eq!(one.flush(&domain).await, Ok(()));
    server.kill().expect("is killed");
    // The call waits for the server that comes back.
    let (read, restarted) = tokio::join!(one.read_values(&domain, made, None, Some(24)), server.restart());
    restarted.expect("is up again");
    assert_eq!(read, Ok(bytes.clone().into()));
    server.stop().await.expect("ends");
    server.restart().await.expect("is up again");
    assert_eq!(one.read_values(&domain, made, None, Some(24)).await, Ok(bytes.into()));
}
