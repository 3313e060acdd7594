//! A log that a container of a pod writes, as Kubernetes tells it.
//!
//! A catalog's answer is not believed: names are parsed before they stand in a path, and a namespace must be one that
//! an operator allowed.

mod cluster;
mod place;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::client::Body;

use crate::data::catalog::{ActionName, PodSource};
use crate::data::error::DataError;
use crate::data::logs::kubernetes::place::PodPlace;
use crate::data::logs::settings::LogSettings;
use crate::data::logs::{PIECE, Piece, Source};

pub(super) use crate::data::logs::kubernetes::cluster::Cluster;

/// How many lines are read where it is not known when the container was started: as many as Flyte reads.
const TAIL_LINES: i64 = 1_000;
/// Says which container `kubectl logs` takes.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// What a container writes. It is followed while its pod runs.
#[derive(Debug)]
pub(super) struct PodLog {
    body: Body,
    waiting: Bytes,
    idle: Duration,
}

impl PodLog {
    /// Asks Kubernetes for a log.
    pub(super) async fn open(
        settings: &LogSettings,
        cluster: &Cluster,
        action: &ActionName,
        source: &PodSource,
    ) -> Result<Self, DataError> {
        let is_allowed =
            settings.namespaces.iter().any(|allowed| allowed.fill_for(action).as_ref() == Some(&source.namespace));
        if !is_allowed {
            let text = "the log is in no namespace that `data.logs.namespaces` allows";
            return Err(DataError::Internal(text.into()));
        }
        let place = PodPlace::of(source).ok_or_else(|| DataError::NotFound("there can be no such pod".into()))?;
        let since = source.started_at.as_deref().map(start).transpose()?;
        let pod = cluster.pod(&place).await?;
        let container = container(&pod, source.container.as_deref())
            .ok_or_else(|| DataError::NotFound("the pod has no such container".into()))?;
        let params = LogParams {
            container: Some(container),
            follow: is_running(&pod),
            since_time: since,
            tail_lines: since.is_none().then_some(TAIL_LINES),
            timestamps: true,
            ..LogParams::default()
        };
        let body = cluster.log(&place, &params).await?;
        Ok(Self { body, waiting: Bytes::new(), idle: settings.idle })
    }
}

#[async_trait]
impl Source for PodLog {
    async fn next(&mut self) -> Result<Option<Piece>, DataError> {
        while self.waiting.is_empty() {
            // Where nothing comes for that long, whoever should send it may be gone without a word.
            let Ok(Some(frame)) = tokio::time::timeout(self.idle, self.body.frame()).await else { return Ok(None) };
            let frame = frame.map_err(|_| DataError::Unavailable("Kubernetes broke the log off".into()))?;
            self.waiting = frame.into_data().unwrap_or_default();
        }
        Ok(Some(Piece::Bytes(self.waiting.split_to(PIECE.min(self.waiting.len())))))
    }
}

/// Since when a log is read, in whole seconds: Kubernetes takes no others, and the client library rounds up too.
fn start(text: &str) -> Result<Timestamp, DataError> {
    let invalid = |_| DataError::Internal("the catalog says that the container was started at what is no date".into());
    let date: Timestamp = text.parse().map_err(invalid)?;
    Timestamp::from_second(date.as_second()).map_err(invalid)
}

/// More may come of a pod in this phase alone.
fn is_running(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

/// The container of that name; where none is named, the one that `kubectl logs` takes.
fn container(pod: &Pod, wanted: Option<&str>) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let main = || spec.containers.iter().map(|container| &container.name);
    let init = spec.init_containers.iter().flatten().map(|container| &container.name);
    let ephemeral = spec.ephemeral_containers.iter().flatten().map(|container| &container.name);
    let annotated = || pod.metadata.annotations.as_ref()?.get(DEFAULT_CONTAINER).map(String::as_str);
    let mut all = main().chain(init).chain(ephemeral);
    match wanted {
        Some(name) => all.find(|known| *known == name),
        None => annotated().and_then(|name| all.find(|known| *known == name)).or_else(|| main().next()),
    }
    .cloned()
}

#[cfg(test)]
mod tests;
