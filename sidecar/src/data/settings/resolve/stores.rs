//! From stores as written to what they are opened with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use taskgate_core::key::KeyRing;
use taskgate_core::time::UnixTime;

use crate::auth::tokens::parse_date;
use crate::clock::SharedClock;
use crate::config::data::stores::{AzureStoreConfig, GcsStoreConfig, LocalStoreConfig, S3StoreConfig, StoreConfig};
use crate::config::resolve::{Files, InvalidSetting};
use crate::data::path::Segments;
use crate::data::settings::resolve::{parsed, size};
use crate::data::store::credential::S3Credential;
use crate::data::store::local::{LocalSettings, LocalStore, StoreName};
use crate::data::store::{
    AzureKey, AzureSettings, AzureStore, GcsSettings, GcsStore, S3Key, S3Settings, S3Store, Store, StoreError,
};
use crate::http::parse_url;
use crate::secret::SecretText;

/// What a store is opened with.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// A container of Azure Blob Storage.
    Azure(AzureSettings),
    /// A bucket of Google Cloud Storage.
    Gcs(GcsSettings),
    /// A folder.
    Local(LocalSettings),
    /// A bucket of S3.
    S3(S3Settings),
}

/// What is said once for all stores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common<'a> {
    /// The most bytes of an upload.
    pub(super) max_size: u64,
    /// For which installation URLs are signed.
    pub(super) url_audience: &'a str,
}

/// Stores that are open.
#[derive(Clone, Debug, Default)]
pub struct OpenStores {
    /// All of them, by name.
    pub stores: BTreeMap<String, Arc<dyn Store>>,
    /// Those that the sidecar serves itself.
    pub local: Vec<Arc<LocalStore>>,
}

impl OpenStores {
    /// Opens stores. It blocks.
    ///
    /// # Errors
    /// The name of the first that can't be opened, and why.
    pub fn open(
        settings: &[(String, StoreSettings)],
        keys: &Arc<ArcSwap<KeyRing>>,
        clock: &SharedClock,
    ) -> Result<Self, (String, StoreError)> {
        let mut open = Self::default();
        for (name, settings) in settings {
            let clock = Arc::clone(clock);
            let opened = match settings {
                StoreSettings::Azure(settings) => {
                    AzureStore::new(settings, clock).map(|store| Arc::new(store) as Arc<dyn Store>)
                }
                StoreSettings::Gcs(settings) => {
                    GcsStore::new(settings, clock).map(|store| Arc::new(store) as Arc<dyn Store>)
                }
                StoreSettings::Local(settings) => {
                    LocalStore::open(settings.clone(), Arc::clone(keys), clock).map(|store| {
                        let store = Arc::new(store);
                        open.local.push(Arc::clone(&store));
                        store as Arc<dyn Store>
                    })
                }
                StoreSettings::S3(settings) => {
                    S3Store::new(settings, clock).map(|store| Arc::new(store) as Arc<dyn Store>)
                }
            };
            open.stores.insert(name.clone(), opened.map_err(|error| (name.clone(), error))?);
        }
        Ok(open)
    }
}

impl StoreSettings {
    /// Checks a store's configuration and reads what it points to.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub(super) fn resolve(
        key: &str,
        name: &str,
        config: StoreConfig,
        common: &Common<'_>,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        // A store's name stands in addresses and logs.
        let name = parsed(key, StoreName::parse(name))?;
        Ok(match config {
            StoreConfig::Azure(config) => Self::Azure(azure(&format!("{key}.azure"), config, files)?),
            StoreConfig::Gcs(config) => Self::Gcs(gcs(&format!("{key}.gcs"), config, files)?),
            StoreConfig::Local(config) => Self::Local(local(&format!("{key}.local"), name, config, common, files)?),
            StoreConfig::S3(config) => Self::S3(s3(&format!("{key}.s3"), config, files)?),
        })
    }
}

