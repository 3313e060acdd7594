//! The API of records: from a request to what it reads or changes.

use http::request::Parts;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::cluster::{Asker, Cluster};
use super::document;
use super::error::ApiError;
use super::listing::{list, shown};
use super::parameters::Parameters;
use super::permissions::{Level, Rights};
use super::ports;
use super::record::{Kind, Record, text};
use super::state::State;
use super::uuid::CLUSTER;

/// Fields that a client may set of a request that is committed.
const ALWAYS_MUTABLE: [&str; 6] = ["owner_uuid", "state", "name", "description", "properties", "priority"];

/// Answers a request.
///
/// # Errors
/// It is refused.
pub(super) fn answer(state: &State, method: &Method, head: &Parts, parameters: &Parameters) -> Result<Value, ApiError> {
    let path = head.uri.path();
    let mut cluster = state.cluster();
    match path {
        "/discovery/v1/apis/arvados/v1/rest" => return Ok(document::document(state.address())),
        "/arvados/v1/config" => return Ok(config(&cluster)),
        _ => {}
    }
    let rest = path.strip_prefix("/arvados/v1/").ok_or_else(ApiError::not_found)?;
    let token = shown_token(head, parameters).ok_or_else(ApiError::unauthorized)?;
    let asker = cluster.asker(&token).ok_or_else(ApiError::unauthorized)?;
    if !is_in_scope(&asker.token, method, path) {
        return Err(ApiError::forbidden());
    }
    let (collection, name) = match rest.split_once('/') {
        Some((collection, name)) => (collection, Some(name)),
        None => (rest, None),
    };
    match (collection, name, method) {
        ("users", Some("current"), &Method::GET) => one(&cluster, &asker, Kind::User, &asker.user, parameters),
        ("api_client_authorizations", Some("current"), &Method::GET) => {
            let select = parameters.texts("select")?;
            shown(&cluster, &asker, Kind::ApiClientAuthorization, &asker.token, select.as_deref())
        }
        ("api_client_authorizations", Some(uuid), &Method::GET) => {
            // Nobody's tokens but one's own, for administrators too.
            let own = cluster.find(uuid).filter(|token| text(token, "owner_uuid") == asker.user);
            own.ok_or_else(ApiError::not_found)?;
            one(&cluster, &asker, Kind::ApiClientAuthorization, uuid, parameters)
        }
        ("permissions", Some(uuid), &Method::GET) => permissions(&cluster, &asker, uuid),
        ("computed_permissions", None, &Method::GET) => computed(&cluster, &asker, parameters),
        ("groups", Some("contents"), &Method::GET) => contents(&cluster, &asker, parameters),
        _ => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.path() == collection).ok_or_else(ApiError::not_found)?;
            match (name, method) {
                (None, &Method::GET) => list(&cluster, &asker, kind, parameters),
                (None, &Method::POST) => create(&mut cluster, &asker, kind, parameters),
                (Some(uuid), &Method::GET) => one(&cluster, &asker, kind, uuid, parameters),
                (Some(uuid), &Method::PUT | &Method::PATCH) => update(&mut cluster, &asker, kind, uuid, parameters),
                (Some(uuid), &Method::DELETE) => delete(&mut cluster, &asker, kind, uuid),
                _ => Err(ApiError::not_found()),
            }
        }
    }
}

/// The token that a request shows, wherever the server looks for it.
fn shown_token(head: &Parts, parameters: &Parameters) -> Option<String> {
    let header = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = header.and_then(|value| value.split_once(' '));
    let of_header = shown.filter(|(scheme, _)| ["bearer", "oauth2"].contains(&scheme.to_ascii_lowercase().as_str()));
    of_header.map(|(_, token)| token.trim().to_owned()).or_else(|| parameters.text("api_token").map(str::to_owned))
}

fn is_in_scope(token: &Record, method: &Method, path: &str) -> bool {
    let scopes = token.get("scopes").and_then(Value::as_array);
    scopes.into_iter().flatten().filter_map(Value::as_str).any(|scope| {
        let wanted = format!("{method} {path}");
        scope == "all" || scope == wanted || (scope.ends_with('/') && wanted.starts_with(scope))
    }) || (method == Method::GET && path == "/arvados/v1/api_client_authorizations/current")
}

