//! The client side of `taskgate.demo.Echo`.

use std::net::SocketAddr;

use futures_util::Stream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};
use tonic::{IntoStreamingRequest, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::{EchoReply, EchoRequest, path};

/// Calls the service, directly or through a gateway.
#[derive(Clone, Debug)]
pub struct EchoClient {
    grpc: Grpc<Channel>,
}

impl EchoClient {
    /// Connects to `address` and speaks to `authority`, the host by which a gateway knows the service.
    /// Without one, the address is the host.
    ///
    /// # Errors
    /// No connection, or an authority that is none.
    pub async fn connect(address: SocketAddr, authority: Option<&str>) -> anyhow::Result<Self> {
        let mut endpoint = Endpoint::from_shared(format!("http://{address}"))?;
        if let Some(authority) = authority {
            endpoint = endpoint.origin(format!("http://{authority}").parse()?);
        }
        Ok(Self { grpc: Grpc::new(endpoint.connect().await?) })
    }

    /// One question, one answer.
    ///
    /// # Errors
    /// The call's status.
    pub async fn unary(&mut self, request: Request<EchoRequest>) -> Result<Response<EchoReply>, Status> {
        self.ready().await?;
        self.grpc.unary(request, PathAndQuery::from_static(path::UNARY), codec()).await
    }

    /// One question, many answers.
    ///
    /// # Errors
    /// The call's status.
    pub async fn server_stream(
        &mut self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Streaming<EchoReply>>, Status> {
        self.ready().await?;
        self.grpc.server_streaming(request, PathAndQuery::from_static(path::SERVER_STREAM), codec()).await
    }

    /// Questions and answers, in both directions at once.
    ///
    /// # Errors
    /// The call's status.
    pub async fn chat<S>(
        &mut self,
        requests: impl IntoStreamingRequest<Stream = S, Message = EchoRequest>,
    ) -> Result<Response<Streaming<EchoReply>>, Status>
    where
        S: Stream<Item = EchoRequest> + Send + 'static,
    {
        self.ready().await?;
        let path = PathAndQuery::from_static(path::CHAT);
        self.grpc.streaming(requests.into_streaming_request(), path, codec()).await
    }

    /// One question, as many answers as it asks for, and then an error.
    ///
    /// # Errors
    /// The call's status, where there is no answer before it.
    pub async fn fail(&mut self, request: Request<EchoRequest>) -> Result<Response<Streaming<EchoReply>>, Status> {
        self.ready().await?;
        self.grpc.server_streaming(request, PathAndQuery::from_static(path::FAIL), codec()).await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }
}

fn codec() -> ProstCodec<EchoRequest, EchoReply> {
    ProstCodec::default()
}
