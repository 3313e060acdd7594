//! The API: from a request to an answer.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::cluster::{Cluster, Kind};
use super::server::{Body, error, json as json_answer, text};

/// Lists of kinds.
const LISTS: [Kind; 4] = [Kind::Notebook, Kind::Tensorboard, Kind::Shell, Kind::Command];

/// Answers a request that is not for a task.
pub(super) fn answer(cluster: &mut Cluster, head: &Parts, body: &Bytes) -> Response<Body> {
    let path = head.uri.path();
    match (&head.method, path) {
        (&Method::POST, "/api/v1/auth/login") => return login(cluster, body),
        (&Method::GET, "/api/v1/master") => return json_answer(StatusCode::OK, &master()),
        (&Method::GET, "/info") => return json_answer(StatusCode::OK, &json!({"version": "0.38.1"})),
        (&Method::GET, path) if path.starts_with("/det/") => return text(StatusCode::OK, "<html>Determined</html>"),
        _ => {}
    }
    let session = session(&head.headers);
    let Some((session, user)) = session.and_then(|session| cluster.holder(&session).map(|user| (session, user))) else {
        return error(StatusCode::UNAUTHORIZED, 16, "invalid credentials");
    };
    let not_found = || error(StatusCode::NOT_FOUND, 5, "not found");
    match (&head.method, path) {
        (&Method::GET, "/api/v1/me" | "/api/v1/auth/user") => {
            json_answer(StatusCode::OK, &json!({"user": cluster.user(&user)}))
        }
        (&Method::GET, "/api/v1/workspaces") => json_answer(StatusCode::OK, &workspaces()),
        (&Method::POST, "/api/v1/auth/logout") => {
            cluster.end_session(&session);
            json_answer(StatusCode::OK, &json!({}))
        }
        (&Method::GET, "/api/v1/tasks") => {
            let mut tasks: Map<String, Value> =
                cluster.seen(&user).map(|task| (format!("{}.1", task.id), task.summary())).collect();
            if cluster.broken.contains("tasks") {
                tasks.insert("broken".into(), json!({"taskId": 7, "proxyPorts": "none"}));
            }
            json_answer(StatusCode::OK, &json!({"allocationIdToSummary": tasks}))
        }
        (&Method::GET, path) => match path.strip_prefix("/api/v1/") {
            Some(rest) => list(cluster, &user, rest, head.uri.query().unwrap_or_default())
                .or_else(|| record(cluster, &user, rest))
                .unwrap_or_else(not_found),
            None => not_found(),
        },
        _ => not_found(),
    }
}

/// A session from `Authorization: Bearer`, or from the cookie.
fn session(headers: &HeaderMap) -> Option<String> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    bearer.map(ToOwned::to_owned).or_else(|| cookie(headers, "auth"))
}

/// A cookie.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).next()
}

fn login(cluster: &mut Cluster, body: &Bytes) -> Response<Body> {
    let form: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| form.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_hashed = form.get("isHashed").is_some_and(|hashed| bool::deserialize(hashed).unwrap_or_default());
    let name = field("username").to_owned();
    let Some(token) = cluster.login(&name, field("password"), is_hashed) else {
        return error(StatusCode::FORBIDDEN, 7, "invalid credentials");
    };
    let mut response = json_answer(StatusCode::OK, &json!({"token": token, "user": cluster.user(&name)}));
    if let Ok(value) = HeaderValue::from_str(&format!("auth={token}; Path=/; HttpOnly")) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

fn list(cluster: &Cluster, user: &str, name: &str, query: &str) -> Option<Response<Body>> {
    let kind = LISTS.into_iter().find(|kind| kind.list() == name)?;
    let parameter = |name: &str| {
        let values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(found, _)| *found == name);
        values.filter_map(|(_, value)| value.parse::<usize>().ok()).next()
    };
    let of_kind = cluster.seen(user).filter(|task| task.kind == kind);
    let mut items: Vec<Value> = of_kind.map(|task| task.item(cluster.user_id(&task.owner))).collect();
    if cluster.broken.contains(name) {
        items.push(json!({"id": 7, "serviceAddress": "/proxy/x/?token=s3cret-of-a-broken-item"}));
    }
    let total = items.len();
    let offset = parameter("offset").unwrap_or_default();
    let limit = parameter("limit").filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let items: Vec<Value> = items.into_iter().skip(offset).take(limit).collect();
    let pagination = json!({"offset": offset, "limit": items.len(), "startIndex": offset,
        "endIndex": offset + items.len(), "total": total});
    Some(json_answer(StatusCode::OK, &json!({name: items, "pagination": pagination})))
}

/// A task, or an item of a kind; who does not see it is told that there is none.
fn record(cluster: &Cluster, user: &str, path: &str) -> Option<Response<Body>> {
    let (kind, id) = path.split_once('/')?;
    let task = cluster.tasks.get(id).filter(|task| cluster.sees(user, task))?;
    if kind == "tasks" {
        return Some(json_answer(StatusCode::OK, &task.record()));
    }
    let singular = kind.strip_suffix('s').filter(|_| task.kind.list() == kind)?;
    let item = task.item(cluster.user_id(&task.owner));
    Some(json_answer(StatusCode::OK, &json!({singular: item, "config": {}})))
}

fn master() -> Value {
    json!({"version": "0.38.1", "masterId": "m", "clusterId": "c", "clusterName": "", "telemetryEnabled": false,
        "externalLoginUri": "", "externalLogoutUri": "", "branding": "determined", "rbacEnabled": false,
        "product": "PRODUCT_UNSPECIFIED", "featureSwitches": [], "userManagementEnabled": true,
        "strictJobQueueControl": false, "hasCustomLogo": false})
}

fn workspaces() -> Value {
    let only = json!({"id": 1, "name": "Uncategorized", "archived": false, "immutable": true, "username": "admin",
        "userId": 0, "numProjects": 1, "numExperiments": 0, "pinned": false, "state": "WORKSPACE_STATE_UNSPECIFIED",
        "errorMessage": ""});
    json!({"workspaces": [only], "pagination": {"offset": 0, "limit": 1, "startIndex": 0, "endIndex": 1, "total": 1}})
}
