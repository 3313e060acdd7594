//! From the configuration as written to settings that hold: values checked, secrets and listed
//! files read, relative paths made absolute.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use taskgate_core::config::GateConfig;
use taskgate_core::key::{KeyId, Secret};
use taskgate_core::verdict::MAX_LIFETIME;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::access::entrance::settings::EntranceSettings;
use crate::access::settings::AccessSettings;
use crate::auth::peers::PeerRules;
use crate::auth::settings::{SourceSettings, VerdictSettings, resolve_sources};
use crate::config::Config;
use crate::config::keys::KeyConfig;
use crate::config::logs::LogsConfig;
use crate::data::settings::resolve::DataPlan;
use crate::decide::settings::ForwardAuthSettings;
use crate::digest::Digest;
use crate::discovery::settings::{ProviderSettings, resolve_providers};
use crate::dns::settings::DnsSettings;
use crate::file::{self, ReadFile};
use crate::gateway::settings::GatewaySettings;
use crate::lifecycle::address::Listen;
use crate::lifecycle::front::Front;
use crate::registry::names::rules::NameRules;
use crate::registry::refused::RefusedEndpoint;
use crate::secret::SecretText;
use crate::tasks::settings::TaskSettings;
use crate::telemetry::trace::settings::OtlpSettings;
use crate::tunnel::settings::TunnelSettings;
use crate::xds::settings::XdsSettings;

/// The largest file with one secret.
pub const MAX_SECRET_BYTES: u64 = 64 << 10;
/// The most keys of the ring: all of them travel to every worker.
const MAX_KEYS: usize = 16;

/// Whether something differs between the settings that run and others.
type Differs = fn(&Settings, &Settings) -> bool;

/// The keys that count from the next start on alone, in the order of the sections.
pub const NEEDS_RESTART: [(&str, Differs); 19] = [
    ("gate.url_audience", |old, new| old.gate.url_audience != new.gate.url_audience),
    ("internal.listen", |old, new| old.internal != new.internal),
    ("forward_auth.listen", |old, new| old.forward_auth_listen() != new.forward_auth_listen()),
    ("xds", |old, new| old.xds != new.xds),
    ("internal_task_gateway", |old, new| old.gateway_fingerprint() != new.gateway_fingerprint()),
    ("operations.listen", |old, new| old.operations != new.operations),
    ("public.listen", |old, new| old.public != new.public),
    ("discovery.startup_secs", |old, new| old.startup != new.startup),
    ("verdicts.cache_entries", |old, new| old.verdicts.cache_entries != new.verdicts.cache_entries),
    ("access", |old, new| old.entrance_fingerprint() != new.entrance_fingerprint()),
    ("access.store", |old, new| old.access.store_digest() != new.access.store_digest()),
    ("data", |old, new| old.data_fingerprint() != new.data_fingerprint()),
    ("tasks", |old, new| old.task_fingerprint() != new.task_fingerprint()),
    ("tunnels", |old, new| old.tunnels != new.tunnels),
    ("sessions.plain_http", |old, new| old.gate.plain_http != new.gate.plain_http),
    ("state.directory", |old, new| old.state_directory != new.state_directory),
    ("logs.format", |old, new| old.logs.format != new.logs.format),
    ("telemetry.otlp", |old, new| !old.has_same_traces(new)),
    ("shutdown.grace_secs", |old, new| old.grace != new.grace),
];

/// A value that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{key}`: {reason}")]
pub struct InvalidSetting {
    /// Which key, as in `keys[0].secret`.
    pub key: String,
    /// What is wrong and what to write instead.
    pub reason: String,
}

