//! From the section `data` as written to settings that hold.

pub mod catalog;
pub mod service;
pub mod stores;

use std::collections::BTreeSet;
use std::time::Duration;

use http::HeaderValue;
use taskgate_core::config::GateConfig;

use crate::config::data::service::DataServiceConfig;
use crate::config::data::{DataConfig, DataLogsConfig, DownloadConfig, PlacementConfig, SelfTestConfig, UploadConfig};
use crate::config::resolve::{Files, InvalidSetting};
use crate::data::catalog::templates::{Template, Variable};
use crate::data::logs::http::HttpPrefix;
use crate::data::logs::settings::LogSettings;
use crate::data::path::{DomainName, ProjectName, Segments};
use crate::data::placement::PlacementRule;
use crate::data::settings::base_dir::BaseDir;
use crate::data::settings::resolve::catalog::CatalogSettings;
use crate::data::settings::resolve::service::ServiceSettings;
use crate::data::settings::resolve::stores::{Common, StoreSettings};
use crate::data::settings::{DataSettings, DownloadSettings, LONGEST_EXPIRY, UploadSettings, duration, quantity};
use crate::digest::Digest;
use crate::lifecycle::front::Front;

/// The most bytes of a line of a log.
const LONGEST_LINE: u64 = 1 << 20;

/// What the section `data` says.
#[derive(Clone, Debug)]
pub struct DataPlan {
    /// The stores by their names.
    pub stores: Vec<(String, StoreSettings)>,
    /// Whose data go into which; every name is one of a store.
    pub placement: Vec<PlacementRule>,
    /// What knows projects and runs, first preferred.
    pub catalog: Vec<CatalogSettings>,
    /// Where the API is behind the gate; none: nowhere.
    pub service: Option<ServiceSettings>,
    /// What is done about stores that can't do what will be asked of them.
    pub self_test: SelfTestConfig,
    /// Whose pages may ask from a browser.
    pub origins: Vec<HeaderValue>,
    /// How the service behaves.
    pub settings: DataSettings,
    /// From where logs are read.
    pub logs: LogSettings,
    /// Differs when any of these does, but for secrets in files.
    pub fingerprint: Digest,
}

impl DataPlan {
    /// Checks the section and reads what it points to.
    ///
    /// # Errors
    /// The first [`InvalidSetting`].
    pub fn resolve(
        config: DataConfig,
        gate: &GateConfig,
        front: Option<&Front>,
        files: &mut Files<'_>,
    ) -> Result<Self, InvalidSetting> {
        let front = front.ok_or_else(|| {
            InvalidSetting::new("public.listen", "`data` is served there; add `public: {listen: \"127.0.0.1:7012\"}`")
        })?;
        let fingerprint = Digest::of(format!("{config:?} {}", gate.url_audience).as_bytes());
        let DataServiceConfig { label, address, origins } = &config.service;
        let service = ServiceSettings::resolve("data.service", label, address.as_deref(), gate, front)?;
        let origins = service::origins(origins)?;
        let upload = upload(&config.upload)?;
        if config.stores.is_empty() {
            return Err(InvalidSetting::new("data.stores", "there is none; add `main: {local: …}`, say"));
        }
        let common = Common { max_size: upload.max_size, url_audience: &gate.url_audience };
        let mut stores = Vec::with_capacity(config.stores.len());
        for (name, store) in config.stores {
            let key = format!("data.stores.{name}");
            let settings = StoreSettings::resolve(&key, &name, store, &common, files)?;
            stores.push((name, settings));
        }
        let names: BTreeSet<&str> = stores.iter().map(|(name, _)| name.as_str()).collect();
        let placement = placement(config.placement, &names)?;
        if config.catalog.is_empty() {
            return Err(InvalidSetting::new("data.catalog", "there is none, so there is no project; add `- file: …`"));
        }
        let mut catalog = Vec::with_capacity(config.catalog.len());
        for (index, config) in config.catalog.into_iter().enumerate() {
            catalog.push(CatalogSettings::resolve(&format!("data.catalog[{index}]"), config, files)?);
        }
        let settings = DataSettings { upload, download: download(&config.download)? };
        let self_test = config.self_test;
        Ok(Self {
            stores,
            placement,
            catalog,
            self_test,
            service,
            origins,
            settings,
            logs: logs(&config.logs)?,
            fingerprint,
        })
    }
}

fn upload(config: &UploadConfig) -> Result<UploadSettings, InvalidSetting> {
    let storage_prefix = match config.storage_prefix.trim_matches('/') {
        "" => None,
        prefix => Some(parsed("data.upload.storagePrefix", Segments::parse(prefix))?),
    };
    let base_dirs = config.base_dirs.iter().enumerate();
    let base_dirs =
        base_dirs.map(|(index, text)| parsed(&format!("data.upload.baseDirs[{index}]"), BaseDir::parse(text)));
    Ok(UploadSettings {
        max_size: size("data.upload.maxSize", &config.max_size)?,
        max_expires_in: expiry("data.upload.maxExpiresIn", &config.max_expires_in)?,
        storage_prefix,
        create_only: config.create_only,
        multipart_expires: multipart_expires(&config.multipart_expires)?,
        base_dirs: base_dirs.collect::<Result<_, _>>()?,
    })
}

