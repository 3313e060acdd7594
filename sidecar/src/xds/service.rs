//! The gRPC services: who may listen, and the streams.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use envoy_types::pb::envoy::service::endpoint::v3::endpoint_discovery_service_server::{
    EndpointDiscoveryService, EndpointDiscoveryServiceServer,
};
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use crate::api::guard::SECRET_HEADER;
use crate::app::App;
use crate::lifecycle::Tasks;
use crate::telemetry::metrics::Metrics;
use crate::xds::assignment::{Snapshot, TYPE_URL};
use crate::xds::conversation::{Conversation, Heard};
use crate::xds::nodes::Nodes;
use crate::xds::ports::board::Board;
use crate::xds::ports::secrets::SecretName;
use crate::xds::ports::{PREFIX, Ports};

/// The most streams: each may hold a whole list twice.
const MAX_STREAMS: usize = 256;
/// How long a proxy may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);
/// How much of a name is logged, in characters.
const MAX_LOGGED: usize = 128;

/// What a stream gives.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The gRPC services.
#[derive(Clone, Debug)]
pub struct Service {
    app: Arc<App>,
    nodes: Nodes,
    snapshots: Arc<watch::Sender<Snapshot>>,
    board: Option<Arc<Board>>,
    slots: Arc<Semaphore>,
    tasks: Tasks,
}

impl Service {
    /// Services that give those snapshots, and ports where there is a board, to those nodes.
    #[must_use]
    pub fn new(
        app: Arc<App>,
        nodes: Nodes,
        snapshots: Arc<watch::Sender<Snapshot>>,
        board: Option<Arc<Board>>,
        tasks: Tasks,
    ) -> Self {
        Self { app, nodes, snapshots, board, slots: Arc::new(Semaphore::new(MAX_STREAMS)), tasks }
    }

    /// Their routes.
    pub fn routes(self) -> Router {
        Routes::new(AggregatedDiscoveryServiceServer::new(self.clone()))
            .add_service(EndpointDiscoveryServiceServer::new(self))
            .into_axum_router()
    }

    /// Begins a stream; `default_type` is what requests without a type are about.
    fn begin(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
        default_type: Option<&'static str>,
    ) -> Result<Response<Answers<DeltaDiscoveryResponse>>, Status> {
        self.check_secret(&request)?;
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot = slot.map_err(|_| Status::resource_exhausted("too many streams; try again later"))?;
        let (answers, receiver) = mpsc::channel(1);
        let talk = Talk {
            requests: request.into_inner(),
            answers,
            conversation: Conversation::default(),
            snapshots: self.snapshots.subscribe(),
            ports: self.board.as_ref().map(|board| board.ports()),
            board: self.board.clone(),
            nodes: self.nodes.clone(),
            metrics: Arc::clone(&self.app.metrics),
            default_type,
            stop: self.tasks.stop().clone(),
        };
        self.tasks.spawn("xds stream", talk.run(slot));
        let answers = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|answer| (answer, receiver))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    fn check_secret<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let live = self.app.live.load();
        let Some(secret) = &live.internal_secret else { return Ok(()) };
        let mut presented = request.metadata().get_all(SECRET_HEADER).iter();
        if matches!((presented.next(), presented.next()), (Some(value), None) if secret.matches(value.as_bytes())) {
            return Ok(());
        }
        self.app.metrics.xds.denied.inc();
        tracing::warn!("a proxy showed no secret, or a wrong one; it needs `{SECRET_HEADER}` as initial metadata");
        Err(Status::unauthenticated("this listener needs x-taskgate-internal with the sidecar's internal.secret"))
    }
}

/// One stream, while it lasts.
struct Talk {
    requests: Streaming<DeltaDiscoveryRequest>,
    answers: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    conversation: Conversation,
    snapshots: watch::Receiver<Snapshot>,
    ports: Option<watch::Receiver<Arc<Ports>>>,
    board: Option<Arc<Board>>,
    nodes: Nodes,
    metrics: Arc<Metrics>,
    default_type: Option<&'static str>,
    stop: CancellationToken,
}

impl Talk {
    async fn run(mut self, _slot: OwnedSemaphorePermit) {
        let metrics = Arc::clone(&self.metrics);
        metrics.xds.streams.inc();
        if let Err(status) = self.talk().await {
            // Who is gone, or does not listen, need not hear it: the stream ends all the same.
            let _ = self.answers.try_send(Err(status));
        }
        metrics.xds.streams.dec();
    }