impl InvalidSetting {
    /// A value that makes no sense.
    pub fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

/// Settings that hold.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the gate decides by.
    pub gate: GateConfig,
    /// Where the filter's listener listens.
    pub internal: Listen,
    /// What every request to it must carry.
    pub internal_secret: Option<SecretText>,
    /// Where ingresses without the filter ask, and how they are answered; none: nowhere.
    pub forward_auth: Option<ForwardAuthSettings>,
    /// Where Envoy reads addresses of jobs; none: nowhere.
    pub xds: Option<XdsSettings>,
    /// TCP services at ports of their own; none: nowhere.
    pub gateway: Option<GatewaySettings>,
    /// Where the operations listener listens.
    pub operations: Listen,
    /// Where clients of tasks are listened to; none: nowhere.
    pub public: Option<Listen>,
    /// Where services come from.
    pub providers: Vec<ProviderSettings>,
    /// How names that operators write become addresses.
    pub dns: Arc<DnsSettings>,
    /// Share links, and what is ended before its time.
    pub access: AccessSettings,
    /// What holds for friendly names.
    pub names: NameRules,
    /// How long proxies wait for providers that have not published yet.
    pub startup: Duration,
    /// Which endpoints no service may have, beside the sidecar's own listeners.
    pub refused: Vec<RefusedEndpoint>,
    /// Who is whom.
    pub verdicts: VerdictSettings,
    /// The configured key ring, current key first; empty: made up at the start.
    pub keys: Vec<(KeyId, Secret)>,
    /// The API of data, where there is one.
    pub data: Option<DataPlan>,
    /// Where people sign in, if anywhere.
    pub entrance: Option<EntranceSettings>,
    /// Tunnels, where there are any.
    pub tunnels: Option<TunnelSettings>,
    /// Tasks, where there are any.
    pub tasks: Option<TaskSettings>,
    /// The longest a session may last.
    pub session_max: Duration,
    /// The compiled filter.
    pub wasm_file: Option<PathBuf>,
    /// Where it is kept which service has which id; absolute.
    pub state_directory: Option<PathBuf>,
    /// What is logged.
    pub logs: LogsConfig,
    /// Where traces go, if anywhere.
    pub otlp: Option<OtlpSettings>,
    /// How long requests under way may take at the end.
    pub grace: Duration,
    /// The files that these settings were read from.
    pub files: Vec<ReadFile>,
}

impl Settings {
    /// Checks a configuration and reads what it points to.
    ///
    /// # Errors
    /// The first [`InvalidSetting`].
    pub fn resolve(config: Config, directory: &Path) -> Result<Self, InvalidSetting> {
        let mut files = Files::new(directory);
        let internal_secret =
            files.secret("internal.secret", config.internal.secret, config.internal.secret_file.as_deref())?;
        let internal = Listen::parse(&config.internal.listen, &config.internal.socket_mode)
            .map_err(|error| InvalidSetting::new("internal.listen", error.to_string()))?;
        if !internal.is_local() && internal_secret.is_none() {
            return Err(InvalidSetting::new(
                "internal.listen",
                "whoever reaches this listener gets the key ring: listen on loopback or `unix:/path`, \
                 or set `internal.secret_file`",
            ));
        }
        let forward_auth = config
            .forward_auth
            .map(|section| ForwardAuthSettings::resolve(section, &config.internal.socket_mode, &mut files))
            .transpose()?;
        let has_secret = internal_secret.is_some();
        let xds = config
            .xds
            .map(|section| XdsSettings::resolve(&section, &config.internal.socket_mode, has_secret))
            .transpose()?;
        let operations = Listen::parse(&config.operations.listen, &config.internal.socket_mode)
            .map_err(|error| InvalidSetting::new("operations.listen", error.to_string()))?;
        let public = config
            .public
            .map(|public| Listen::parse(&public.listen, &config.internal.socket_mode))
            .transpose()
            .map_err(|error| InvalidSetting::new("public.listen", error.to_string()))?;
        let asked = [
            Some(("internal.listen", &internal)),
            forward_auth.as_ref().map(|settings| ("forward_auth.listen", &settings.listen)),
            xds.as_ref().map(|settings| ("xds.listen", &settings.listen)),
        ];
        let asked: Vec<(&'static str, &Listen)> = asked.into_iter().flatten().collect();
        let front = public.clone().map(|public| Front::new(public, &asked));
        crate::telemetry::logs::check_level(&config.logs.level)
            .map_err(|error| InvalidSetting::new("logs.level", error.to_string()))?;
        let mut gate = config.gate.resolve()?;
        config.sessions.apply(&mut gate)?;
        let entrance = config
            .access
            .as_ref()
            .map(|access| EntranceSettings::resolve(access, &mut gate, front.as_ref(), &mut files))
            .transpose()?;
        let tunnels = config.tunnels.as_ref();
        let tunnels = tunnels.map(|tunnels| TunnelSettings::resolve(tunnels, &gate, front.as_ref())).transpose()?;
        let names = config.names.resolve(&gate)?;
        let dns = Arc::new(DnsSettings::resolve(&config.dns)?);
        let providers = resolve_providers(config.providers, &gate, &dns, &mut files)?;
        let verdicts = verdict_settings(config.verdicts, &providers, &gate, &mut files)?;
        let keys = keys(config.keys, &mut files)?;
        let state_directory = config.state.directory.map(|path| state_directory(&path, directory)).transpose()?;
        let gateway = config
            .internal_task_gateway
            .map(|section| {
                let (state, secret) = (state_directory.as_deref(), internal_secret.as_ref());
                GatewaySettings::resolve(section, state, xds.is_some(), secret, &mut files)
            })
            .transpose()?;
        let verdicts = match &gateway {
            Some(gateway) => {
                gate.tcp_close_after_secs = gateway.close_after.as_secs();
                let rules = PeerRules::resolve(&gateway.client_certificates, Arc::clone(&gateway.source_ranges))?;
                verdicts.with(SourceSettings::Peers(rules))
            }
            None => verdicts,
        };
        let access = AccessSettings::resolve(config.access.as_ref(), state_directory.as_deref(), &mut files)?;
        let tasks = config.tasks.map(|tasks| TaskSettings::resolve(tasks, &mut files)).transpose()?;
        let data = config.data.map(|data| DataPlan::resolve(data, &gate, front.as_ref(), &mut files)).transpose()?;
        let is_asked = tasks.is_some() || data.is_some() || entrance.is_some() || tunnels.is_some();
        if public.is_some() && !is_asked {
            return Err(InvalidSetting::new(
                "public.listen",
                "there is nothing to serve here without `tasks`, `data`, `access` or `tunnels`",
            ));
        }
        if providers.is_empty() && entrance.is_none() && data.as_ref().is_none_or(|data| data.service.is_none()) {
            return Err(InvalidSetting::new(
                "providers",
                "no provider: without one there is no service; add `- file: …`",
            ));
        }
        if tasks.is_some() && keys.is_empty() {
            return Err(InvalidSetting::new(
                "keys",
                "`tasks` needs a key: the credentials of those who ask for tasks are sealed with it, and must open \
                 after a restart; `taskgate key new` makes one",
            ));
        }
        Ok(Self {
            gate,
            internal,
            internal_secret,
            forward_auth,
            xds,
            gateway,
            operations,
            public,
            providers,
            dns,
            access,
            names,
            startup: within("discovery.startup_secs", config.discovery.startup_secs, 0, 3_600)?,
            refused: config.discovery.refused()?,
            verdicts,
            keys,
            data,
            entrance,
            tunnels,
            tasks,
            session_max: within("sessions.max_lifetime_secs", config.sessions.max_lifetime_secs, 1, 31_536_000)?,
            wasm_file: config.filter.wasm_file.map(|path| directory.join(path)),
            state_directory,
            logs: config.logs,
            otlp: OtlpSettings::resolve(config.telemetry, &mut files)?,
            grace: within("shutdown.grace_secs", config.shutdown.grace_secs, 0, 3_600)?,
            files: files.read,
        })
    }

    /// The settings that only a restart changes, where they differ in `other`.
    #[must_use]
    pub fn restart_needed(&self, other: &Self) -> Vec<&'static str> {
        NEEDS_RESTART.into_iter().filter_map(|(key, differs)| differs(self, other).then_some(key)).collect()
    }

