//! Envoy's `ext_authz` over gRPC: `envoy.service.auth.v3.Authorization`.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::BoolValue;
use envoy_types::pb::google::rpc;
use taskgate_core::edit::RequestEdits;
use taskgate_core::reply::Reply;
use tonic::{Code, Request, Response, Status};

use crate::decide::dialect::Dialect;
use crate::decide::office::Office;
use crate::decide::original::{Original, Unsaid};
use crate::decide::passed::HeaderEdits;

/// Answers Envoy.
#[derive(Clone, Debug)]
pub struct Checks(pub Arc<Office>);

#[tonic::async_trait]
impl Authorization for Checks {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner().attributes.and_then(|attributes| attributes.request);
        let request = request.and_then(|request| request.http);
        let original = request.as_ref().ok_or(Unsaid::Request).and_then(Original::checked);
        let original = original.map_err(|unsaid| Status::invalid_argument(unsaid.to_string()))?;
        // Unlike the answer over HTTP, this one can change the path.
        let told = self.0.decide(&original, Dialect::Envoy, true, |edits| Ok(permit(edits))).await;
        Ok(Response::new(told.unwrap_or_else(|reply| refuse(*reply))))
    }
}

fn permit(edits: &mut RequestEdits) -> CheckResponse {
    let HeaderEdits { set, remove } = HeaderEdits::of(edits);
    let cookies = edits.standing.take_cookies();
    answer(
        Code::Ok,
        HttpResponse::OkResponse(OkHttpResponse {
            headers: set.into_iter().map(|(name, value)| header(name, value, false)).collect(),
            headers_to_remove: remove,
            response_headers_to_add: cookies.into_iter().map(|line| header("set-cookie", line.into(), true)).collect(),
            ..OkHttpResponse::default()
        }),
    )
}

fn refuse(reply: Reply) -> CheckResponse {
    let code = if reply.status == 401 { Code::Unauthenticated } else { Code::PermissionDenied };
    // Lines of one name are all kept here: Envoy only takes away what was there before.
    let headers = reply.headers.into_iter();
    answer(
        code,
        HttpResponse::DeniedResponse(DeniedHttpResponse {
            status: Some(HttpStatus { code: i32::from(reply.status) }),
            headers: headers.map(|(name, value)| header(name, value.into(), false)).collect(),
            body: reply.body,
        }),
    )
}

fn answer(code: Code, response: HttpResponse) -> CheckResponse {
    let status = rpc::Status { code: code as i32, ..rpc::Status::default() };
    CheckResponse { status: Some(status), http_response: Some(response), ..CheckResponse::default() }
}

/// A header line. Text goes as text; Envoy reads bytes that are none from a field of their own.
#[expect(deprecated, reason = "Envoys before 1.28 read no other field that says whether lines are added")]
fn header(name: &str, value: Vec<u8>, is_added: bool) -> HeaderValueOption {
    let (value, raw_value) = match String::from_utf8(value) {
        Ok(value) => (value, Vec::new()),
        Err(error) => (String::new(), error.into_bytes()),
    };
    let action =
        if is_added { HeaderAppendAction::AppendIfExistsOrAdd } else { HeaderAppendAction::OverwriteIfExistsOrAdd };
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, raw_value }),
        append: Some(BoolValue { value: is_added }),
        append_action: action as i32,
        keep_empty_value: false,
    }
}