fn download(config: &DownloadConfig) -> Result<DownloadSettings, InvalidSetting> {
    Ok(DownloadSettings {
        max_expires_in: expiry("data.download.maxExpiresIn", &config.max_expires_in)?,
        max_size: size("data.download.maxReadSize", &config.max_read_size)?,
        concurrent_reads: count("data.download.concurrentReads", config.concurrent_reads, 10_000)?,
    })
}

fn logs(config: &DataLogsConfig) -> Result<LogSettings, InvalidSetting> {
    for (index, folder) in config.folders.iter().enumerate() {
        if !folder.is_absolute() {
            return Err(InvalidSetting::new(format!("data.logs.folders[{index}]"), "is not absolute"));
        }
    }
    let prefixes = config.http.iter().enumerate();
    let prefixes = prefixes.map(|(index, text)| parsed(&format!("data.logs.http[{index}]"), HttpPrefix::parse(text)));
    let namespaces = config.namespaces.iter().enumerate().map(|(index, text)| {
        parsed(&format!("data.logs.namespaces[{index}]"), Template::parse(text, &Variable::OF_DOMAIN))
    });
    if !(10..=60_000).contains(&config.poll_ms) {
        return Err(InvalidSetting::new("data.logs.poll_ms", "is not between 10 and 60000"));
    }
    let max_line = size("data.logs.max_line", &config.max_line)?;
    if max_line > LONGEST_LINE {
        return Err(InvalidSetting::new("data.logs.max_line", "is more than 1Mi"));
    }
    Ok(LogSettings {
        folders: config.folders.clone(),
        prefixes: prefixes.collect::<Result<_, _>>()?,
        namespaces: namespaces.collect::<Result<_, _>>()?,
        poll: Duration::from_millis(config.poll_ms),
        recheck: length("data.logs.recheck", &config.recheck)?,
        idle: length("data.logs.idle", &config.idle)?,
        max_line: usize::try_from(max_line).unwrap_or(usize::MAX),
        max_streams: count("data.logs.max_streams", config.max_streams, 1_000_000)?,
        max_object: size("data.logs.max_object", &config.max_object)?,
        ..LogSettings::default()
    })
}

fn placement(configs: Vec<PlacementConfig>, names: &BTreeSet<&str>) -> Result<Vec<PlacementRule>, InvalidSetting> {
    if configs.is_empty() && names.len() > 1 {
        let reason = "there are several stores; say whose data go into which";
        return Err(InvalidSetting::new("data.placement", reason));
    }
    let rules = configs.into_iter().enumerate().map(|(index, config)| {
        let key = format!("data.placement[{index}]");
        if !names.contains(config.store.as_str()) {
            return Err(InvalidSetting::new(format!("{key}.store"), format!("there is no store `{}`", config.store)));
        }
        let project = config.project.map(|name| parsed(&format!("{key}.project"), ProjectName::parse(&name)));
        let domain = config.domain.map(|name| parsed(&format!("{key}.domain"), DomainName::parse(&name)));
        Ok(PlacementRule { project: project.transpose()?, domain: domain.transpose()?, store: config.store })
    });
    rules.collect()
}

/// A size that is not 0.
fn size(key: &str, text: &str) -> Result<u64, InvalidSetting> {
    match parsed(key, quantity::parse(text))? {
        0 => Err(InvalidSetting::new(key, "is 0")),
        bytes => Ok(bytes),
    }
}

/// A length of time that is not 0.
fn length(key: &str, text: &str) -> Result<Duration, InvalidSetting> {
    match parsed(key, duration::parse(text))? {
        Duration::ZERO => Err(InvalidSetting::new(key, "is 0")),
        length => Ok(length),
    }
}

/// After how long an upload in parts is given up: no sooner than somebody may still be at it, and no later than
/// Azure does so.
fn multipart_expires(text: &str) -> Result<Duration, InvalidSetting> {
    let key = "data.upload.multipartExpires";
    let length = length(key, text)?;
    if length < Duration::from_secs(3_600) || length > LONGEST_EXPIRY {
        return Err(InvalidSetting::new(key, "is not between 1h and 168h"));
    }
    Ok(length)
}

/// For how long a URL may work.
fn expiry(key: &str, text: &str) -> Result<Duration, InvalidSetting> {
    let length = length(key, text)?;
    if length < Duration::from_secs(1) || length > LONGEST_EXPIRY {
        return Err(InvalidSetting::new(key, "is not between 1s and 168h"));
    }
    Ok(length)
}

fn count(key: &str, value: usize, most: usize) -> Result<usize, InvalidSetting> {
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(InvalidSetting::new(key, format!("{value} is not between 1 and {most}")))
    }
}

fn parsed<T, E: std::fmt::Display>(key: &str, result: Result<T, E>) -> Result<T, InvalidSetting> {
    result.map_err(|error| InvalidSetting::new(key, error.to_string()))
}

#[cfg(test)]
mod tests;