    /// Where ingresses without the filter ask.
    #[must_use]
    pub fn forward_auth_listen(&self) -> Option<&Listen> {
        self.forward_auth.as_ref().map(|settings| &settings.listen)
    }

    fn has_same_traces(&self, other: &Self) -> bool {
        match (&self.otlp, &other.otlp) {
            (None, None) => true,
            (Some(left), Some(right)) => left.is_same(right),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    fn data_fingerprint(&self) -> Option<&Digest> {
        self.data.as_ref().map(|data| &data.fingerprint)
    }

    fn entrance_fingerprint(&self) -> Option<&Digest> {
        self.entrance.as_ref().map(|entrance| &entrance.fingerprint)
    }

    fn gateway_fingerprint(&self) -> Option<&Digest> {
        self.gateway.as_ref().map(|gateway| &gateway.fingerprint)
    }

    fn task_fingerprint(&self) -> Option<&Digest> {
        self.tasks.as_ref().map(|tasks| &tasks.fingerprint)
    }
}

/// The files that a configuration points to.
#[derive(Debug)]
pub struct Files<'a> {
    directory: &'a Path,
    read: Vec<ReadFile>,
}

impl<'a> Files<'a> {
    /// Those that are relative to a directory; none is read yet.
    #[must_use]
    pub const fn new(directory: &'a Path) -> Self {
        Self { directory, read: Vec::new() }
    }

