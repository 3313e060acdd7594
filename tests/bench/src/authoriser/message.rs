//! The messages of `envoy.service.auth.v3`, as far as they are used here. What is left out is skipped.

use std::collections::HashMap;

/// gRPC's `PERMISSION_DENIED`.
const PERMISSION_DENIED: i32 = 7;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<AttributeContext>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeContext {
    #[prost(message, optional, tag = "4")]
    request: Option<AttributeRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AttributeRequest {
    #[prost(message, optional, tag = "2")]
    http: Option<HttpRequest>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HttpRequest {
    #[prost(string, tag = "2")]
    method: String,
    #[prost(map = "string, string", tag = "3")]
    headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    path: String,
    #[prost(string, tag = "5")]
    host: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RpcStatus>,
    #[prost(message, optional, tag = "3")]
    ok_response: Option<OkHttpResponse>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OkHttpResponse {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    header: Option<HeaderValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeaderValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

impl CheckRequest {
    /// A header of the request that is asked about.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let request = self.attributes.as_ref()?.request.as_ref()?.http.as_ref()?;
        request.headers.get(name).map(String::as_str)
    }
}

impl CheckResponse {
    /// The request goes through, with one more header.
    pub(super) fn allowed(name: &str, value: &str) -> Self {
        let header = HeaderValue { key: name.to_owned(), value: value.to_owned() };
        let headers = vec![HeaderValueOption { header: Some(header) }];
        Self { status: Some(RpcStatus { code: 0 }), ok_response: Some(OkHttpResponse { headers }) }
    }

    /// It does not.
    pub(super) fn denied() -> Self {
        Self { status: Some(RpcStatus { code: PERMISSION_DENIED }), ok_response: None }
    }
}
