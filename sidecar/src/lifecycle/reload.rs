//! Reload: reading the configuration again and taking what changed.
//!
//! The new configuration is read whole, with everything that it points to, before anything of it is
//! taken. With an error nothing is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use taskgate_core::config::GateConfig;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::access::host::Site;
use crate::app::{App, Live};
use crate::config::load::{ConfigError, load};
use crate::config::resolve::Settings;
use crate::data::desk::SharedKeys;
use crate::file::ReadFile;
use crate::http::HttpError;
use crate::lifecycle::Tasks;
use crate::lifecycle::fleet::Fleet;
use crate::telemetry::logs::Logs;
use crate::watch::Watch;

/// How often the configuration is looked at even where the system reports no change.
const POLL: Duration = Duration::from_secs(30);

/// What reloads the configuration.
#[derive(Debug)]
pub struct Reloader {
    /// The configuration file; none: it came from elsewhere and can't be reloaded.
    pub path: Option<PathBuf>,
    /// The settings at the start: some of them hold until the end.
    pub started: Settings,
    /// The files that were read last.
    pub files: Vec<ReadFile>,
    /// What the listeners share.
    pub app: Arc<App>,
    /// Where what is new runs.
    pub tasks: Tasks,
    /// The providers that run.
    pub fleet: Fleet,
    /// The keys that sign URLs of local stores.
    pub url_keys: SharedKeys,
    /// The running logs.
    pub logs: Option<Arc<Logs>>,
}

/// Why a reload changed nothing.
#[derive(Debug, Error)]
enum NotReloaded {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
}

impl Reloader {
    /// Reloads on request and when a file of the configuration changes, until the end.
    pub async fn run(mut self, mut requests: mpsc::Receiver<()>) {
        let stop = self.app.stop.clone();
        let mut watch = Watch::new(&paths(&self.files), POLL);
        // What changed since it was read, before anything was watched, is a change too.
        let mut seen = self.files.clone();
        let (mut is_taken, mut asked) = (true, false);
        loop {
            let now: Vec<ReadFile> = self.files.iter().map(ReadFile::now).collect();
            // What was not taken may have named a file that is only there now, and that is not known yet.
            if asked || !is_taken || now != seen {
                is_taken = self.reload();
                watch.follow(&paths(&self.files));
                // What changed while it was read is a change still.
                seen = if is_taken { self.files.clone() } else { now };
            }
            asked = tokio::select! {
                request = requests.recv() => if request.is_some() { true } else { return },
                () = watch.changed() => false,
                () = stop.cancelled() => return,
            };
        }
    }

    /// Reads the configuration again and takes it; whether it was taken.
    pub fn reload(&mut self) -> bool {
        let Some(path) = self.path.clone() else { return false };
        let taken = load(&path).map_err(NotReloaded::from).and_then(|settings| Ok(self.take(settings)?));
        match taken {
            Ok(()) => {
                self.app.metrics.reloads.inc();
                true
            }
            Err(error) => {
                tracing::error!(%error, file = %path.display(), "configuration not taken; what ran before goes on");
                self.app.metrics.reloads_failed.inc();
                false
            }
        }
    }

    /// Takes settings that hold.
    ///
    /// # Errors
    /// [`NotTaken`]; then nothing of them is.
    pub fn take(&mut self, settings: Settings) -> Result<(), NotTaken> {
        if !self.started.internal.is_local() && settings.internal_secret.is_none() {
            return Err(NotTaken::OpenListener("internal.secret"));
        }
        let is_closed = settings.forward_auth.as_ref().is_some_and(|settings| settings.rules.secret.is_some());
        if self.started.forward_auth_listen().is_some_and(|listen| !listen.is_local()) && !is_closed {
            return Err(NotTaken::OpenListener("forward_auth.secret"));
        }
        if self.started.xds.as_ref().is_some_and(|xds| !xds.listen.is_local()) && settings.internal_secret.is_none() {
            return Err(NotTaken::OpenListener("internal.secret"));
        }
        let judge = self.app.judge.load().renewed(&settings.verdicts, &self.tasks)?;
        self.fleet.apply(&settings, &self.app)?;
        self.app.registry.set_name_rules(settings.names.clone());
        self.app.registry.refuse_more(settings.refused.clone());
        for key in self.started.restart_needed(&settings) {
            tracing::warn!(key, "changed in the configuration, but takes effect only after a restart");
        }
        if let Some(Err(error)) = self.logs.as_ref().map(|logs| logs.set_level(&settings.logs.level)) {
            tracing::error!(%error, "log level not taken");
        }
        self.app.judge.store(Arc::new(judge));
        if let Some(desk) = self.app.desk.as_ref().filter(|_| !settings.keys.is_empty()) {
            desk.vault().renew(&settings.keys);
        }
        // Without configured keys those that were made up at the start stay.
        let keys = if settings.keys.is_empty() { self.app.control.keys() } else { settings.keys.clone() };
        let gate = self.gate(&settings);
        self.app.access.renew(settings.access.clone());
        if let (Some(board), Some(gateway)) = (&self.app.gateway, &settings.gateway) {
            board.renew(gateway);
        }
        self.app.live.store(Arc::new(live(&settings, &gate)));
        if self.app.control.update(gate, keys, settings.verdicts.fingerprint) {
            self.app.feed.set_control(self.app.control.control());
            self.url_keys.store(Arc::new(self.app.control.ring()));
        }
        self.files = settings.files;
        tracing::info!("configuration taken");
        Ok(())
    }
}

impl Reloader {
    /// What the gate goes by: the new settings, but for what only a restart changes. Stores go on with the audience
    /// that they were opened with, and people come in where they did, so filters do too.
    fn gate(&self, settings: &Settings) -> GateConfig {
        let started = &self.started.gate;
        GateConfig {
            url_audience: started.url_audience.clone(),
            access_label: started.access_label.clone(),
            issuer: started.issuer.clone(),
            plain_http: started.plain_http,
            sign_in: started.sign_in,
            ..settings.gate.clone()
        }
    }
}

/// Why settings that hold were not taken.
#[derive(Debug, Error)]
pub enum NotTaken {
    /// There is no HTTP client.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The listener that runs is open to other machines and would need no secret any more.
    #[error("`{0}` is gone while the listener that runs is open to other machines; restart for this change")]
    OpenListener(&'static str),
}

/// What requests look at, from settings and what the gate goes by.
#[must_use]
pub fn live(settings: &Settings, gate: &GateConfig) -> Live {
    Live {
        forward_auth: settings.forward_auth.as_ref().map(|section| Arc::new(section.rules.clone())),
        internal_secret: settings.internal_secret.clone(),
        session_max: settings.session_max,
        site: Site::new(gate).map(Arc::new),
        wasm_file: settings.wasm_file.clone(),
    }
}

fn paths(files: &[ReadFile]) -> Vec<PathBuf> {
    files.iter().map(|file| file.path().to_owned()).collect()
}