    /// A secret that is given as it is or by a file, but not both.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn secret(
        &mut self,
        key: &str,
        value: Option<SecretText>,
        path: Option<&Path>,
    ) -> Result<Option<SecretText>, InvalidSetting> {
        let secret = match (value, path) {
            (Some(_), Some(_)) => {
                return Err(InvalidSetting::new(key, format!("set this or `{key}_file`, not both")));
            }
            (None, None) => return Ok(None),
            (Some(value), None) => value,
            (None, Some(path)) => {
                let text = Zeroizing::new(self.text(&format!("{key}_file"), path, MAX_SECRET_BYTES)?);
                SecretText::from(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        };
        if secret.expose().is_empty() {
            return Err(InvalidSetting::new(key, "is empty"));
        }
        Ok(Some(secret))
    }

    /// An absolute path, where a relative one is meant from the configuration file.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn text(&mut self, key: &str, path: &Path, limit: u64) -> Result<String, InvalidSetting> {
        let path = self.directory.join(path);
        let text = file::read_text(&path, limit).map_err(|error| InvalidSetting::new(key, error.to_string()))?;
        self.read.push(ReadFile::new(path, &text));
        Ok(text)
    }
}

/// A number of seconds within bounds.
///
/// # Errors
/// [`InvalidSetting`].
pub fn within(key: &str, secs: u64, least: u64, most: u64) -> Result<Duration, InvalidSetting> {
    if (least..=most).contains(&secs) {
        Ok(Duration::from_secs(secs))
    } else {
        Err(InvalidSetting::new(key, format!("{secs} is not between {least} and {most}")))
    }
}

/// Absolute, so that it stays the same directory wherever the process goes.
fn state_directory(path: &Path, directory: &Path) -> Result<PathBuf, InvalidSetting> {
    const KEY: &str = "state.directory";
    if path.as_os_str().is_empty() {
        return Err(InvalidSetting::new(KEY, "is empty; name a directory, or leave the key out"));
    }
    std::path::absolute(directory.join(path)).map_err(|error| InvalidSetting::new(KEY, error.to_string()))
}

fn verdict_settings(
    config: crate::config::verdicts::VerdictsConfig,
    providers: &[ProviderSettings],
    gate: &GateConfig,
    files: &mut Files<'_>,
) -> Result<VerdictSettings, InvalidSetting> {
    let longest = MAX_LIFETIME.as_secs();
    if !(50..=30_000).contains(&config.deadline_ms) {
        return Err(InvalidSetting::new("verdicts.deadline_ms", "is not between 50 and 30000"));
    }
    if !(1..=10_000_000).contains(&config.cache_entries) {
        return Err(InvalidSetting::new("verdicts.cache_entries", "is not between 1 and 10000000"));
    }
    let allow_lifetime = within("verdicts.allow_lifetime_secs", config.allow_lifetime_secs, 0, longest)?;
    let deny_lifetime = within("verdicts.deny_lifetime_secs", config.deny_lifetime_secs, 0, longest)?;
    let deadline = Duration::from_millis(config.deadline_ms);
    let (sources, fingerprint) = resolve_sources(config.sources, providers, gate, deadline, files)?;
    Ok(VerdictSettings {
        deadline,
        allow_lifetime,
        deny_lifetime,
        cache_entries: config.cache_entries,
        sources,
        fingerprint,
    })
}

fn keys(configs: Vec<KeyConfig>, files: &mut Files<'_>) -> Result<Vec<(KeyId, Secret)>, InvalidSetting> {
    if configs.len() > MAX_KEYS {
        return Err(InvalidSetting::new("keys", format!("more than {MAX_KEYS} keys; drop the oldest")));
    }
    let mut keys: Vec<(KeyId, Secret)> = Vec::with_capacity(configs.len());
    for (index, config) in configs.into_iter().enumerate() {
        let id = KeyId::parse(&config.id)
            .map_err(|error| InvalidSetting::new(format!("keys[{index}].id"), error.to_string()))?;
        if keys.iter().any(|(other, _)| *other == id) {
            return Err(InvalidSetting::new(format!("keys[{index}].id"), "another key has this id"));
        }
        let key = format!("keys[{index}].secret");
        let text = files
            .secret(&key, config.secret, config.secret_file.as_deref())?
            .ok_or_else(|| InvalidSetting::new(&key, "set `secret` or `secret_file`; `taskgate key new` makes one"))?;
        let bytes = STANDARD.decode(text.expose().trim()).ok().map(Zeroizing::new);
        let secret = bytes
            .and_then(|bytes| bytes.first_chunk::<32>().filter(|_| bytes.len() == 32).copied())
            .ok_or_else(|| InvalidSetting::new(&key, "is not 32 bytes in base64; `taskgate key new` makes one"))?;
        keys.push((id, Secret::new(secret)));
    }
    Ok(keys)
}
