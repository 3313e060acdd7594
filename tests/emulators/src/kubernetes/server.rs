//! From a connection to a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::api::{self, Answer, Call};
use super::refusal::Refusal;
use super::resource::{GATEWAY_GROUP, Resource};
use super::state::{Death, Logged, State};
use super::{authority, controller, watch};
use crate::kubernetes::controller::Script;

/// The most bytes of a request: more than etcd takes.
const MAX_BODY: usize = 4 << 20;

/// Everything that it answers.
pub(super) fn router(state: Arc<State>) -> Router {
    Router::new().fallback(serve).with_state(state)
}

async fn serve(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !state.profile.latency.is_zero() {
        tokio::time::sleep(state.profile.latency).await;
    }
    if let Some(token) = &state.profile.token {
        let said = head.headers.get(header::AUTHORIZATION).map(http::HeaderValue::as_bytes);
        if said != Some(format!("Bearer {token}").as_bytes()) {
            return reply(Err(Refusal::new(401, "Unauthorized", "Unauthorized")));
        }
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return reply(Err(Refusal::new(413, "RequestEntityTooLarge", "limit is 4194304")));
    };
    if let Some(index) = index(&state, head.uri.path()) {
        return reply(index);
    }
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let call = read(&head.method, head.uri.path(), head.uri.query(), content_type, &body);
    let call = match call {
        Ok(call) => call,
        Err(refusal) => return reply(Err(refusal)),
    };
    if call.verb == "watch" {
        let checked = {
            let inner = state.lock();
            let namespace = call.namespace.as_deref().unwrap_or_default();
            authority::check(inner.rules.as_deref(), &call.resource, call.verb, namespace)
        };
        return match checked {
            Err(refusal) => reply(Err(refusal)),
            Ok(()) if !state.profile.serves(&call.resource, &call.version) => reply(Err(Refusal::no_resource())),
            Ok(()) => {
                let body = Body::from_stream(watch::stream(Arc::clone(&state), call));
                ([(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
        };
    }
    match answer(&state, &call) {
        Some(answer) => reply(answer),
        // Whoever asked is dead, and nobody hears an answer.
        None => {
            state.stop.cancelled().await;
            reply(Err(Refusal::new(503, "ServiceUnavailable", "the end")))
        }
    }
}

/// The answer; none where whoever asks is dead.
fn answer(state: &State, call: &Call) -> Option<Answer> {
    let (answer, dies) = state.change(|inner| {
        let dies = match &mut inner.death {
            // Nothing of a dead process arrives.
            Some((0, _)) => return (None, false),
            Some((left, death)) if call.is_write() => {
                *left -= 1;
                (*left == 0).then_some(*death)
            }
            _ => None,
        };
        if dies == Some(Death::Before) {
            return (None, true);
        }
        let fault =
            inner.faults.iter().position(|(verb, plural, _)| verb == call.verb && plural == call.resource.plural);
        let answer = match fault.and_then(|index| inner.faults.remove(index)) {
            Some((_, _, code)) => Err(Refusal::new(code, "InternalError", "an error on demand")),
            None => api::answer(inner, &state.profile, call),
        };
        let code = answer.as_ref().map_or_else(|refusal| refusal.code, |(code, _)| *code);
        let name = call.name.clone().or_else(|| Some(call.body["metadata"]["name"].as_str()?.to_owned()));
        inner.log.push(Logged { verb: call.verb, plural: call.resource.plural, name: name.unwrap_or_default(), code });
        if call.is_write() && inner.script == Script::Never {
            controller::look(&mut inner.store, false);
        }
        (dies.is_none().then_some(answer), dies.is_some())
    });
    if dies {
        state.deaths.send_modify(|count| *count += 1);
    }
    answer
}

fn read(
    method: &Method,
    path: &str,
    query: Option<&str>,
    content_type: Option<&str>,
    body: &[u8],
) -> Result<Call, Refusal> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Err(Refusal::no_resource()),
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
        rest => (None, rest),
    };
    let (plural, name, is_status) = match rest {
        [plural] => (*plural, None, false),
        [plural, name] => (*plural, Some((*name).to_owned()), false),
        [plural, name, "status"] => (*plural, Some((*name).to_owned()), true),
        _ => return Err(Refusal::no_resource()),
    };
    let resource = Resource::find(group, plural).ok_or_else(Refusal::no_resource)?;
    let query: BTreeMap<String, String> =
        query.into_iter().flat_map(|query| query.split('&')).filter_map(pair).collect();
    let is_watch = query.get("watch").is_some_and(|value| ["1", "t", "true", "True"].contains(&value.as_str()));
    let verb = match (method.as_str(), &name) {
        ("GET", None) if is_watch => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", None) => "create",
        ("PUT", Some(_)) => "update",
        ("PATCH", Some(_)) => "patch",
        ("DELETE", Some(_)) => "delete",
        _ => return Err(Refusal::new(405, "MethodNotAllowed", "the server does not allow this method")),
    };
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body) };
    let body = body.map_err(|_| Refusal::new(400, "BadRequest", "the body is no JSON"))?;
    let (version, content_type) = (version.to_owned(), content_type.unwrap_or_default().to_owned());
    Ok(Call { verb, resource, version, namespace, name, is_status, query, content_type, body })
}

/// What there is, where the server says it.
fn index(state: &State, path: &str) -> Option<Answer> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let versions = ["v1", "v1beta1", "v1alpha2"];
    match parts.as_slice() {
        ["version"] => Some(Ok((200, json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0"})))),
        ["api"] => Some(Ok((200, json!({"kind": "APIVersions", "versions": ["v1"]})))),
        ["apis"] if state.profile.has_index => {
            let version = |name: &str| json!({"groupVersion": format!("{GATEWAY_GROUP}/{name}"), "version": name});
            let all: Vec<Value> = versions.into_iter().map(version).collect();
            let group = json!({"name": GATEWAY_GROUP, "versions": all, "preferredVersion": version("v1")});
            Some(Ok((200, json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}))))
        }
        ["apis"] => Some(Err(Refusal::no_resource())),
        _ => None,
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    Some((decode(key)?, decode(value)?))
}

/// Takes percent signs and plus signs out of a query.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn reply(answer: Answer) -> Response {
    let (code, body) = match answer {
        Ok(answer) => answer,
        Err(refusal) => (refusal.code, refusal.body()),
    };
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, axum::Json(body)).into_response()
}
