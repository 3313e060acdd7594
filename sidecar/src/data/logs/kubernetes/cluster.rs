//! The cluster whose pods' logs are read.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{GetParams, LogParams, Request as Requests};
use kube::client::Body;
use kube::core::Status;
use kube::{Client, Resource as _};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::data::error::DataError;
use crate::data::logs::kubernetes::place::PodPlace;
use crate::kubernetes::{self, cause, plain};

/// How long Kubernetes may take to begin its answer, and to give the whole of a pod.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of a pod; Kubernetes keeps none that has more than 1.5 MiB.
const MAX_POD: usize = 4 << 20;
/// The most bytes of a refusal that are looked at.
const MAX_REFUSAL: usize = 64 << 10;

/// The cluster that the sidecar runs in, or the one that `KUBECONFIG` names. It is looked for on first use.
#[derive(Default)]
pub(in crate::data::logs) struct Cluster(OnceCell<Client>);

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cluster").field("is_known", &self.0.initialized()).finish()
    }
}

impl Cluster {
    /// What a pod is made of, and how it does.
    pub(super) async fn pod(&self, place: &PodPlace) -> Result<Pod, DataError> {
        let body = self.ask(place, requests(place).get(place.name(), &GetParams::default())).await?;
        let whole = timeout(ANSWER_TIMEOUT, Limited::new(body, MAX_POD).collect()).await.map_err(|_| silent())?;
        let bytes = whole.map_err(|_| DataError::Unavailable("Kubernetes' answer about the pod broke off".into()))?;
        serde_json::from_slice(&bytes.to_bytes())
            .map_err(|_| DataError::Internal("Kubernetes' answer about the pod makes no sense".into()))
    }

    /// What one of its containers wrote and writes.
    pub(super) async fn log(&self, place: &PodPlace, params: &LogParams) -> Result<Body, DataError> {
        self.ask(place, requests(place).logs(place.name(), params)).await
    }

    async fn ask(
        &self,
        place: &PodPlace,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Body, DataError> {
        let request = request.map_err(|_| DataError::NotFound("there can be no such pod".into()))?;
        let client = self.0.get_or_try_init(connect).await?;
        let response = timeout(ANSWER_TIMEOUT, client.send(request.map(Body::from))).await.map_err(|_| silent())?;
        let (head, body) = response.map_err(|error| unreachable(&error))?.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let said = timeout(ANSWER_TIMEOUT, Limited::new(body, MAX_REFUSAL).collect()).await;
        let said = said.ok().and_then(Result::ok).map(|whole| whole.to_bytes()).unwrap_or_default();
        Err(refused(place, head.status, &said))
    }
}

fn requests(place: &PodPlace) -> Requests {
    Requests::new(Pod::url_path(&(), Some(place.namespace())))
}

async fn connect() -> Result<Client, DataError> {
    kubernetes::connect(None).await.map_err(|reason| {
        tracing::error!(
            reason,
            "logs of pods can't be read: run the sidecar in a pod that has a service account, or set `KUBECONFIG`"
        );
        DataError::Internal("the sidecar knows no cluster of Kubernetes".into())
    })
}

/// Why Kubernetes refused, for the client; what an operator has to do is in the log.
fn refused(place: &PodPlace, status: StatusCode, said: &Bytes) -> DataError {
    let said = plain(&serde_json::from_slice::<Status>(said).unwrap_or_default().message);
    let namespace = place.namespace();
    match status {
        StatusCode::UNAUTHORIZED => {
            tracing::error!(said, "Kubernetes does not know the sidecar's service account, or what `KUBECONFIG` says");
            DataError::Internal("Kubernetes does not know the sidecar".into())
        }
        StatusCode::FORBIDDEN => {
            tracing::error!(
                kubernetes.namespace = namespace,
                said,
                "the sidecar may not read logs of pods: allow its account to `get` `pods` and `pods/log` there"
            );
            DataError::Internal("Kubernetes does not let the sidecar read logs in this namespace".into())
        }
        StatusCode::NOT_FOUND => DataError::NotFound("the pod is not there yet, or not any more".into()),
        // It has no other answer for a container that has not begun, or whose log is gone.
        StatusCode::BAD_REQUEST => {
            tracing::debug!(kubernetes.namespace = namespace, kubernetes.pod = place.name(), said, "no log of a pod");
            DataError::NotFound("the container has no log yet, or not any more".into())
        }
        status => {
            tracing::warn!(kubernetes.namespace = namespace, status = status.as_u16(), said, "no log of a pod");
            DataError::Unavailable(format!("Kubernetes answered {}", status.as_u16()))
        }
    }
}

fn silent() -> DataError {
    DataError::Unavailable("Kubernetes does not answer".into())
}

fn unreachable(error: &kube::Error) -> DataError {
    tracing::warn!(reason = cause(error), "Kubernetes can't be asked for the log of a pod");
    DataError::Unavailable("Kubernetes can't be asked".into())
}
