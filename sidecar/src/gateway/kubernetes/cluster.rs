//! The cluster: one question at a time, each with an end and a bound.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use kube::api::{DeleteParams, DynamicObject, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::api::{Request as Requests, WatchEvent, WatchParams};
use kube::client::Body;
use kube::core::ObjectList;
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::gateway::kubernetes::error::ApiError;
use crate::kubernetes;

/// How long Kubernetes may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of an answer: a page of objects, of which etcd keeps at most 1.5 MiB each.
const MAX_ANSWER: usize = 32 << 20;
/// How many objects are listed at a time.
const PAGE: u32 = 200;
/// The most pages of a list.
const MAX_PAGES: usize = 500;
/// How long a watch lasts before it is begun anew, in seconds.
const WATCH_SECS: u32 = 60;

/// The cluster that the sidecar runs in, the one that `KUBECONFIG` names, or one that was said. It is connected to on
/// first use.
pub(super) struct Cluster {
    said: Option<Config>,
    client: OnceCell<Client>,
}

/// Something changed, each time; the end where it has to be asked anew.
pub(super) type Changes = BoxStream<'static, ()>;

impl Cluster {
    pub(super) fn inferred() -> Self {
        Self { said: None, client: OnceCell::new() }
    }

    pub(super) fn of(config: Config) -> Self {
        Self { said: Some(config), client: OnceCell::new() }
    }

    async fn client(&self) -> Result<&Client, ApiError> {
        self.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Client, ApiError> {
        kubernetes::connect(self.said.as_ref()).await.map_err(|reason| {
            let hint = "run the sidecar in a pod that has a service account, or set `KUBECONFIG`";
            ApiError::Unavailable(format!("the sidecar knows no cluster of Kubernetes ({reason}): {hint}"))
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, name: &str) -> Result<T, ApiError> {
        self.ask(Requests::new(path).get(name, &GetParams::default())).await
    }

    /// All objects with these labels; none: all.
    pub(super) async fn list(&self, path: &str, labels: Option<&str>) -> Result<Vec<DynamicObject>, ApiError> {
        let mut params = ListParams { limit: Some(PAGE), ..ListParams::default() };
        params.label_selector = labels.map(str::to_owned);
        let mut objects = Vec::new();
        for _ in 0..MAX_PAGES {
            let page: ObjectList<DynamicObject> = self.ask(Requests::new(path).list(&params)).await?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(objects),
            }
        }
        Err(ApiError::Unavailable("Kubernetes' list has no end".into()))
    }

    /// Whether there is such a resource, whatever is of it.
    pub(super) async fn serves(&self, path: &str) -> Result<bool, ApiError> {
        let params = ListParams { limit: Some(1), ..ListParams::default() };
        match self.ask::<Value>(Requests::new(path).list(&params)).await {
            Ok(_) => Ok(true),
            Err(ApiError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn create(&self, path: &str, object: &Value) -> Result<DynamicObject, ApiError> {
        self.ask(Requests::new(path).create(&PostParams::default(), object.to_string().into_bytes())).await
    }

    /// Puts a whole object in the place of the one that it was read from, where nobody changed that.
    pub(super) async fn replace(&self, path: &str, name: &str, object: &Value) -> Result<Value, ApiError> {
        self.ask(Requests::new(path).replace(name, &PostParams::default(), object.to_string().into_bytes())).await
    }

    /// Changes some fields; with `metadata.resourceVersion` in it only where nobody changed anything in between.
    pub(super) async fn merge(&self, path: &str, name: &str, patch: &Value) -> Result<DynamicObject, ApiError> {
        self.ask(Requests::new(path).patch(name, &PatchParams::default(), &Patch::Merge(patch))).await
    }

    /// Deletes the very object that was read: another of its name stays. That it is gone already is no error.
    pub(super) async fn delete(&self, path: &str, object: &DynamicObject, as_read: bool) -> Result<(), ApiError> {
        let Some(name) = object.metadata.name.as_deref() else { return Ok(()) };
        let preconditions = Preconditions {
            uid: object.metadata.uid.clone(),
            resource_version: object.metadata.resource_version.clone().filter(|_| as_read),
        };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        match self.ask::<Value>(Requests::new(path).delete(name, &params)).await {
            Ok(_) | Err(ApiError::NotFound) => Ok(()),
            // Another object has the name by now.
            Err(ApiError::Conflict) if !as_read => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Follows one object from what was read of it.
    pub(super) async fn watch(&self, path: &str, name: &str, version: &str) -> Result<Changes, ApiError> {
        let params = WatchParams {
            field_selector: Some(format!("metadata.name={name}")),
            timeout: Some(WATCH_SECS),
            ..WatchParams::default()
        };
        let request = Requests::new(path).watch(&params, version).map_err(|error| ApiError::unreachable(&error))?;
        let client = self.client().await?;
        let events = timeout(ANSWER_TIMEOUT, client.request_events::<Value>(request)).await;
        let events = events.map_err(|_| ApiError::silent())?.map_err(|error| ApiError::unreachable(&error))?;
        // An error as an event means that what was read is too old: the end, too.
        let events = events.take_while(|event: &Result<WatchEvent<Value>, kube::Error>| {
            let goes_on = matches!(event, Ok(event) if !matches!(event, WatchEvent::Error(_)));
            std::future::ready(goes_on)
        });
        Ok(events.map(|_| ()).boxed())
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<T, ApiError> {
        let request = request.map_err(|error| ApiError::unreachable(&error))?;
        let bytes = timeout(ANSWER_TIMEOUT, self.send(request)).await.map_err(|_| ApiError::silent())??;
        serde_json::from_slice(&bytes).map_err(|_| ApiError::Unavailable("Kubernetes' answer makes no sense".into()))
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Bytes, ApiError> {
        let client = self.client().await?;
        let response = client.send(request.map(Body::from)).await.map_err(|error| ApiError::unreachable(&error))?;
        let (head, body) = response.into_parts();
        let whole = Limited::new(body, MAX_ANSWER).collect().await;
        let whole = whole.map_err(|_| ApiError::Unavailable("Kubernetes' answer broke off".into()))?.to_bytes();
        if head.status.is_success() { Ok(whole) } else { Err(ApiError::of(head.status, &whole)) }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cluster").field("is_known", &self.client.initialized()).finish()
    }
}
