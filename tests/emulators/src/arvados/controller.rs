//! The way to containers through the controller, with its faults as they were measured: wrong statuses, internal
//! addresses in messages, replies that come only when they are whole, WebSockets that stay silent.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use super::cluster::Cluster;
use super::parameters::decode;
use super::record::{Kind, Record, text};
use super::server::{Body, json as json_answer};
use super::state::{Call, State};
use super::uuid::is_uuid;

/// The cookie, and the parameter, with the token.
const TOKEN: &str = "arvados_api_token";
/// The cookie that says which container the others are of.
const CONTAINER: &str = "arvados_container_uuid";
/// How a reply to the controller's own question depends on that question.
const VARY: [&str; 5] = [
    "X-Arvados-Authorization",
    "X-Arvados-Container-Gateway-Uuid",
    "X-Arvados-Container-Target-Port",
    "X-Webdav-Prefix",
    "X-Webdav-Source",
];
/// What a container's directory of logs has.
const LOGS: &[u8] = b"the container's log";
/// The bytes of the name of a record.
const UUID: usize = 27;

/// What a container's host names: what is before the suffix of `ExternalURL`, as it was written.
pub(super) fn target(cluster: &Cluster, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let (_, wildcard) = cluster.external_url.trim_end_matches('/').split_once("://")?;
    let suffix = wildcard.strip_prefix('*')?;
    let at = host.len().checked_sub(suffix.len()).filter(|at| host.is_char_boundary(*at))?;
    let (before, end) = host.split_at(at);
    end.eq_ignore_ascii_case(suffix).then(|| before.to_owned())
}

