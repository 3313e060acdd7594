//! The discovery document: what a client builds itself from. It has what is played here and no more.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::record::Kind;
use super::uuid::CLUSTER;

/// The document of a cluster at that address.
pub(super) fn document(address: SocketAddr) -> Value {
    let root = format!("http://{address}/");
    let mut resources: Map<String, Value> =
        Kind::ALL.into_iter().map(|kind| (kind.path().to_owned(), resource(kind))).collect();
    let mut add = |name: &str, method: &str, description: Value| {
        let entry = resources.entry(name).or_insert_with(|| json!({"methods": {}}));
        if let Some(methods) = entry.get_mut("methods").and_then(Value::as_object_mut) {
            methods.insert(method.to_owned(), description);
        }
    };
    add("users", "current", call("arvados.users.current", "users/current", "GET", &json!({}), "User"));
    let current = "api_client_authorizations/current";
    let response = "ApiClientAuthorization";
    add("api_client_authorizations", "current", call("arvados.current", current, "GET", &json!({}), response));
    let contents = call("arvados.groups.contents", "groups/contents", "GET", &listed(), "ContainerRequestList");
    add("groups", "contents", contents);
    let permissions = call("arvados.permissions.get", "permissions/{uuid}", "GET", &named(), "LinkList");
    add("permissions", "get", permissions);
    let computed = "computed_permissions";
    let response = "ComputedPermissionList";
    add(computed, "list", call("arvados.computed_permissions.list", computed, "GET", &listed(), response));
    add("configs", "get", call("arvados.configs.get", "config", "GET", &json!({}), "Config"));

    let mut schemas: Map<String, Value> = Kind::ALL.into_iter().flat_map(schemas).collect();
    for name in ["ComputedPermissionList", "Config"] {
        schemas.insert(name.to_owned(), json!({"id": name, "type": "object", "properties": {}}));
    }
    json!({
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "arvados:v1",
        "name": "arvados",
        "version": "v1",
        "revision": "20250402",
        "protocol": "rest",
        "uuidPrefix": CLUSTER,
        "maxItemsPerResponse": 1000,
        "maxRequestSize": 134_217_728,
        "rootUrl": root,
        "baseUrl": format!("{root}arvados/v1/"),
        "basePath": "/arvados/v1/",
        "servicePath": "arvados/v1/",
        "batchPath": "batch",
        "parameters": {"alt": {"type": "string", "default": "json", "enum": ["json"], "location": "query"}},
        "schemas": schemas,
        "resources": resources,
    })
}

fn schemas(kind: Kind) -> [(String, Value); 2] {
    let name = schema(kind);
    let list = format!("{name}List");
    let fields: Map<String, Value> =
        kind.fields().iter().map(|field| ((*field).to_owned(), json!({"type": "string"}))).collect();
    [
        (
            list.clone(),
            json!({"id": list, "type": "object", "properties": {"items": {"type": "array", "items": {"$ref": name}}}}),
        ),
        (name.clone(), json!({"id": name, "type": "object", "properties": fields})),
    ]
}

/// `ContainerRequest`, from `arvados#containerRequest`.
fn schema(kind: Kind) -> String {
    let name = kind.name().trim_start_matches("arvados#");
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_ascii_uppercase())
}

fn resource(kind: Kind) -> Value {
    let (path, schema) = (kind.path(), schema(kind));
    let one = format!("{path}/{{uuid}}");
    let id = |method: &str| format!("arvados.{path}.{method}");
    let mut methods = Map::new();
    methods.insert("get".into(), call(&id("get"), &one, "GET", &with_select(named()), &schema));
    methods.insert("list".into(), call(&id("list"), path, "GET", &listed(), &format!("{schema}List")));
    methods.insert("delete".into(), call(&id("delete"), &one, "DELETE", &named(), &schema));
    for (method, path, verb, parameters) in
        [("create", path, "POST", json!({})), ("update", one.as_str(), "PUT", named())]
    {
        let mut description = call(&id(method), path, verb, &parameters, &schema);
        if let Some(description) = description.as_object_mut() {
            let properties = json!({kind.singular(): {"$ref": schema}});
            description.insert("request".into(), json!({"required": true, "properties": properties}));
        }
        methods.insert(method.into(), description);
    }
    json!({"methods": methods})
}

fn call(id: &str, path: &str, verb: &str, parameters: &Value, response: &str) -> Value {
    json!({
        "id": id,
        "path": path,
        "httpMethod": verb,
        "parameters": parameters,
        "response": {"$ref": response},
        "scopes": [],
    })
}

fn named() -> Value {
    json!({"uuid": {"type": "string", "required": true, "location": "path"}})
}

fn with_select(mut parameters: Value) -> Value {
    if let Some(parameters) = parameters.as_object_mut() {
        parameters.insert("select".into(), query("array"));
    }
    parameters
}

fn listed() -> Value {
    json!({
        "filters": query("array"),
        "order": query("array"),
        "select": query("array"),
        "include": query("array"),
        "limit": query("integer"),
        "offset": query("integer"),
        "count": query("string"),
    })
}

fn query(kind: &str) -> Value {
    json!({"type": kind, "required": false, "location": "query"})
}
