//! The local store, as its clients see it beside the others. The rest of it is in `data/local.rs`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use taskgate::api::objects;
use taskgate::clock::SharedClock;
use taskgate::data::store::local::{LocalSettings, LocalStore, StoreName};
use taskgate_core::key::{KeyId, KeyRing, Secret};
use tokio::net::TcpListener;

use super::faults::{Subject, are_documented};
use super::support::{an_hour_ago, now};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_documented() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let settings = LocalSettings {
        name: StoreName::parse("main").expect("a name"),
        folder: directory.path().to_owned(),
        public_url: format!("http://{}", listener.local_addr().expect("an address")),
        audience: "test".into(),
        uri_base: None,
        max_object_bytes: 8 << 20,
        keep_free_bytes: 0,
        durable: false,
    };
    let ring = KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([1; 32]))]);
    let keys = Arc::new(ArcSwap::from_pointee(ring));
    let open = |clock: SharedClock| LocalStore::open(settings.clone(), Arc::clone(&keys), clock).expect("opens");
    let (store, late) = (Arc::new(open(now())), open(an_hour_ago()));
    let router = objects::routes(Arc::clone(&store));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let subject = Subject {
        column: "local",
        store: &*store,
        late: &late,
        signature: "tg-signature",
        success: 201,
        rounds: Some(30),
        keeps_refused: false,
    };
    are_documented(&subject).await;
}