fn config(cluster: &Cluster) -> Value {
    json!({
        "ClusterID": CLUSTER,
        "API": {"MaxItemsPerResponse": 1000, "MaxRequestSize": 134_217_728},
        "Collections": {"StorageClasses": {"default": {"Default": true}}, "BlobSigning": true},
        "Services": {"ContainerWebServices": {
            "ExternalURL": cluster.external_url, "ExternalPortMin": 0, "ExternalPortMax": 0,
        }},
    })
}

fn one(cluster: &Cluster, asker: &Asker, kind: Kind, uuid: &str, parameters: &Parameters) -> Result<Value, ApiError> {
    let record = cluster.seen(asker, kind, uuid).ok_or_else(ApiError::not_found)?;
    let select = parameters.texts("select")?;
    shown(cluster, asker, kind, record, select.as_deref())
}

fn create(cluster: &mut Cluster, asker: &Asker, kind: Kind, parameters: &Parameters) -> Result<Value, ApiError> {
    let mut fields = fields(kind, parameters)?;
    fields.entry("owner_uuid").or_insert_with(|| asker.user.clone().into());
    fields.insert("modified_by_user_uuid".into(), asker.user.clone().into());
    match kind {
        Kind::Link => check_link(cluster, asker, &fields)?,
        Kind::ContainerRequest => return submit(cluster, asker, fields),
        Kind::Group => {}
        Kind::ApiClientAuthorization | Kind::Container | Kind::User => return Err(ApiError::forbidden()),
    }
    let uuid = cluster.add_new(kind, Value::Object(fields));
    one(cluster, asker, kind, &uuid, &Parameters::default())
}

fn fields(kind: Kind, parameters: &Parameters) -> Result<Record, ApiError> {
    match parameters.json(kind.singular())? {
        Some(Value::Object(fields)) => match fields.keys().find(|field| !kind.fields().contains(&field.as_str())) {
            Some(field) => Err(ApiError::invalid(format!("unknown attribute '{field}'"))),
            None => Ok(fields),
        },
        _ => Err(ApiError::invalid(format!("missing parameter: {}", kind.singular()))),
    }
}

