//! Flyte's data proxy and cluster service, over Connect, gRPC and gRPC-Web: what Flyte's SDK talks to.
//!
//! Nothing is decided here. Messages become what [`DataService`] is asked, and its answers become messages. The
//! names, numbers, codes and texts are Flyte's, since its clients go by them.

mod action;
mod cluster;
mod download;
mod identify;
mod inputs;
mod key;
mod logs;
mod names;
mod refusal;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response as HttpResponse;
use connectrpc::{
    ConnectError, ConnectRpcService, Limits, RequestContext, Response, ServiceRequest, ServiceResult, ServiceStream,
};
use taskgate_idl::proto::flyteidl2::cluster::{ClusterService, SelectClusterRequest, SelectClusterResponse};
use taskgate_idl::proto::flyteidl2::dataproxy::{
    CreateDownloadLinkRequest, CreateDownloadLinkResponse, CreateUploadLocationRequest, CreateUploadLocationResponse,
    DataProxyService, GetActionDataRequest, GetActionDataResponse, TailLogsRequest, TailLogsResponse,
    UploadInputsRequest, UploadInputsResponse,
};

use crate::api::flyte::identify::Known;
use crate::api::{authority, room};
use crate::data::error::DataError;
use crate::data::service::{Caller, DataService};

/// The largest request in bytes, where the configuration does not say. Clients send inputs of tens of mebibytes.
pub const MAX_REQUEST: usize = 64 << 20;
/// The largest request that has no inputs in it.
const SMALL: usize = 1 << 20;
/// How much memory the parts of a message may take for each byte that it may have: an empty value of a list is two
/// bytes in a message, and hundreds in memory.
const MEMORY_PER_BYTE: usize = 4;

/// The routes, with requests of at most [`MAX_REQUEST`] bytes.
pub fn routes(service: Arc<DataService>) -> Router {
    routes_within(service, MAX_REQUEST)
}

/// The routes, with requests of at most `most` bytes, as they are sent and unpacked.
pub fn routes_within(service: Arc<DataService>, most: usize) -> Router {
    let limits = Limits::default()
        .with_max_request_body_size(most)
        .with_max_message_size(most)
        .with_element_memory_limit(most.saturating_mul(MEMORY_PER_BYTE));
    let small = Limits::default().with_max_request_body_size(most.min(SMALL)).with_max_message_size(most.min(SMALL));
    let (inputs, reads) = (service.room_for_inputs(), service.room_for_reads());
    let flyte = Arc::new(Flyte { service: Arc::clone(&service), limits });
    let methods = || connectrpc::Router::new().add_service(Arc::clone(&flyte));
    let large = ConnectRpcService::new(methods()).with_limits(limits);
    let flyte = ConnectRpcService::new(methods()).with_limits(small);
    let clusters = connectrpc::Router::new().add_service(Arc::new(Clusters));
    let within = |room| middleware::from_fn_with_state(room, room::within);
    let of_flyte = Router::new()
        .route_service(&method("UploadInputs"), large)
        .layer(within(inputs))
        .merge(Router::new().route_service(&method("GetActionData"), flyte.clone()).layer(within(reads)))
        .route_service(&method("{method}"), flyte)
        .layer(middleware::from_fn_with_state(service, identify::identify));
    let clusters = ConnectRpcService::new(clusters).with_limits(small);
    of_flyte
        .route_service("/flyteidl2.cluster.ClusterService/{method}", clusters)
        .layer(middleware::from_fn(note_authority))
}

fn method(name: &str) -> String {
    format!("/flyteidl2.dataproxy.DataProxyService/{name}")
}

/// The host that a request is for, as the client wrote it.
#[derive(Clone, Debug)]
struct Authority(String);

async fn note_authority(mut request: Request, next: Next) -> HttpResponse {
    let authority = Authority(authority::of(&request).unwrap_or_default().to_owned());
    request.extensions_mut().insert(authority);
    next.run(request).await
}

/// The data proxy.
#[derive(Debug)]
struct Flyte {
    service: Arc<DataService>,
    limits: Limits,
}

impl Flyte {
    /// Who asks, as was found out before the body was read.
    fn caller(context: &RequestContext) -> Result<Caller, ConnectError> {
        let unknown = || refusal::refused(DataError::Unauthenticated);
        context.extensions().get::<Known>().map_or_else(|| Err(unknown()), |known| known.0.clone())
    }
}

#[expect(refining_impl_trait, reason = "nobody but the router calls these: what they return need not be hidden")]
impl DataProxyService for Flyte {
    async fn create_upload_location(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, CreateUploadLocationRequest>,
    ) -> ServiceResult<CreateUploadLocationResponse> {
        let caller = Self::caller(&context)?;
        let ask = upload::ask(request.to_owned_message());
        let upload = self.service.create_upload(&caller, ask).await.map_err(refusal::refused)?;
        Response::ok(upload::location(upload))
    }

    async fn upload_inputs(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, UploadInputsRequest>,
    ) -> ServiceResult<UploadInputsResponse> {
        let caller = Self::caller(&context)?;
        let kept = inputs::keep(&self.service, self.limits, &caller, request).await.map_err(refusal::refused)?;
        Response::ok(inputs::reference(kept))
    }

    async fn create_download_link(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, CreateDownloadLinkRequest>,
    ) -> ServiceResult<CreateDownloadLinkResponse> {
        let caller = Self::caller(&context)?;
        let ask = download::ask(request.to_owned_message()).map_err(refusal::refused)?;
        let download = self.service.download_link(&caller, ask).await.map_err(refusal::refused)?;
        Response::ok(download::link(&download))
    }

    async fn get_action_data(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, GetActionDataRequest>,
    ) -> ServiceResult<GetActionDataResponse> {
        let caller = Self::caller(&context)?;
        let action =
            names::required_action(request.to_owned_message().action_id.into_option()).map_err(refusal::refused)?;
        let data = self.service.action_data(&caller, &action).await.map_err(refusal::refused)?;
        Response::ok(action::data(data, self.limits).map_err(refusal::refused)?)
    }

    async fn tail_logs(
        &self,
        context: RequestContext,
        request: ServiceRequest<'_, TailLogsRequest>,
    ) -> ServiceResult<ServiceStream<TailLogsResponse>> {
        let caller = Self::caller(&context)?;
        let (action, attempt) = logs::ask(request.to_owned_message()).map_err(refusal::refused)?;
        let lines = self.service.tail_logs(&caller, &action, attempt).await.map_err(refusal::refused)?;
        Response::stream_ok(logs::messages(lines))
    }
}

/// The cluster service. It says nothing but what the client said, so nobody has to be known to ask.
#[derive(Debug)]
struct Clusters;

#[expect(refining_impl_trait, reason = "nobody but the router calls these: what they return need not be hidden")]
impl ClusterService for Clusters {
    async fn select_cluster(
        &self,
        context: RequestContext,
        _request: ServiceRequest<'_, SelectClusterRequest>,
    ) -> ServiceResult<SelectClusterResponse> {
        let authority = context.extensions().get::<Authority>().map(|authority| authority.0.as_str());
        let cluster_endpoint = cluster::endpoint(authority.unwrap_or_default(), context.headers());
        Response::ok(SelectClusterResponse { cluster_endpoint, ..Default::default() })
    }
}

#[cfg(test)]
mod tests;
