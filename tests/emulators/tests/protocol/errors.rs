//! How errors look.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use taskgate_emulators::ytsaurus::codes;

use super::ask::{TOKEN, cluster, command, request, run, send, value};

#[tokio::test]
async fn a_failed_command_is_a_400_with_the_error_in_body_and_headers() {
    let cluster = cluster().await;
    let reply = run(&cluster, "get", json!({"path": "//home/missing"})).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.header("x-yt-response-code"), Some("500"));
    assert_eq!(reply.header("x-yt-response-message"), Some("Error resolving path //home/missing"));
    let header: Value = serde_json::from_str(reply.header("x-yt-error").unwrap()).unwrap();
    assert_eq!(header, reply.json());
    assert_eq!(reply.json()["inner_errors"][0]["message"], "Node //home has no child with key \"missing\"");
    assert!(reply.header("x-yt-request-id").is_some() && reply.header("x-yt-proxy").is_some());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn unknown_commands_and_versions_are_told_apart() {
    let cluster = cluster().await;
    let get = |path: &'static str| send(request(&cluster, Method::GET, path).bearer_auth(TOKEN));
    let unknown = get("/api/v4/frobnicate").await;
    assert_eq!(
        (unknown.status, unknown.json()["message"].as_str().unwrap()),
        (StatusCode::NOT_FOUND, "Command \"frobnicate\" is not registered",)
    );
    assert_eq!(get("/api/v4/a%20b").await.json()["message"], "Malformed command name");
    assert_eq!(get("/api/v5/get").await.status, 400);
    assert_eq!(get("/nonsense").await.status, 404);
    cluster.set_command("check_operation_permission", false);
    assert_eq!(get("/api/v4/check_operation_permission").await.status, 404);
    cluster.set_command("check_operation_permission", true);
    assert_eq!(get("/api/v4/check_operation_permission").await.status, 400, "its parameters are missing");
}

#[tokio::test]
async fn parameters_that_are_missing_or_wrong_are_named() {
    let cluster = cluster().await;
    for (parameters, what) in [
        (json!({}), "Missing required parameter /path"),
        (json!({"path": 1}), "Error parsing path: not a string"),
        (json!({"path": "home"}), "Error parsing path: \"home\" does not start with a valid root-designator"),
        (json!({"path": "/", "attributes": 1}), "Error reading parameter /attributes"),
        (json!({"path": "/", "output_format": "arrow"}), "Format \"arrow\" is not emulated"),
    ] {
        let reply = run(&cluster, "get", parameters).await;
        assert_eq!((reply.status, reply.json()["message"].as_str().unwrap()), (StatusCode::BAD_REQUEST, what));
    }
}

#[tokio::test]
async fn denied_is_901() {
    let cluster = cluster().await;
    cluster.deny("robot", "read", "//home");
    cluster.deny("robot", "read", "//sys/operations");
    for (name, parameters) in
        [("get", json!({"path": "//home/x"})), ("list", json!({"path": "//home"})), ("list_operations", json!({}))]
    {
        assert!(run(&cluster, name, parameters).await.has_code(codes::ACCESS_DENIED), "{name}");
    }
    assert_eq!(run(&cluster, "list", json!({"path": "//sys"})).await.status, 200);
    cluster.stop_denying("robot", "//home");
    assert_eq!(run(&cluster, "list", json!({"path": "//home"})).await.status, 200);
}

#[tokio::test]
async fn a_mutation_that_is_repeated_must_say_so() {
    let cluster = cluster().await;
    let create = |retry: bool| {
        let parameters = json!({"type": "map_node", "path": "//tmp/m", "mutation_id": "1-2-3-4", "retry": retry});
        send(command(&cluster, "create", &parameters))
    };
    let first = create(false).await;
    assert_eq!(first.status, 200);
    assert_eq!(create(true).await.json(), first.json());
    let unmarked = create(false).await;
    assert_eq!(unmarked.json()["message"], "Duplicate request is not marked as \"retry\"");
    let another = json!({"type": "map_node", "path": "//tmp/m", "mutation_id": "1-2-3-5", "retry": true});
    assert!(run(&cluster, "create", another).await.has_code(codes::ALREADY_EXISTS));
}

#[tokio::test]
async fn permissions_of_operations_go_by_their_list() {
    use taskgate_emulators::ytsaurus::{Operation, Ytsaurus};

    let cluster: Ytsaurus = cluster().await;
    for user in ["alice", "bob", "carol"] {
        cluster.add_user(user, &format!("{user}s-token"));
    }
    cluster.add_group("readers", &["bob"]);
    let acl = super::ask::yson("[{action=allow;subjects=[readers];permissions=[read]}]");
    let id = cluster.add_operation(Operation::new("alice").acl(acl));
    let check = async |user: &str, permission: &str| {
        let parameters = json!({"operation_id": id.to_string(), "user": user, "permission": permission});
        value(&cluster, "check_operation_permission", parameters).await["action"].clone()
    };
    assert_eq!(check("alice", "manage").await, "allow", "the author is in the list");
    assert_eq!(check("bob", "read").await, "allow");
    assert_eq!(check("bob", "manage").await, "deny");
    assert_eq!(check("carol", "read").await, "deny");
    cluster.set_superuser("carol", true);
    assert_eq!(check("carol", "manage").await, "allow");
    cluster.remove_from_group("readers", "bob");
    assert_eq!(check("bob", "read").await, "deny");
    cluster.set_acl(id, super::ask::yson("[{action=allow;subjects=[everyone];permissions=[read]}]"));
    assert_eq!(check("bob", "read").await, "allow");
    let listed = value(&cluster, "list_operations", json!({"attributes": ["runtime_parameters"]})).await;
    let acl = &listed["operations"][0]["runtime_parameters"]["acl"];
    let by_acl =
        value(&cluster, "check_permission_by_acl", json!({"user": "bob", "permission": "read", "acl": acl})).await;
    assert_eq!(by_acl, json!({"action": "allow", "subject_name": "everyone"}));
    let unknown = json!({"operation_id": "1-1-3e8-1", "user": "bob", "permission": "read"});
    assert!(run(&cluster, "check_operation_permission", unknown).await.has_code(codes::NO_SUCH_OPERATION));
    let nobody = json!({"operation_id": id.to_string(), "user": "nobody", "permission": "read"});
    assert_eq!(run(&cluster, "check_operation_permission", nobody).await.status, 400);
}
