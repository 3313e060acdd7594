//! A store in memory, a catalog of constants and callers that are believed: what tests of the service are made of.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use taskgate_core::time::UnixTime;

use crate::data::caller::{Caller, Callers};
use crate::data::catalog::{
    ActionData, ActionName, Attempt, Catalog, CatalogError, Found, LogSource, Members, Project, TaskName, TriggerName,
};
use crate::data::error::DataError;
use crate::data::logs::settings::LogSettings;
use crate::data::path::{DomainName, Key, ProjectName};
use crate::data::placement::{Placement, PlacementRule};
use crate::data::service::{DataParts, DataService};
use crate::data::settings::DataSettings;
use crate::data::store::{DownloadTerms, Object, SignedRequest, Store, StoreError, Ties, UploadTerms, WriteMode};
use crate::secret::SecretText;

/// An object: its bytes, and the digest in its metadata.
type Kept = (Bytes, Option<[u8; 16]>);

/// A bucket in memory. It remembers what it was asked to sign.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    bucket: String,
    pub(crate) objects: Mutex<BTreeMap<String, Kept>>,
    pub(crate) uploads: Mutex<Vec<(String, UploadTerms)>>,
    pub(crate) downloads: Mutex<Vec<(String, DownloadTerms)>>,
    pub(crate) is_broken: AtomicBool,
}

impl MemoryStore {
    pub(crate) fn new(bucket: &str) -> Arc<Self> {
        Arc::new(Self {
            bucket: bucket.into(),
            objects: Mutex::default(),
            uploads: Mutex::default(),
            downloads: Mutex::default(),
            is_broken: AtomicBool::new(false),
        })
    }

