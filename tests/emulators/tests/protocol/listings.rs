//! Operations, jobs, and what nodes say about jobs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{Guid, Job, NodeOutage, Operation, Ytsaurus, codes};

use super::ask::{cluster, run, value, yson};

fn ids(listing: &Value) -> Vec<String> {
    listing["operations"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn orchid(address: &str, job: Guid) -> Value {
    json!({"path": format!("//sys/exec_nodes/{address}/orchid/exec_node/job_controller/active_jobs/{job}/job_ports")})
}

async fn with_job(job: Job) -> (Ytsaurus, Guid, Guid) {
    let cluster = cluster().await;
    let operation = cluster.add_operation(Operation::new("robot"));
    let job = cluster.add_job(operation, job);
    (cluster, operation, job)
}

#[tokio::test]
async fn the_newest_come_first_and_no_more_than_allowed() {
    let cluster = cluster().await;
    let mut added: Vec<String> = (0..120).map(|_| cluster.add_operation(Operation::new("robot")).to_string()).collect();
    added.reverse();
    let listing = value(&cluster, "list_operations", json!({})).await;
    assert_eq!(ids(&listing), added[..100]);
    assert_eq!((&listing["incomplete"], &listing["state_counts"]), (&json!(true), &json!({"running": 120})));
    let listing = value(&cluster, "list_operations", json!({"limit": 1000, "include_counters": false})).await;
    assert_eq!(
        (ids(&listing).len(), &listing["incomplete"], &listing["state_counts"]),
        (120, &json!(false), &Value::Null)
    );
    let refused = run(&cluster, "list_operations", json!({"limit": 1001})).await;
    assert_eq!(refused.json()["message"], "Requested result limit (1001) exceeds maximum allowed limit (1000)");
}

#[tokio::test]
async fn what_started_at_the_cursor_is_there_or_not_as_the_cluster_is() {
    let cluster = cluster().await;
    let moment = |second: i64| 1_700_000_000_000_000 + second * 1_000_000;
    for second in [1, 2, 2, 2, 3] {
        cluster.add_operation(Operation::new("robot").started_micros(moment(second)));
    }
    let page = async |cursor: Option<&str>| {
        let parameters = json!({"limit": 2, "cursor_time": cursor, "cursor_direction": "past"});
        value(&cluster, "list_operations", parameters).await
    };
    let first = page(None).await;
    let cursor = first["operations"][1]["start_time"].as_str().unwrap().to_owned();
    assert_eq!(cursor, "2023-11-14T22:13:22.000000Z");
    let beyond = page(Some(&cursor)).await;
    assert_eq!((ids(&beyond).len(), &beyond["incomplete"]), (1, &json!(false)), "two of the same moment are skipped");
    cluster.set_cursor_inclusive(true);
    let beyond = page(Some(&cursor)).await;
    assert_eq!((ids(&beyond).len(), &beyond["incomplete"]), (2, &json!(true)));
    assert!(ids(&beyond).contains(&ids(&first)[1]), "the last one comes again");
    // A microsecond later than the cursor nothing is skipped, whatever the cluster is like.
    cluster.set_cursor_inclusive(false);
    let later = page(Some("2023-11-14T22:13:22.000001Z")).await;
    assert_eq!(later["operations"][0]["start_time"], cursor.as_str());
}

#[tokio::test]
async fn filters_hold_together() {
    let cluster = cluster().await;
    let by = |operation: Operation| cluster.add_operation(operation).to_string();
    let running = by(Operation::new("alice").annotations(yson("{task_proxy={x=1}}")));
    let map = by(Operation::new("alice").kind("map"));
    let reviving = by(Operation::new("bob").state("reviving"));
    let done = by(Operation::new("bob").title("Nightly"));
    cluster.finish_operation(done.parse().unwrap());
    let list = async |parameters: Value| {
        let listed = ids(&value(&cluster, "list_operations", parameters).await);
        listed.into_iter().collect::<BTreeSet<_>>()
    };
    let set = |ids: &[&String]| ids.iter().map(|id| (*id).clone()).collect::<BTreeSet<_>>();
    assert_eq!(list(json!({"state": "running"})).await, set(&[&running, &map, &reviving]));
    assert_eq!(list(json!({"state": "completed"})).await, set(&[&done]));
    assert_eq!(list(json!({"type": "map"})).await, set(&[&map]));
    assert_eq!(list(json!({"user": "bob"})).await, set(&[&reviving, &done]));
    assert_eq!(list(json!({"filter": "TASK_PROXY"})).await, set(&[&running]));
    assert_eq!(list(json!({"filter": "nightly", "user": "alice"})).await, set(&[]));
    let access = json!({"access": {"subject": "bob", "permissions": ["read"]}});
    assert_eq!(list(access).await, set(&[&reviving, &done]));
    cluster.remove_operation(map.parse().unwrap());
    assert_eq!(list(json!({})).await.len(), 3);
}

#[tokio::test]
async fn one_operation_can_poison_a_listing_in_json() {
    let cluster = cluster().await;
    cluster.add_operation(Operation::new("alice").title("fine"));
    let poisoned = cluster.add_operation(Operation::new("mallory").annotations(yson("{x=%nan}")));
    let list = |format: Value| run(&cluster, "list_operations", json!({"output_format": format}));
    let json = |attributes: Value| json!({"$value": "json", "$attributes": attributes});
    assert_eq!(list(json!("json")).await.status, 400);
    assert_eq!(list(json(json!({"stringify_nan_and_infinity": true}))).await.status, 200);
    assert_eq!(list(json!("yson")).await.status, 200);
    cluster.set_annotations(poisoned, Yson::map([("x", b"\xff".as_slice())]));
    assert_eq!(list(json!("json")).await.status, 200);
    assert_eq!(list(json(json!({"encode_utf8": false}))).await.status, 400);
    cluster.set_annotations(poisoned, yson("<a=1>{x=<b=2>%true}"));
    let shaped = list(json!("json")).await.json()["operations"][0]["runtime_parameters"]["annotations"].clone();
    assert_eq!(shaped["$value"]["x"]["$value"], true);
    let plain = list(json(json!({"attributes_mode": "never"}))).await.json();
    assert_eq!(plain["operations"][0]["runtime_parameters"]["annotations"], json!({"x": true}));
}

#[tokio::test]
async fn many_jobs_come_in_pages() {
    let cluster = cluster().await;
    let operation = cluster.add_operation(Operation::new("robot"));
    for index in 0..2500_u16 {
        cluster.add_job(operation, Job::new(if index % 2 == 0 { "even" } else { "odd" }).ports([index]));
    }
    let mut seen = BTreeSet::new();
    let mut token = Value::Null;
    for expected in [1000, 1000, 500] {
        let parameters = json!({"operation_id": operation.to_string(), "continuation_token": token});
        let page = value(&cluster, "list_jobs", parameters).await;
        let jobs = page["jobs"].as_array().unwrap();
        assert_eq!(jobs.len(), expected);
        seen.extend(jobs.iter().map(|job| job["id"].as_str().unwrap().to_owned()));
        token = page["continuation_token"].clone();
    }
    assert_eq!((seen.len(), token), (2500, Value::Null));
    let parameters = json!({"operation_id": operation.to_string(), "task_name": "odd", "offset": 1200, "limit": 100});
    let page = value(&cluster, "list_jobs", parameters).await;
    assert_eq!((page["jobs"].as_array().unwrap().len(), &page["scheduler_job_count"]), (50, &json!(2500)));
}

#[tokio::test]
async fn jobs_are_named_by_operation_or_alias() {
    let cluster = cluster().await;
    let operation = cluster.add_operation(Operation::new("robot").alias("*web"));
    cluster.add_job(operation, Job::new("ui").cookie(7).without("start_time").field("x", yson("[1]")));
    let jobs = value(&cluster, "list_jobs", json!({"operation_alias": "*web"})).await;
    let job = &jobs["jobs"][0];
    assert_eq!((&job["job_cookie"], &job["start_time"], &job["x"]), (&json!(7), &Value::Null, &json!([1])));
    let unknown = run(&cluster, "list_jobs", json!({"operation_id": "1-1-3e8-1"})).await;
    assert!(unknown.has_code(codes::NO_SUCH_OPERATION));
    assert_ne!(unknown.json()["code"], codes::NO_SUCH_OPERATION, "it is nested");
}

#[tokio::test]
async fn nodes_know_the_ports_of_their_jobs() {
    let (cluster, _, job) = with_job(Job::new("ui").address("n1:9012").ports([27001, 27002])).await;
    assert_eq!(value(&cluster, "get", orchid("n1:9012", job)).await, json!({"value": [27001, 27002]}));
    assert!(run(&cluster, "get", orchid("n2:9012", job)).await.has_code(codes::RESOLVE));
    cluster.move_job(job, "n2:9012");
    assert!(run(&cluster, "get", orchid("n1:9012", job)).await.has_code(codes::RESOLVE));
    cluster.set_ports(job, yson("[1;x]"));
    assert_eq!(value(&cluster, "get", orchid("n2:9012", job)).await, json!({"value": [1, "x"]}));
    cluster.set_node_offline("n2:9012", NodeOutage::Unreachable);
    let unreachable = run(&cluster, "get", orchid("n2:9012", job)).await;
    assert!(unreachable.has_code(codes::UNAVAILABLE) && !unreachable.has_code(codes::RESOLVE));
    cluster.set_node_offline("n2:9012", NodeOutage::Gone);
    assert!(run(&cluster, "get", orchid("n2:9012", job)).await.has_code(codes::RESOLVE));
    cluster.set_node_online("n2:9012");
    assert_eq!(run(&cluster, "get", orchid("n2:9012", job)).await.status, 200);
    assert_eq!(value(&cluster, "list", json!({"path": "//sys/exec_nodes"})).await, json!({"value": ["n2:9012"]}));
    cluster.remove_job(job);
    assert!(run(&cluster, "get", orchid("n2:9012", job)).await.has_code(codes::RESOLVE));
}

#[tokio::test]
async fn listings_and_nodes_disagree_where_they_do_in_life() {
    let (cluster, operation, job) = with_job(Job::new("ui").address("n1:9012").ports([1])).await;
    let listed = async |state: Value| {
        let parameters = json!({"operation_id": operation.to_string(), "state": state});
        value(&cluster, "list_jobs", parameters).await["jobs"].clone()
    };
    cluster.set_job_active(job, false);
    assert_eq!(listed(json!("running")).await[0]["is_stale"], false);
    assert!(run(&cluster, "get", orchid("n1:9012", job)).await.has_code(codes::RESOLVE));
    cluster.mark_stale(job);
    let stale = listed(json!("running")).await;
    assert_eq!((&stale[0]["is_stale"], &stale[0]["controller_state"]), (&json!(true), &Value::Null));
    cluster.finish_job(job, "failed");
    assert_eq!(listed(json!("running")).await, json!([]));
    assert_eq!(listed(json!("failed")).await[0]["state"], "failed");
}