fn check_link(cluster: &Cluster, asker: &Asker, link: &Record) -> Result<(), ApiError> {
    let head = text(link, "head_uuid");
    let head_kind = Kind::of_uuid(head);
    match text(link, "link_class") {
        "permission" => {
            let record = head_kind.and_then(|kind| cluster.seen(asker, kind, head)).ok_or_else(ApiError::forbidden)?;
            let level = head_kind.and_then(|kind| asker.rights.level(cluster, kind, record));
            if level == Some(Level::Manage) { Ok(()) } else { Err(ApiError::forbidden()) }
        }
        "published_port" => {
            if head_kind != Some(Kind::ContainerRequest) {
                return Err(ApiError::invalid("head_uuid must be a container request UUID"));
            }
            cluster.seen(asker, Kind::ContainerRequest, head).ok_or_else(ApiError::not_found)?;
            let same = |other: &Record| {
                text(other, "link_class") == "published_port" && text(other, "name") == text(link, "name")
            };
            let is_taken = cluster.all(Kind::Link).any(same);
            if is_taken { Err(ApiError::invalid("duplicate key value violates unique constraint")) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn submit(cluster: &mut Cluster, asker: &Asker, mut fields: Record) -> Result<Value, ApiError> {
    let ports = fields.entry("published_ports").or_insert_with(|| json!({})).clone();
    ports::check(&ports)?;
    let is = |fields: &Record, name: &str, default| fields.get(name).and_then(Value::as_bool).unwrap_or(default);
    if is(&fields, "service", false) && is(&fields, "use_existing", true) {
        return Err(ApiError::invalid("Use existing cannot be true if 'service' is true"));
    }
    fields.entry("state").or_insert_with(|| "Uncommitted".into());
    if text(&fields, "state") == "Committed" {
        let service = is(&fields, "service", false);
        let container = json!({"state": "Queued", "published_ports": ports, "service": service});
        let container = cluster.add_new(Kind::Container, container);
        fields.insert("container_uuid".into(), container.into());
    }
    let uuid = cluster.add_new(Kind::ContainerRequest, Value::Object(fields));
    one(cluster, asker, Kind::ContainerRequest, &uuid, &Parameters::default())
}

fn update(
    cluster: &mut Cluster,
    asker: &Asker,
    kind: Kind,
    uuid: &str,
    parameters: &Parameters,
) -> Result<Value, ApiError> {
    let record = cluster.seen(asker, kind, uuid).ok_or_else(ApiError::not_found)?;
    if asker.rights.level(cluster, kind, record) < Some(Level::Write) {
        return Err(ApiError::forbidden());
    }
    let fields = fields(kind, parameters)?;
    let is_committed = kind == Kind::ContainerRequest && text(record, "state") == "Committed";
    if is_committed && let Some(field) = fields.keys().find(|field| !ALWAYS_MUTABLE.contains(&field.as_str())) {
        return Err(ApiError::invalid(format!("{field} cannot be modified in state 'Committed'")));
    }
    cluster.change(uuid, &asker.user, Value::Object(fields));
    one(cluster, asker, kind, uuid, &Parameters::default())
}

fn delete(cluster: &mut Cluster, asker: &Asker, kind: Kind, uuid: &str) -> Result<Value, ApiError> {
    let record = cluster.seen(asker, kind, uuid).ok_or_else(ApiError::not_found)?;
    if asker.rights.level(cluster, kind, record) < Some(Level::Write) {
        return Err(ApiError::forbidden());
    }
    cluster.remove(uuid).map(Value::Object).ok_or_else(ApiError::not_found)
}

/// The permission links of something, for those who can manage it.
fn permissions(cluster: &Cluster, asker: &Asker, uuid: &str) -> Result<Value, ApiError> {
    let kind = Kind::of_uuid(uuid).ok_or_else(ApiError::not_found)?;
    let record = cluster.seen(asker, kind, uuid).ok_or_else(ApiError::not_found)?;
    if asker.rights.level(cluster, kind, record) != Some(Level::Manage) {
        return Err(ApiError::forbidden());
    }
    let links = cluster.all(Kind::Link);
    let of_it = |link: &&Record| text(link, "link_class") == "permission" && text(link, "head_uuid") == uuid;
    let items: Vec<&Record> = links.filter(of_it).collect();
    Ok(json!({"kind": "arvados#linkList", "items": items, "items_available": items.len(), "offset": 0, "limit": 100}))
}

/// The table of permissions, for administrators.
fn computed(cluster: &Cluster, asker: &Asker, parameters: &Parameters) -> Result<Value, ApiError> {
    if !asker.rights.is_admin() {
        return Err(ApiError::forbidden());
    }
    if parameters.text("count") != Some("none") || parameters.number("offset")?.is_some_and(|offset| offset > 0) {
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "count parameter must be 'none'"));
    }
    let mut items = Vec::new();
    let filters = parameters.list("filters")?.unwrap_or_default();
    for user in cluster.all(Kind::User).map(|user| text(user, "uuid")) {
        let rights = Rights::of(cluster, user);
        for (target, level) in rights.table() {
            let traverse = Kind::of_uuid(target) == Some(Kind::Group) || level == Level::Manage;
            let row = json!({"user_uuid": user, "target_uuid": target, "perm_level": level.name(),
                "traverse_owned": traverse});
            if filters.iter().all(|filter| is_met(filter, &row)) {
                items.push(row);
            }
        }
    }
    items.truncate(parameters.number("limit")?.unwrap_or(100).min(cluster.page));
    Ok(json!({"kind": "arvados#computedPermissionList", "items": items}))
}

fn is_met(filter: &Value, row: &Value) -> bool {
    let Some([Value::String(field), Value::String(operator), operand]) = filter.as_array().map(Vec::as_slice) else {
        return false;
    };
    match (operator.as_str(), row.get(field)) {
        ("=", Some(value)) => value == operand,
        ("in", Some(value)) => operand.as_array().is_some_and(|items| items.contains(value)),
        _ => false,
    }
}

/// Requests with their containers, as Workbench asks for them.
fn contents(cluster: &Cluster, asker: &Asker, parameters: &Parameters) -> Result<Value, ApiError> {
    let mut answer = list(cluster, asker, Kind::ContainerRequest, parameters)?;
    let wants = parameters.list("include")?.unwrap_or_default().contains(&"container_uuid".into());
    let items = answer.get("items").and_then(Value::as_array).into_iter().flatten();
    let names = items.filter_map(|item| item.get("container_uuid").and_then(Value::as_str));
    let included: Vec<&Record> = names.filter(|_| wants).filter_map(|name| cluster.find(name)).collect();
    let included = json!(included);
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("included".into(), included);
    }
    Ok(answer)
}
