//! The API of data with a store in this process, and the program that asks it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use axum::Router;
use axum::http::HeaderMap;
use taskgate::api::{data, objects};
use taskgate::clock::{Clock as _, ManualClock, SharedClock, SystemClock};
use taskgate::data::caller::{Caller, Callers};
use taskgate::data::catalog::templates::{ProjectTemplate, Template, TemplateCatalog, Templates, Variable};
use taskgate::data::error::DataError;
use taskgate::data::logs::settings::LogSettings;
use taskgate::data::path::Key;
use taskgate::data::placement::Placement;
use taskgate::data::service::{DataParts, DataService};
use taskgate::data::settings::DataSettings;
use taskgate::data::store::Store;
use taskgate::data::store::local::{LocalSettings, LocalStore, StoreName};
use taskgate_core::key::{KeyId, KeyRing, Secret};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::faults::{Faults, Proxy};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who is whom: the token is the name. `ann` writes to project `p`, `bob` reads from it.
#[derive(Debug)]
struct Known;

#[async_trait]
impl Callers for Known {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        let text = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let (user, group) = match text {
            Some("ann") => ("ann", "p-writers"),
            Some("bob") => ("bob", "p-readers"),
            Some("eve") => ("eve", "q-writers"),
            _ => return Err(DataError::Unauthenticated),
        };
        Ok(Caller { user: user.into(), groups: vec![group.into()], request_id: "r".into(), ..Caller::default() })
    }
}

/// A server, what disturbs it, and the folder that the program is run in.
pub(super) struct Stage {
    /// The API.
    pub(super) server: String,
    /// What goes wrong.
    pub(super) faults: Faults,
    /// What stands before the objects.
    pub(super) proxy: Proxy,
    pub(super) store: Arc<dyn Store>,
    pub(super) directory: TempDir,
    _objects: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: Option<i32>,
    pub(super) output: String,
    pub(super) errors: String,
}

impl Outcome {
    /// What was printed, where it went well and nothing was complained of.
    pub(super) fn well(self) -> String {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""), "{self:?}");
        self.output.trim_end().to_owned()
    }

    /// What was complained of, where nothing was printed.
    pub(super) fn badly(self) -> String {
        assert_eq!((self.code, self.output.as_str()), (Some(1), ""), "{self:?}");
        assert!(!self.errors.contains("tg-"), "no query in an error: {self:?}");
        self.errors.trim_end().to_owned()
    }
}

impl Stage {
    /// With the local store.
    pub(super) async fn start() -> Self {
        let (folder, clock) =
            (tempfile::tempdir().expect("a directory"), Arc::new(ManualClock::new(SystemClock.now())));
        let objects = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let faults = Faults::default();
        let proxy = Proxy::start(objects.local_addr().expect("an address")).await;
        let settings = LocalSettings {
            name: StoreName::parse("main").expect("a name"),
            folder: folder.path().to_owned(),
            public_url: proxy.url(),
            audience: "test".into(),
            uri_base: None,
            max_object_bytes: 1 << 30,
            keep_free_bytes: 0,
            durable: false,
        };
        let ring = KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([7; 32]))]);
        let shared: SharedClock = Arc::<ManualClock>::clone(&clock);
        let store = LocalStore::open(settings, Arc::new(ArcSwap::from_pointee(ring)), shared).expect("opens");
        let store = Arc::new(store);
        let router = faults.before(objects::routes(Arc::clone(&store)), Arc::clone(&clock));
        tokio::spawn(async move { axum::serve(objects, router).await });
        Self::with_store(store, faults, proxy, clock, folder).await
    }

    /// With that store, which clients reach as they will.
    pub(super) async fn with_store(
        store: Arc<dyn Store>,
        faults: Faults,
        proxy: Proxy,
        clock: Arc<ManualClock>,
        folder: TempDir,
    ) -> Self {
        let names = [Variable::Project];
        let template = |text: &str| Template::parse(text, &names).expect("a template");
        let report = [Variable::Run, Variable::Action, Variable::Attempt];
        let catalog = TemplateCatalog::new(Templates {
            projects: Some(ProjectTemplate {
                writer_groups: vec![template("{project}-writers")],
                reader_groups: vec![template("{project}-readers")],
                ..ProjectTemplate::default()
            }),
            report: Some(
                Template::parse("taskgate://main/{run}/{action}/{attempt}.html", &report).expect("a template"),
            ),
            ..Templates::default()
        });
        let service = DataService::new(DataParts {
            callers: Arc::new(Known),
            catalog: Arc::new(catalog),
            placement: Placement::new([("main".to_owned(), Arc::clone(&store))].into(), Vec::new()).expect("stores"),
            settings: DataSettings::default(),
            logs: LogSettings::default(),
        });
        let router: Router = data::routes(Arc::new(service.expect("a service")));
        let server = crate::kit::serve(faults.before(router, Arc::clone(&clock))).await;
        let directory = tempfile::tempdir().expect("a directory");
        for user in ["ann", "bob", "eve", "nobody"] {
            std::fs::write(directory.path().join(format!("{user}.token")), format!("{user}\n")).expect("writes");
        }
        Self { server, faults, proxy, store, directory, _objects: folder }
    }

    /// Makes a file in the program's folder.
    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("writes");
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("reads")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The bytes of an object.
    pub(super) async fn object(&self, uri: &str) -> Option<Vec<u8>> {
        let key = self.store.key(uri).expect("an address of the store");
        self.store.read(&key, u64::MAX).await.expect("reads").map(Into::into)
    }

    /// Puts an object where uploads are not.
    pub(super) async fn put(&self, key: &str, bytes: &'static [u8]) {
        let key = Key::parse(key).expect("a key");
        self.store.write(&key, bytes.into(), taskgate::data::store::WriteMode::Replace).await.expect("writes");
    }

    /// Runs a command as that user.
    pub(super) async fn run(&self, user: &str, words: &[&str]) -> Outcome {
        run(&self.server, self.directory.path(), &format!("{user}.token"), words).await
    }

    /// Uploads to project `p` as `ann`.
    pub(super) async fn upload(&self, words: &[&str]) -> Outcome {
        self.run("ann", &[&["upload", "--project", "p", "--domain", "d"], words].concat()).await
    }

    /// Downloads as `bob`.
    pub(super) async fn download(&self, words: &[&str]) -> Outcome {
        self.run("bob", &[&["download"], words].concat()).await
    }
}

/// Runs the program in that directory, with the token in a file there.
pub(super) async fn run(server: &str, directory: &Path, token_file: &str, words: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskgate"));
    command.current_dir(directory).kill_on_drop(true).stdin(Stdio::null());
    command.env_remove("TASKGATE_USER").env_remove("TASKGATE_PASSWORD_FILE");
    command.env("TASKGATE_TOKEN_FILE", token_file).env("TASKGATE_SERVER", server);
    command.env("NO_PROXY", "127.0.0.1").args(words);
    let ran = tokio::time::timeout(PATIENCE, command.output()).await.expect("ends in time").expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Outcome { code: ran.status.code(), output: text(ran.stdout), errors: text(ran.stderr) }
}

/// As many bytes, none like the one before.
pub(super) fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()
}
