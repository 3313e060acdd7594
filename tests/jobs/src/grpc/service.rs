//! The server side of `taskgate.demo.Echo`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::metadata::{KeyRef, MetadataMap};
use tonic::server::{Grpc, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::{EchoReply, EchoRequest, path};
use crate::job::{self, JobHandle, JobOptions, Scope};
use crate::serving::{self, Protocol};

type Replies = Pin<Box<dyn Stream<Item = Result<EchoReply, Status>> + Send>>;

/// Runs the job on that listener.
///
/// # Errors
/// The listener has no address.
pub fn serve(listener: TcpListener, options: JobOptions) -> io::Result<JobHandle> {
    job::start(listener, options, |connection, scope| serving::serve(Protocol::Http2, connection, scope, route))
}

async fn route(scope: Scope, request: http::Request<Incoming>) -> Result<http::Response<Body>, Infallible> {
    scope.counters.count(request.method());
    let codec = ProstCodec::<EchoReply, EchoRequest>::default();
    Ok(match request.uri().path() {
        path::UNARY => Grpc::new(codec).unary(Echo(scope), request).await,
        path::SERVER_STREAM => Grpc::new(codec).server_streaming(Echo(scope), request).await,
        path::CHAT => Grpc::new(codec).streaming(Echo(scope), request).await,
        path::FAIL => Grpc::new(codec).server_streaming(Fail(Echo(scope)), request).await,
        _ => Status::unimplemented("the service has no such method").into_http(),
    })
}

/// Three of the methods: each is a kind of call of its own, so one type can carry them all.
struct Echo(Scope);

/// The method that ends badly.
struct Fail(Echo);

impl Echo {
    fn reply(&self, metadata: &MetadataMap) -> EchoReply {
        let name = |key: KeyRef<'_>| match key {
            KeyRef::Ascii(key) => key.as_str().to_owned(),
            KeyRef::Binary(key) => key.as_str().to_owned(),
        };
        let mut metadata_names: Vec<String> = metadata.keys().map(name).collect();
        metadata_names.sort_unstable();
        EchoReply { name: self.0.name.to_string(), message: String::new(), metadata_names }
    }
}

impl UnaryService<EchoRequest> for Echo {
    type Response = EchoReply;
    type Future = Ready<Result<Response<EchoReply>, Status>>;

    fn call(&mut self, request: Request<EchoRequest>) -> Self::Future {
        let reply = self.reply(request.metadata());
        ready(Ok(Response::new(EchoReply { message: request.into_inner().message, ..reply })))
    }
}

impl ServerStreamingService<EchoRequest> for Echo {
    type Response = EchoReply;
    type ResponseStream = Replies;
    type Future = Ready<Result<Response<Replies>, Status>>;

    fn call(&mut self, request: Request<EchoRequest>) -> Self::Future {
        let reply = self.reply(request.metadata());
        let replies = repeated(request.into_inner(), reply);
        ready(Ok(Response::new(Box::pin(replies))))
    }
}

impl StreamingService<EchoRequest> for Echo {
    type Response = EchoReply;
    type ResponseStream = Replies;
    type Future = Ready<Result<Response<Replies>, Status>>;

    fn call(&mut self, request: Request<Streaming<EchoRequest>>) -> Self::Future {
        let reply = self.reply(request.metadata());
        let replies = request.into_inner().map(move |asked| {
            let message = asked?.message;
            Ok(EchoReply { message, ..reply.clone() })
        });
        ready(Ok(Response::new(Box::pin(replies))))
    }
}

impl ServerStreamingService<EchoRequest> for Fail {
    type Response = EchoReply;
    type ResponseStream = Replies;
    type Future = Ready<Result<Response<Replies>, Status>>;

    fn call(&mut self, request: Request<EchoRequest>) -> Self::Future {
        let reply = self.0.reply(request.metadata());
        let request = request.into_inner();
        let failure = failure(&request.message);
        ready(if request.repeat == 0 {
            Err(failure)
        } else {
            Ok(Response::new(Box::pin(repeated(request, reply).chain(stream::iter([Err(failure)])))))
        })
    }
}

fn failure(message: &str) -> Status {
    let mut status = Status::failed_precondition(message);
    if let Ok(value) = message.parse() {
        status.metadata_mut().insert("x-own-trailer", value);
    }
    status
}

fn repeated(request: EchoRequest, reply: EchoReply) -> impl Stream<Item = Result<EchoReply, Status>> + Send {
    let pause = Duration::from_millis(request.every_ms.into());
    stream::iter(0..request.repeat.max(1)).then(move |number| {
        let reply = EchoReply { message: request.message.clone(), ..reply.clone() };
        async move {
            if number > 0 {
                tokio::time::sleep(pause).await;
            }
            Ok(reply)
        }
    })
}