fn s3(key: &str, config: S3StoreConfig, files: &mut Files<'_>) -> Result<S3Settings, InvalidSetting> {
    let secret_key = format!("{key}.secret_access_key");
    let secret = files.secret(&secret_key, config.secret_access_key, config.secret_access_key_file.as_deref())?;
    let token_key = format!("{key}.session_token");
    let session_token = files.secret(&token_key, config.session_token, config.session_token_file.as_deref())?;
    let ends = ends(key, config.key_ends.as_deref())?;
    let key_of_store = match (config.access_key_id, secret) {
        (Some(access_key_id), Some(secret_access_key)) => {
            Some(S3Key { credential: S3Credential { access_key_id, secret_access_key, session_token }, ends })
        }
        (None, None) if session_token.is_none() && ends.is_none() => None,
        (Some(_), None) => {
            return Err(InvalidSetting::new(secret_key, "is missing; set it or `secret_access_key_file`"));
        }
        (None, _) => return Err(InvalidSetting::new(format!("{key}.access_key_id"), "is missing")),
    };
    Ok(S3Settings {
        bucket: bucket(&format!("{key}.bucket"), config.bucket)?,
        region: config.region,
        endpoint: endpoint(&format!("{key}.endpoint"), config.endpoint)?,
        public_endpoint: endpoint(&format!("{key}.public_endpoint"), config.public_endpoint)?,
        virtual_hosted: config.virtual_hosted,
        prefix: prefix(key, config.prefix.as_deref())?,
        key: key_of_store,
    })
}

fn gcs(key: &str, config: GcsStoreConfig, files: &mut Files<'_>) -> Result<GcsSettings, InvalidSetting> {
    let secret_key = format!("{key}.service_account_key");
    let service_account_key =
        files.secret(&secret_key, config.service_account_key, config.service_account_key_file.as_deref())?;
    Ok(GcsSettings {
        bucket: bucket(&format!("{key}.bucket"), config.bucket)?,
        endpoint: endpoint(&format!("{key}.endpoint"), config.endpoint)?,
        public_endpoint: endpoint(&format!("{key}.public_endpoint"), config.public_endpoint)?,
        prefix: prefix(key, config.prefix.as_deref())?,
        service_account_key,
    })
}

fn azure(key: &str, config: AzureStoreConfig, files: &mut Files<'_>) -> Result<AzureSettings, InvalidSetting> {
    let secret_key = format!("{key}.account_key");
    let account_key: SecretText = files
        .secret(&secret_key, config.account_key, config.account_key_file.as_deref())?
        .ok_or_else(|| InvalidSetting::new(&secret_key, "is missing; set it or `account_key_file`"))?;
    Ok(AzureSettings {
        account: config.account,
        container: bucket(&format!("{key}.container"), config.container)?,
        endpoint: endpoint(&format!("{key}.endpoint"), config.endpoint)?,
        public_endpoint: endpoint(&format!("{key}.public_endpoint"), config.public_endpoint)?,
        prefix: prefix(key, config.prefix.as_deref())?,
        key: AzureKey { key: account_key, ends: ends(key, config.key_ends.as_deref())? },
    })
}

fn local(
    key: &str,
    name: StoreName,
    config: LocalStoreConfig,
    common: &Common<'_>,
    files: &Files<'_>,
) -> Result<LocalSettings, InvalidSetting> {
    let url_key = format!("{key}.public_url");
    parsed(&url_key, parse_url(&config.public_url))?;
    let max_object = config.max_object.as_deref().map(|text| size(&format!("{key}.max_object"), text)).transpose()?;
    Ok(LocalSettings {
        name,
        folder: parsed(&format!("{key}.folder"), std::path::absolute(files.path(&config.folder)))?,
        public_url: config.public_url,
        audience: common.url_audience.to_owned(),
        uri_base: config.uri_base,
        max_object_bytes: max_object.unwrap_or(common.max_size),
        keep_free_bytes: parsed(
            &format!("{key}.keep_free"),
            crate::data::settings::quantity::parse(&config.keep_free),
        )?,
        durable: config.durable,
    })
}

fn bucket(key: &str, name: String) -> Result<String, InvalidSetting> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 222 || !name.bytes().all(is_plain) {
        return Err(InvalidSetting::new(key, "is no name of A-Z, a-z, 0-9, `-`, `_` and `.`"));
    }
    Ok(name)
}

fn endpoint(key: &str, text: Option<String>) -> Result<Option<String>, InvalidSetting> {
    if let Some(text) = &text {
        parsed(key, parse_url(text))?;
    }
    Ok(text)
}

fn prefix(key: &str, text: Option<&str>) -> Result<Option<Segments>, InvalidSetting> {
    match text.unwrap_or_default().trim_matches('/') {
        "" => Ok(None),
        text => parsed(&format!("{key}.prefix"), Segments::parse(text)).map(Some),
    }
}

fn ends(key: &str, text: Option<&str>) -> Result<Option<UnixTime>, InvalidSetting> {
    text.map(|text| parsed(&format!("{key}.key_ends"), parse_date(text))).transpose()
}
