//! S3, as Ceph's gateway has it: a lane of its own, `make test-radosgw`.

use taskgate::data::store::{S3Settings, S3Store};
use taskgate_test_kit::Radosgw;

use super::faults::{Subject, are_documented};
use super::support::{an_hour_ago, bucket, clients_put_and_get, now, reads_and_writes};

fn settings(endpoint: &str) -> S3Settings {
    bucket(endpoint, Radosgw::BUCKET, Radosgw::ACCESS_KEY_ID, Radosgw::SECRET_ACCESS_KEY)
}

pub(super) async fn started() -> (Radosgw, S3Store) {
    let server = Radosgw::start().await.expect("a server");
    let store = S3Store::new(&settings(&server.url()), now()).expect("a store");
    (server, store)
}

#[tokio::test]
async fn objects_are_read_and_written() {
    let (_server, store) = started().await;
    reads_and_writes(&store).await;
}

#[tokio::test]
async fn clients_put_and_get_objects() {
    let (_server, store) = started().await;
    clients_put_and_get(&store, 200).await;
}

#[tokio::test]
async fn faults_are_documented() {
    let (server, store) = started().await;
    let late = S3Store::new(&settings(&server.url()), an_hour_ago()).expect("a store");
    let subject = Subject {
        column: "S3 (Ceph 16)",
        store: &store,
        late: &late,
        signature: "X-Amz-Signature",
        success: 200,
        rounds: Some(30),
        keeps_refused: false,
    };
    are_documented(&subject).await;
}
