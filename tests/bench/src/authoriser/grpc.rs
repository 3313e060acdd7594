//! Over gRPC: `envoy.service.auth.v3.Authorization/Check`.

use std::future::{Ready, ready};
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

use super::Tokens;
use super::message::{CheckRequest, CheckResponse};

const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

pub(super) async fn check(tokens: Arc<Tokens>, request: Request<Incoming>) -> Response<Body> {
    if request.uri().path() != PATH {
        return Status::unimplemented("the service has no such method").into_http();
    }
    Grpc::new(ProstCodec::<CheckResponse, CheckRequest>::default()).unary(Check(tokens), request).await
}

struct Check(Arc<Tokens>);

impl UnaryService<CheckRequest> for Check {
    type Response = CheckResponse;
    type Future = Ready<Result<tonic::Response<CheckResponse>, Status>>;

    fn call(&mut self, request: tonic::Request<CheckRequest>) -> Self::Future {
        let request = request.into_inner();
        let answer = self
            .0
            .holder(request.header("authorization"))
            .map_or_else(CheckResponse::denied, |holder| CheckResponse::allowed("x-forwarded-user", holder));
        ready(Ok(tonic::Response::new(answer)))
    }
}
