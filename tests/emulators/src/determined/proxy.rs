//! The master's proxy: from a path to a task's port. The path and the credentials go on as they came.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::api::cookie;
use super::cluster::{Cluster, Port, Task};
use super::server::{Body, State, text};
use super::tcp;

/// Answers a request for a task.
pub(super) async fn answer(state: Arc<State>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let service = path.strip_prefix("/proxy/").and_then(|rest| rest.split_once('/')).map(|(service, _)| service);
    let Some(service) = service else { return text(StatusCode::NOT_FOUND, "Not Found") };
    let found = {
        let mut cluster = state.cluster();
        let found = cluster.service(service);
        if found.is_some() {
            // The beginnings of requests are all that its watcher of idle tasks looks at.
            *cluster.begun.entry(service.to_owned()).or_default() += 1;
        }
        found
    };
    let Some((task, port)) = found else {
        return text(StatusCode::NOT_FOUND, &format!("service not found: {service}"));
    };
    if !port.unauthenticated {
        let query = request.uri().query().unwrap_or_default();
        let refused = refusal(&state.cluster(), request.headers(), query, &path, &task);
        if let Some(refused) = refused {
            return refused;
        }
    }
    if port.tcp {
        return tcp::answer(&state, request, &port).await;
    }
    forward(&state, request, &port).await
}

/// Why a request is not let through: as the master says it.
fn refusal(cluster: &Cluster, headers: &HeaderMap, query: &str, path: &str, task: &Task) -> Option<Response<Body>> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let of_query = query.split('&').find_map(|pair| pair.strip_prefix("token="));
    // A token for a task, whoever else asks.
    if let Some(token) = of_query.or_else(|| authorization.strip_prefix("token ")) {
        return (token != task.token).then(|| text(StatusCode::UNAUTHORIZED, "invalid token"));
    }
    let bearer = authorization.strip_prefix("Bearer ").map(ToOwned::to_owned);
    let token = bearer.or_else(|| cookie(headers, "det_jwt")).or_else(|| cookie(headers, "auth"));
    let Some(token) = token else { return Some(text(StatusCode::UNAUTHORIZED, "missing token")) };
    match cluster.holder(&token) {
        None => Some(to_sign_in(path)),
        Some(user) if cluster.sees(&user, task) => None,
        Some(_) => Some(text(StatusCode::NOT_FOUND, "task not found")),
    }
}

fn to_sign_in(path: &str) -> Response<Body> {
    let mut response = text(StatusCode::SEE_OTHER, "");
    if let Ok(location) = HeaderValue::from_str(&format!("/det/login?redirect={path}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Lets the task's program answer, WebSockets included.
async fn forward(state: &Arc<State>, mut request: Request<Incoming>, port: &Port) -> Response<Body> {
    let Ok(stream) = TcpStream::connect(port.upstream).await else { return text(StatusCode::BAD_GATEWAY, "") };
    let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await else {
        return text(StatusCode::BAD_GATEWAY, "");
    };
    state.tasks.spawn(connection.with_upgrades());
    let is_upgrade = request.headers().contains_key(header::UPGRADE);
    let client = is_upgrade.then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return text(StatusCode::BAD_REQUEST, "") };
    let sent = sender.send_request(Request::from_parts(head, Full::<Bytes>::new(body.to_bytes()))).await;
    let Ok(mut response) = sent else { return text(StatusCode::BAD_GATEWAY, "") };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = client
    {
        let task = hyper::upgrade::on(&mut response);
        let stop = state.stop().clone();
        state.tasks.spawn(async move {
            let (Ok(client), Ok(task)) = tokio::join!(client, task) else { return };
            let (mut client, mut task) = (TokioIo::new(client), TokioIo::new(task));
            tokio::select! {
                () = stop.cancelled() => {}
                _ = tokio::io::copy_bidirectional(&mut client, &mut task) => {}
            }
        });
        return Response::from_parts(response.into_parts().0, Full::default());
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return text(StatusCode::BAD_GATEWAY, "") };
    head.headers.remove(header::TRANSFER_ENCODING);
    Response::from_parts(head, Full::new(body.to_bytes()))
}