    pub(crate) fn put(&self, key: &str, bytes: &'static [u8], md5: Option<[u8; 16]>) {
        lock(&self.objects).insert(key.into(), (Bytes::from_static(bytes), md5));
    }

    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        lock(&self.objects).get(key).map(|(bytes, _)| bytes.clone())
    }

    pub(crate) fn last_upload(&self) -> (String, UploadTerms) {
        lock(&self.uploads).last().cloned().expect("an upload was signed")
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.is_broken.load(Ordering::SeqCst) { Err(StoreError::Failed("broken".into())) } else { Ok(()) }
    }

    fn signed(&self, key: &Key) -> SignedRequest {
        SignedRequest {
            url: SecretText::from(format!("https://{}/{key}?signature=secret", self.bucket)),
            headers: Vec::new(),
            expires_at: UnixTime::from_millis(1_000),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn uri(&self, key: &Key) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    fn key(&self, uri: &str) -> Option<Key> {
        let rest = uri.strip_prefix("s3://")?.strip_prefix(self.bucket.as_str())?.strip_prefix('/')?;
        Key::parse(rest).ok()
    }

    fn ties(&self) -> Ties {
        Ties { content_md5: true, content_sha256: true, content_length: true, create_only: true }
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        self.check()?;
        let object = lock(&self.objects).get(key.as_str()).cloned();
        Ok(object.map(|(bytes, content_md5)| Object { size: bytes.len() as u64, content_md5, modified: None }))
    }

    async fn read(&self, key: &Key, most: u64) -> Result<Option<Bytes>, StoreError> {
        self.check()?;
        let Some(bytes) = self.get(key.as_str()) else { return Ok(None) };
        let size = bytes.len() as u64;
        if size > most { Err(StoreError::TooLarge { size, most }) } else { Ok(Some(bytes)) }
    }

    async fn write(&self, key: &Key, bytes: Bytes, mode: WriteMode) -> Result<(), StoreError> {
        self.check()?;
        let mut objects = lock(&self.objects);
        if mode == WriteMode::Create && objects.contains_key(key.as_str()) {
            return Err(StoreError::Exists);
        }
        objects.insert(key.as_str().into(), (bytes, None));
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        lock(&self.objects).remove(key.as_str());
        Ok(())
    }

    async fn sign_upload(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, StoreError> {
        lock(&self.uploads).push((key.as_str().into(), terms.clone()));
        Ok(self.signed(key))
    }

    async fn sign_resumable(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, StoreError> {
        self.sign_upload(key, terms).await
    }

    async fn sign_download(&self, key: &Key, terms: &DownloadTerms) -> Result<SignedRequest, StoreError> {
        lock(&self.downloads).push((key.as_str().into(), terms.clone()));
        Ok(self.signed(key))
    }
}

/// A catalog of constants. Project `p` has the domain `d`, `ann` writes and `bob` reads; project `open` is
/// everybody's.
#[derive(Debug, Default)]
pub(crate) struct FixedCatalog {
    pub(crate) tasks: HashMap<String, Vec<String>>,
    pub(crate) triggers: HashMap<String, TaskName>,
    pub(crate) attempts: BTreeMap<u32, Attempt>,
    pub(crate) data: Option<ActionData>,
    pub(crate) log: Mutex<Option<LogSource>>,
    pub(crate) is_broken: bool,
}

impl FixedCatalog {
    pub(crate) fn with_log(log: LogSource) -> Arc<Self> {
        Arc::new(Self { log: Mutex::new(Some(log)), ..Self::default() })
    }

    fn check(&self) -> Result<(), CatalogError> {
        if self.is_broken { Err(CatalogError::Unavailable("broken".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Catalog for FixedCatalog {
    async fn project(&self, _organization: &str, name: &ProjectName) -> Result<Option<Project>, CatalogError> {
        let user = |name: &str| Members { users: [name.to_owned()].into(), ..Members::default() };
        match name.as_str() {
            "broken" => Err(CatalogError::Unavailable("broken".into())),
            "open" => {
                let everyone = Members { everyone: true, ..Members::default() };
                Ok(Some(Project { writers: everyone, ..Project::default() }))
            }
            "p" => {
                let domains = [DomainName::parse("d").expect("a name")].into();
                let readers = Members { groups: ["staff".to_owned()].into(), ..user("bob") };
                Ok(Some(Project { domains, writers: user("ann"), readers }))
            }
            _ => Ok(None),
        }
    }

    async fn ignored_inputs(&self, task: &TaskName) -> Result<Option<Vec<String>>, CatalogError> {
        self.check()?;
        Ok(self.tasks.get(&format!("{}@{}", task.name, task.version)).cloned())
    }

    async fn trigger(&self, trigger: &TriggerName) -> Result<Option<TaskName>, CatalogError> {
        self.check()?;
        Ok(self.triggers.get(&trigger.name).cloned())
    }

    async fn attempt(&self, _action: &ActionName, number: u32) -> Result<Found<Attempt>, CatalogError> {
        self.check()?;
        if self.attempts.is_empty() {
            return Ok(Found::NoAction("no such run".into()));
        }
        Ok(self.attempts.get(&number).cloned().map_or(Found::NoAttempt, Found::Here))
    }

    async fn data(&self, _action: &ActionName) -> Result<Option<ActionData>, CatalogError> {
        self.check()?;
        Ok(self.data.clone())
    }

    async fn log(&self, _action: &ActionName, _attempt: u32) -> Result<Option<LogSource>, CatalogError> {
        self.check()?;
        Ok(lock(&self.log).clone())
    }
}

/// Callers that are who they say they are in `x-user`. Nothing of the kind is in the program.
#[derive(Debug)]
struct Believed;

#[async_trait]
impl Callers for Believed {
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, DataError> {
        let user = headers.get("x-user").and_then(|value| value.to_str().ok());
        user.map(caller).ok_or(DataError::Unauthenticated)
    }
}

/// What a service of tests is made of.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) catalog: Arc<FixedCatalog>,
    pub(crate) settings: DataSettings,
    pub(crate) logs: LogSettings,
}

impl Parts {
    /// A service with the buckets `main`, where everything goes, and `team`.
    pub(crate) fn service(self) -> (DataService, Arc<MemoryStore>, Arc<MemoryStore>) {
        let (main, team) = (MemoryStore::new("main"), MemoryStore::new("team"));
        let stores: BTreeMap<String, Arc<dyn Store>> = [
            ("main".to_owned(), Arc::clone(&main) as Arc<dyn Store>),
            ("team".to_owned(), Arc::clone(&team) as Arc<dyn Store>),
        ]
        .into();
        let rule = PlacementRule { project: None, domain: None, store: "main".into() };
        let service = DataService::new(DataParts {
            callers: Arc::new(Believed),
            catalog: self.catalog,
            placement: Placement::new(stores, vec![rule]).expect("stores"),
            settings: self.settings,
            logs: self.logs,
        });
        (service.expect("a service"), main, team)
    }
}

/// A caller.
pub(crate) fn caller(user: &str) -> Caller {
    let groups = if user == "carl" { vec!["staff".to_owned()] } else { Vec::new() };
    Caller { user: user.into(), groups, request_id: "r1".into(), ..Caller::default() }
}

/// An action of project `p`.
pub(crate) fn action() -> ActionName {
    ActionName {
        organization: String::new(),
        project: ProjectName::parse("p").expect("a name"),
        domain: DomainName::parse("d").expect("a name"),
        run: "run".into(),
        name: "a0".into(),
    }
}

/// What is locked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
