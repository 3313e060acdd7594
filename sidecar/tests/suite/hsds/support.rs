//! A server, sessions with it, and domains on it.

use std::time::Duration;

use serde_json::Map;
use taskgate::hsds::calls::create::{NewKind, NewObject};
use taskgate::hsds::client::settings::HsdsSettings;
use taskgate::hsds::client::{Hsds, Session};
use taskgate::hsds::dataspace::Dataspace;
use taskgate::hsds::datatype::Datatype;
use taskgate::hsds::domain::DomainName;
use taskgate::hsds::id::ObjectId;
use taskgate::secret::SecretText;
use taskgate_test_kit::HsdsUser;

/// A real server.
pub(super) async fn server() -> taskgate_test_kit::Hsds {
    taskgate_test_kit::Hsds::start().await.expect("HSDS starts")
}

/// A client for a server at that address.
pub(super) fn client(url: &str) -> Hsds {
    let settings = HsdsSettings { patience: Duration::from_secs(30), ..HsdsSettings::new(url.parse().expect("a URL")) };
    Hsds::new(settings).expect("a client")
}

/// A session of that user.
pub(super) fn session(server: &taskgate_test_kit::Hsds, user: HsdsUser) -> Session {
    client(&server.url()).with(&SecretText::from(user.authorization())).expect("a session")
}

/// A new domain of the session's user.
pub(super) async fn new_domain(session: &Session, path: &str) -> (DomainName, ObjectId) {
    let domain = DomainName::new(path);
    let root = session.create_domain(&domain).await.expect("a domain").root.expect("a root");
    (domain, root)
}

/// A dataset that is to be.
pub(super) fn dataset(datatype: Datatype, dataspace: Dataspace) -> NewObject {
    NewObject::new(NewKind::Dataset { datatype, dataspace, creation: Map::new() })
}

/// The same object with that name in that group.
pub(super) fn named(object: NewObject, parent: ObjectId, name: &str) -> NewObject {
    NewObject { link: Some((parent, name.to_owned())), ..object }
}