/// Answers a request for a container.
pub(super) async fn answer(state: Arc<State>, target: String, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    state.remember(Call {
        method: request.method().clone(),
        host: host.to_owned(),
        path: path.clone(),
        parameters: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
    });
    // The outer router cleans paths, whoever they are for.
    if path.contains("//") || path.contains("/../") || path.ends_with("/..") {
        return redirect(StatusCode::MOVED_PERMANENTLY, &cleaned(&path));
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let of_query = query.split('&').find_map(|pair| pair.strip_prefix("arvados_api_token="));
    if of_query.is_some() {
        return handshake(&path, &query);
    }
    let token = cookie(request.headers()).and_then(|value| decoded(&value));
    let found = find(&state.cluster(), &target, token.as_deref());
    match found {
        Err((status, message)) => json_answer(status, &json!({"errors": [message]})),
        Ok((container, address)) => gateway(state, request, &container, address).await,
    }
}

/// The container, and where the program in it is, for whoever shows the token.
fn find(
    cluster: &Cluster,
    target: &str,
    token: Option<&str>,
) -> Result<(String, Option<SocketAddr>), (StatusCode, String)> {
    let wrong = |message: &str| Err((StatusCode::INTERNAL_SERVER_ERROR, message.to_owned()));
    let (uuid, port) = match target.split_at_checked(UUID) {
        Some((uuid, rest)) if is_uuid(uuid) && rest.len() > 1 && rest.starts_with('-') => {
            let digits: String = rest.chars().skip(1).take_while(char::is_ascii_digit).collect();
            let Some(port) = digits.parse::<u32>().ok().filter(|port| *port > 0) else {
                return Err((StatusCode::BAD_REQUEST, "cannot parse port number from vhost prefix".into()));
            };
            (uuid.to_owned(), port)
        }
        _ => {
            let named = |link: &&Record| text(link, "link_class") == "published_port" && text(link, "name") == target;
            let Some(link) = cluster.all(Kind::Link).find(named) else {
                let message = format!("container web service not found: {target:?}");
                return Err((StatusCode::NOT_FOUND, message));
            };
            let port = link.get("properties").and_then(|properties| properties.get("port")).and_then(Value::as_u64);
            match port.and_then(|port| u32::try_from(port).ok()) {
                Some(port) => (text(link, "head_uuid").to_owned(), port),
                None => return wrong("invalid port in published_port link"),
            }
        }
    };
    let Some(named) = cluster.find(&uuid) else {
        return wrong("container request lookup error: request failed: http://railsapi.internal/: 404 Not Found");
    };
    let container = match Kind::of_uuid(&uuid) {
        Some(Kind::ContainerRequest) => text(named, "container_uuid").to_owned(),
        _ => uuid.clone(),
    };
    if container.is_empty() {
        return Err((StatusCode::BAD_REQUEST, "container request does not have an assigned container".into()));
    }
    // Whether the port is public is taken from the record that the host names.
    let ports = named.get("published_ports").and_then(|ports| ports.get(port.to_string()));
    let is_public = ports.and_then(|port| port.get("access")).and_then(Value::as_str) == Some("public");
    if !is_public {
        let Some(token) = token else { return wrong("container lookup failed: no token provided") };
        let Some(asker) = cluster.asker(token) else {
            return wrong("container lookup failed: //railsapi.internal/arvados/v1/containers: 401 Unauthorized");
        };
        if cluster.seen(&asker, Kind::Container, &container).is_none() {
            return wrong("container lookup failed: //railsapi.internal/arvados/v1/containers: 404 Not Found");
        }
        let is_mine = |request: &Record| text(request, "modified_by_user_uuid") == asker.user;
        if !asker.rights.is_admin() && !cluster.requests_of(&container).all(is_mine) {
            let message = "permission denied: container is associated with requests submitted by other users";
            return Err((StatusCode::FORBIDDEN, message.into()));
        }
    }
    let is_running = cluster.find(&container).is_some_and(|container| text(container, "state") == "Running");
    if !is_running {
        return wrong("cannot find gateway: container is running but gateway is not available");
    }
    let address = u16::try_from(port).ok().and_then(|port| cluster.served.get(&(container.clone(), port)));
    let address = address.copied();
    Ok((container, address))
}

/// What stands beside the container: it has words of its own, and a directory of logs.
async fn gateway(
    state: Arc<State>,
    request: Request<Incoming>,
    container: &str,
    address: Option<SocketAddr>,
) -> Response<Body> {
    // This is looked at before the port is.
    if request.headers().get("x-webdav-source").is_some_and(|source| source == "/log") {
        return marked(Response::new(Full::new(Bytes::from_static(LOGS))), container);
    }
    if address.is_some_and(|address| address.port() == 0) {
        return marked(plain_error(StatusCode::SERVICE_UNAVAILABLE, "container has no IP address\n"), container);
    }
    match address {
        Some(address) => forward(state, request, container, address).await,
        None => marked(refused_connection(), container),
    }
}

/// Lets the container's program answer; whatever it sends comes when it is whole.
async fn forward(
    state: Arc<State>,
    mut request: Request<Incoming>,
    container: &str,
    address: SocketAddr,
) -> Response<Body> {
    if request.headers().contains_key(header::UPGRADE) {
        return silent(state, &mut request);
    }
    let (mut head, body) = request.into_parts();
    let failed = |status| json_answer(status, &json!({"errors": ["proxy error"]}));
    let Ok(body) = body.collect().await else { return failed(StatusCode::BAD_REQUEST) };
    strip_token(&mut head.headers);
    head.headers.insert(header::VIA, HeaderValue::from_static("HTTP/1.1 arvados-crunch-run"));
    head.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let Ok(stream) = TcpStream::connect(address).await else { return marked(refused_connection(), container) };
    let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await else {
        return failed(StatusCode::BAD_GATEWAY);
    };
    TaskTracker::new().spawn(connection);
    let sent = sender.send_request(Request::from_parts(head, Full::new(body.to_bytes()))).await;
    let Ok(response) = sent else { return failed(StatusCode::BAD_GATEWAY) };
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await else { return failed(StatusCode::BAD_GATEWAY) };
    head.headers.remove(header::TRANSFER_ENCODING);
    marked(Response::from_parts(head, Full::new(body.to_bytes())), container)
}

/// A reply that went through the controller. Headers of the reply take the place of the controller's of that name.
fn marked(mut response: Response<Body>, container: &str) -> Response<Body> {
    let headers = response.headers_mut();
    if !headers.contains_key(header::VARY) {
        for name in VARY {
            headers.append(header::VARY, HeaderValue::from_static(name));
        }
    }
    if !headers.contains_key(header::SET_COOKIE)
        && let Ok(value) = HeaderValue::from_str(&format!("{CONTAINER}={container}"))
    {
        headers.append(header::SET_COOKIE, value);
    }
    response
}

/// What is said beside the container where nobody listens in it.
fn refused_connection() -> Response<Body> {
    let message = "Get \"http://172.17.0.2:9/\": dial tcp 172.17.0.2:9: connect: connection refused\n";
    plain_error(StatusCode::BAD_GATEWAY, message)
}

fn plain_error(status: StatusCode, message: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from_static(message.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An upgrade: the client is told yes, and never hears anything again.
fn silent(state: Arc<State>, request: &mut Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(&mut *request);
    TaskTracker::new().spawn(async move {
        let held = upgrade.await;
        state.stop().cancelled().await;
        drop(held);
    });
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static("x"));
    response
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).map(str::trim);
    pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == TOKEN).map(|(_, value)| value.to_owned())
}

/// The token in a cookie, which is in base64.
fn decoded(value: &str) -> Option<String> {
    let bytes = URL_SAFE.decode(value).or_else(|_| STANDARD.decode(value)).ok()?;
    String::from_utf8(bytes).ok()
}

fn strip_token(headers: &mut HeaderMap) {
    let cookies: Vec<String> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|pair| pair.split('=').next() != Some(TOKEN))
        .map(str::to_owned)
        .collect();
    headers.remove(header::COOKIE);
    if !cookies.is_empty()
        && let Ok(value) = HeaderValue::from_str(&cookies.join("; "))
    {
        headers.insert(header::COOKIE, value);
    }
}

/// The token goes from the query into a cookie, good or not.
fn handshake(path: &str, query: &str) -> Response<Body> {
    let mut token = String::new();
    let mut rest: Vec<String> = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((TOKEN, value)) => token = decode(value),
            Some(_) => rest.push(pair.to_owned()),
            None => rest.push(format!("{pair}=")),
        }
    }
    rest.sort();
    let location = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let mut response = redirect(StatusCode::SEE_OTHER, &location);
    let value = format!("{TOKEN}={}; Path=/; HttpOnly; SameSite=Lax", URL_SAFE.encode(token));
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

fn redirect(status: StatusCode, location: &str) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_the_router_does() {
        assert_eq!(cleaned("/a//b/../c"), "/a/c");
        assert_eq!(cleaned("//"), "/");
    }
}
