//! URLs, signed one after the other on one thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use taskgate::clock::{SharedClock, SystemClock};
use taskgate::data::desk::shared_keys;
use taskgate::data::path::Key;
use taskgate::data::store::credential::S3Credential;
use taskgate::data::store::local::{LocalSettings, LocalStore, StoreName};
use taskgate::data::store::{AzureKey, AzureSettings, AzureStore, S3Key, S3Settings, S3Store, Store, UploadTerms};
use taskgate::secret::SecretText;
use taskgate_core::key::{KeyId, Secret};

/// How many URLs of one kind are signed a second.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) store: &'static str,
    pub(super) per_second: f64,
}

/// Signs URLs of each kind for so long: uploads with digest and length, as Flyte's SDK asks for them.
pub(super) async fn measure(slice: Duration) -> anyhow::Result<Vec<Signed>> {
    let clock: SharedClock = Arc::new(SystemClock);
    let folder = tempfile::tempdir()?;
    let local = LocalSettings {
        name: StoreName::parse("main")?,
        folder: folder.path().to_owned(),
        public_url: "https://data.example.test".into(),
        audience: "taskgate".into(),
        uri_base: None,
        max_object_bytes: u64::MAX,
        keep_free_bytes: 0,
        durable: false,
    };
    let keys = shared_keys(vec![(KeyId::parse("k1")?, Secret::new([7; 32]))]);
    let s3 = S3Settings {
        bucket: "data".into(),
        region: "us-east-1".into(),
        endpoint: None,
        public_endpoint: None,
        virtual_hosted: true,
        prefix: None,
        key: Some(S3Key {
            credential: S3Credential {
                access_key_id: "AKIDBENCH".into(),
                secret_access_key: SecretText::from("a-secret-of-the-bench".to_owned()),
                session_token: None,
            },
            ends: None,
        }),
    };
    let azure = AzureSettings {
        account: "bench".into(),
        container: "data".into(),
        endpoint: None,
        public_endpoint: None,
        prefix: None,
        key: AzureKey { key: SecretText::from("YS1rZXktb2YtdGhlLWJlbmNo".to_owned()), ends: None },
    };
    let stores: [(&'static str, Box<dyn Store>); 3] = [
        ("azure", Box::new(AzureStore::new(&azure, Arc::clone(&clock))?)),
        ("local", Box::new(LocalStore::open(local, keys, Arc::clone(&clock))?)),
        ("s3", Box::new(S3Store::new(&s3, clock)?)),
    ];
    let mut signed = Vec::with_capacity(stores.len());
    for (store, open) in stores {
        signed.push(Signed { store, per_second: rate(open.as_ref(), slice).await? });
    }
    Ok(signed)
}

#[expect(clippy::cast_precision_loss, reason = "nobody signs so many")]
async fn rate(store: &dyn Store, slice: Duration) -> anyhow::Result<f64> {
    let key = Key::parse("uploads/flytesnacks/development/3WS3OTAIJJNWA4R6NMXZZHTI4E======/a b.txt")?;
    let terms = UploadTerms {
        expires_in: Duration::from_secs(900),
        content_md5: Some([7; 16]),
        content_length: Some(15),
        ..UploadTerms::default()
    };
    let (started, mut count) = (Instant::now(), 0_u64);
    while started.elapsed() < slice {
        store.sign_upload(&key, &terms).await?;
        count += 1;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}
