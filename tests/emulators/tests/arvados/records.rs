//! The API of records, as the real client uses it.

use serde_json::json;
use taskgate_emulators::arvados::{Arvados, Level, Submission};

use super::client::python;

#[tokio::test]
async fn the_client_lists_all_pages_however_short() {
    let cluster = Arvados::start().await.unwrap();
    let alice = cluster.add_user("alice");
    let token = cluster.add_token(&alice);
    let ports = json!({"8080": {"access": "private", "label": "web", "initial_path": ""}});
    for _ in 0..7 {
        let _ = cluster.start_service(Submission::new(&alice).ports(ports.clone()));
    }
    let (queued, _) = cluster.submit(Submission::new(&alice));
    cluster.set_page(3);
    let said = python(
        &cluster,
        &token,
        r#"
filters = [["state", "=", "Committed"], ["container.state", "=", "Running"], ["priority", ">", 0]]
found = list(util.keyset_list_all(arv.container_requests().list, filters=filters, select=["uuid", "published_ports"]))
answer([len(found), len({one["uuid"] for one in found}), found[0]["published_ports"]["8080"]["label"]])
everything = list(util.keyset_list_all(arv.container_requests().list))
answer(everything[-1]["uuid"])
names = ["zzzzz-dz642-%015d" % number for number in range(200)]
long = arv.containers().list(filters=[["uuid", "in", names], ["state", "=", "Running"]], count="none").execute()
answer([len(long["items"]), "items_available" in long, long["items"][0]["kind"]])
exists = arv.container_requests().list(filters=[["published_ports", "exists", "8080"]], limit=1).execute()
answer([len(exists["items"]), exists["items_available"]])
"#,
    )
    .await;
    let container = json!([3, false, "arvados#container"]);
    assert_eq!(said, [json!([7, 7, "web"]), json!(queued), container, json!([1, 7])]);
    // A long request came as a form, and says what it means.
    let calls = cluster.seen("/arvados/v1/containers");
    assert!(calls.iter().any(|call| call.headers.contains_key("x-http-method-override")));
}

#[tokio::test]
async fn the_client_changes_records_as_whoever_it_is() {
    let cluster = Arvados::start().await.unwrap();
    let (alice, bob) = (cluster.add_user("alice"), cluster.add_user("bob"));
    let (token, bobs) = (cluster.add_token(&alice), cluster.add_token(&bob));
    let (request, container) = cluster.start_service(Submission::new(&alice));
    let _ = cluster.share(&bob, &request, Level::Write);
    let script = format!(
        r#"
answer(arv.users().current().execute()["username"])
link = arv.links().create(body={{"link": {{"link_class": "published_port", "name": "ollama",
    "head_uuid": "{request}", "properties": {{"port": 8080}}}}}}).execute()
answer([link["owner_uuid"], link["properties"]["port"]])
bob = client("{bobs}")
changed = bob.container_requests().update(uuid="{request}", body={{"container_request": {{"name": "bobs"}}}}).execute()
answer(changed["modified_by_user_uuid"])
answer(status(bob.container_requests().update(uuid="{request}",
    body={{"container_request": {{"published_ports": {{}}}}}}))[0])
answer(bob.containers().get(uuid="{container}").execute()["state"])
answer(list(util.iter_computed_permissions(client("{admin}").computed_permissions().list,
    filters=[["user_uuid", "=", "{bob}"], ["target_uuid", "in", ["{request}"]]]))[0]["perm_level"])
"#,
        admin = cluster.add_token(&cluster.system_user()),
    );
    let said = python(&cluster, &token, &script).await;
    let expected = [json!("alice"), json!([alice, 8080]), json!(bob), json!(422), json!("Running"), json!("can_write")];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn refusals_are_those_of_the_api() {
    let cluster = Arvados::start().await.unwrap();
    let (alice, bob) = (cluster.add_user("alice"), cluster.add_user("bob"));
    let (token, bobs) = (cluster.add_token(&alice), cluster.add_token(&bob));
    let scoped = cluster.add_scoped_token(&alice, &["GET /arvados/v1/users/current"]);
    let (request, _) = cluster.start_service(Submission::new(&alice));
    let said = python(
        &cluster,
        &token,
        &format!(
            r#"
bob, scoped = client("{bobs}"), client("{scoped}")
answer(status(bob.container_requests().get(uuid="{request}"))[0])
answer(status(bob.permissions().get(uuid="{request}"))[0])
answer(status(scoped.container_requests().get(uuid="{request}"))[0])
answer(scoped.api_client_authorizations().current().execute()["owner_uuid"] == "{alice}")
answer(status(arv.computed_permissions().list(count="none"))[0])
answer(status(arv.permissions().get(uuid="{request}")))
answer(status(arv.container_requests().list(filters=[["nonsense", "=", 1]]))[0])
answer(status(arv.container_requests().get(uuid="{request}", select=["can_write"]))[0])
try:
    client("v2/zzzzz-gj3su-000000000000099/nonsense").users().current().execute()
except errors.ApiError as error:
    answer([error.resp.status, "Not logged in" in str(error)])
answer(status(arv.container_requests().create(body={{"container_request": {{"service": True}}}}))[0])
"#
        ),
    )
    .await;
    let expected = [
        json!(404),
        json!(404),
        json!(403),
        json!(true),
        json!(403),
        json!(200),
        json!(422),
        json!(422),
        json!([401, true]),
        json!(422),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn what_the_anonymous_group_may_read_everybody_may() {
    let cluster = Arvados::start().await.unwrap();
    let (alice, bob) = (cluster.add_user("alice"), cluster.add_user("bob"));
    let project = cluster.add_group(&alice, "project");
    let (request, _) = cluster.start_service(Submission::new(&alice).owner(&project));
    let script = format!(r#"answer(status(arv.container_requests().get(uuid="{request}")) == 200)"#);
    let bobs = cluster.add_token(&bob);
    assert_eq!(python(&cluster, &bobs, &script).await, [json!(false)]);
    let _ = cluster.share(&cluster.anonymous_group(), &project, Level::Read);
    assert_eq!(python(&cluster, &bobs, &script).await, [json!(true)]);
    let anonymous = cluster.add_token(&cluster.anonymous_user());
    assert_eq!(python(&cluster, &anonymous, &script).await, [json!(true)]);
}
