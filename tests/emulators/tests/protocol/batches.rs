//! `execute_batch`.

use serde_json::{Value, json};
use taskgate_emulators::ytsaurus::{ClusterError, Fault, codes};

use super::ask::{cluster, run, value};

fn part(command: &str, parameters: &Value) -> Value {
    json!({"command": command, "parameters": parameters})
}

#[tokio::test]
async fn each_part_has_its_answer() {
    let cluster = cluster().await;
    let requests = json!([
        part("exists", &json!({"path": "//sys"})),
        part("get", &json!({"path": "//missing"})),
        part("get", &json!({"path": "//sys", "return_only_value": true})),
        {"command": "set", "parameters": {"path": "//home/x"}, "input": [1, 2]},
    ]);
    let results = value(&cluster, "execute_batch", json!({"requests": requests, "concurrency": 2})).await;
    assert_eq!(results["results"][0], json!({"output": {"value": true}}));
    assert_eq!(results["results"][1]["error"]["code"], codes::RESOLVE);
    assert_eq!(results["results"][2], json!({"output": {}}));
    assert_eq!(results["results"][3], json!({"output": {}}));
    assert_eq!(cluster.get("//home/x").unwrap().to_string(), "[1;2;]");
    assert_eq!((cluster.count("execute_batch"), cluster.count("execute_batch/get")), (1, 2));
}

#[tokio::test]
async fn a_part_that_is_no_command_fails_the_batch_after_the_others_ran() {
    let cluster = cluster().await;
    let create = |path: &str| part("create", &json!({"type": "map_node", "path": path}));
    for (index, unfit) in ["frobnicate", "read_table"].into_iter().enumerate() {
        let (before, after) = (format!("//tmp/b{index}"), format!("//tmp/a{index}"));
        let requests = json!([create(&before), part(unfit, &json!({"path": "//tmp"})), create(&after)]);
        let reply = run(&cluster, "execute_batch", json!({"requests": requests})).await;
        assert_eq!(reply.status, 400, "{unfit}");
        assert!(cluster.get(&before).is_some() && cluster.get(&after).is_some());
    }
    for malformed in
        [json!({}), json!({"requests": 1}), json!({"requests": [{}]}), json!({"requests": [], "concurrency": 0})]
    {
        assert_eq!(run(&cluster, "execute_batch", malformed).await.status, 400);
    }
}

#[tokio::test]
async fn parts_can_be_refused_one_by_one() {
    let cluster = cluster().await;
    let error = ClusterError::new(codes::TIMEOUT, "too slow");
    cluster.fail("execute_batch/get", 1, Fault::Refuse { status: 400, error });
    let requests = json!([part("get", &json!({"path": "//sys"})), part("get", &json!({"path": "//sys"}))]);
    let results = value(&cluster, "execute_batch", json!({"requests": requests})).await;
    assert_eq!(results["results"][0]["error"]["code"], codes::TIMEOUT);
    assert_eq!(results["results"][1]["output"], json!({"value": {}}));
}

#[tokio::test]
async fn a_repeated_batch_is_done_once() {
    let cluster = cluster().await;
    let create = |path: &str| part("create", &json!({"type": "map_node", "path": path}));
    let batch = |retry: bool| json!({"requests": [create("//tmp/a"), create("//tmp/b")], "mutation_id": "1-2-3-4", "retry": retry});
    let first = value(&cluster, "execute_batch", batch(false)).await;
    assert_eq!(value(&cluster, "execute_batch", batch(true)).await, first);
}