    async fn talk(&mut self) -> Result<(), Status> {
        let hello = tokio::time::timeout(HELLO, self.requests.message()).await;
        let hello = hello.map_err(|_| Status::deadline_exceeded("no request came"))??;
        let Some(hello) = hello else { return Ok(()) };
        self.admit(&hello)?;
        // Whoever is not admitted has no place at the board.
        if let Some(board) = self.board.take() {
            self.conversation = Conversation::with_ports(board.sit());
        }
        self.hear(hello)?;
        loop {
            let answer = self.conversation.next(&self.snapshots.borrow_and_update());
            let answer = answer.or_else(|| {
                let ports = Arc::clone(&self.ports.as_mut()?.borrow_and_update());
                self.conversation.next_port(&ports)
            });
            if let Some(answer) = answer {
                self.count(&answer);
                // One that does not listen holds up itself alone.
                let sent = tokio::select! {
                    sent = self.answers.send(Ok(answer)) => sent,
                    () = self.stop.cancelled() => return Err(ending()),
                };
                if sent.is_err() {
                    return Ok(());
                }
                continue;
            }
            tokio::select! {
                request = self.requests.message() => match request? {
                    Some(request) => self.hear(request)?,
                    None => return Ok(()),
                },
                changed = self.snapshots.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                }
                () = changed(&mut self.ports) => {}
                () = self.answers.closed() => return Ok(()),
                // The proxy keeps what it has, and comes again.
                () = self.stop.cancelled() => return Err(ending()),
            }
        }
    }

    fn admit(&self, hello: &DeltaDiscoveryRequest) -> Result<(), Status> {
        let node = hello.node.as_ref();
        if node.is_some_and(|node| self.nodes.admit(node)) {
            return Ok(());
        }
        self.metrics.xds.denied.inc();
        let logged = |name: fn(&envoy_types::pb::envoy::config::core::v3::Node) -> &String| {
            node.map(name).map(|name| name.chars().take(MAX_LOGGED).collect::<String>()).unwrap_or_default()
        };
        tracing::warn!(
            node.id = ?logged(|node| &node.id),
            node.cluster = ?logged(|node| &node.cluster),
            "a proxy that is not in `xds.node_ids` and `xds.node_clusters` was refused"
        );
        Err(Status::permission_denied("this node is not in xds.node_ids and xds.node_clusters of the sidecar"))
    }

    fn hear(&mut self, mut request: DeltaDiscoveryRequest) -> Result<(), Status> {
        if let Some(default_type) = self.default_type {
            if request.type_url.is_empty() {
                default_type.clone_into(&mut request.type_url);
            } else if request.type_url != default_type {
                return Err(Status::invalid_argument("this service has one type alone"));
            }
        }
        if let Heard::Refused { resource, reason } = self.conversation.hear(request)? {
            self.metrics.xds.refused.inc();
            if SecretName::of(&resource).is_some() {
                tracing::error!(
                    resource = ?resource,
                    reason = ?reason,
                    "a proxy can't use the files of a certificate: nobody gets in at ports that need it; see \
                     `certificate_file`, `key_file` and `client_ca_file` of `internal_task_gateway.envoy`"
                );
                return Ok(());
            }
            if resource.starts_with(PREFIX) {
                tracing::warn!(resource = ?resource, reason = ?reason, "a proxy did not take a port");
                return Ok(());
            }
            tracing::error!(
                resource = ?resource,
                reason = ?reason,
                "a proxy did not take a resource; it goes on with what it had. Please report this"
            );
        }
        Ok(())
    }

    fn count(&self, answer: &DeltaDiscoveryResponse) {
        for resource in &answer.resources {
            let bytes = resource.resource.as_ref().map_or(0, |body| body.value.len());
            self.metrics.xds.pushes.inc();
            self.metrics.xds.bytes.inc_by(u64::try_from(bytes).unwrap_or_default());
        }
    }
}

/// Waits until other ports are wanted; for ever where there are none.
async fn changed(ports: &mut Option<watch::Receiver<Arc<Ports>>>) {
    let changed = match ports {
        Some(ports) => ports.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

fn ending() -> Status {
    Status::unavailable("the sidecar ends")
}

fn no_state_of_the_world() -> Status {
    Status::unimplemented("only delta xDS is spoken here: set `api_type: DELTA_GRPC`")
}

#[async_trait]
impl AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = Answers<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Answers<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Err(no_state_of_the_world())
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        self.begin(request, None)
    }
}

#[async_trait]
impl EndpointDiscoveryService for Service {
    type StreamEndpointsStream = Answers<DiscoveryResponse>;
    type DeltaEndpointsStream = Answers<DeltaDiscoveryResponse>;

    async fn stream_endpoints(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamEndpointsStream>, Status> {
        Err(no_state_of_the_world())
    }

    async fn delta_endpoints(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaEndpointsStream>, Status> {
        self.begin(request, Some(TYPE_URL))
    }

    async fn fetch_endpoints(&self, _: Request<DiscoveryRequest>) -> Result<Response<DiscoveryResponse>, Status> {
        Err(no_state_of_the_world())
    }
}
