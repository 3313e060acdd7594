//! The library: `import yt.wrapper`.

use serde_json::json;
use taskgate_emulators::ytsaurus::{Operation, Ytsaurus};

use super::client::{Client, TOKEN, WIRE, cluster, yson};

#[tokio::test]
async fn a_table_is_written_and_read_as_spyt_does() {
    let cluster = cluster().await;
    for config in WIRE {
        let said = Client::of(&cluster)
            .config(config)
            .python(
                r##"
table = "//sys/task_proxies/services"
yt.remove(table, force=True)
answer(yt.exists(table))
yt.write_table(table, [{"domain": "é", "n": 1, "ok": True, "x": None}, {"domain": "d2", "n": 2}])
answer(yt.exists(table))
answer(list(yt.read_table(table)))
yt.write_table("<append=%true>" + table, [{"domain": "d3"}])
answer([row["domain"] for row in yt.read_table(table)])
answer(list(yt.read_table(yt.TablePath(table, columns=["n"], start_index=1, end_index=2))))
answer(list(yt.read_table(table, format=yt.YsonFormat(format="binary"))) == list(yt.read_table(table)))
answer(yt.row_count(table))
yt.write_table(table, [])
answer(list(yt.read_table(table)))
"##,
            )
            .await;
        let first = json!({"domain": "é", "n": 1, "ok": true, "x": null});
        let expected = [
            json!(false),
            json!(true),
            json!([first, {"domain": "d2", "n": 2}]),
            json!(["é", "d2", "d3"]),
            json!([{"n": 2}]),
            json!(true),
            json!(3),
            json!([]),
        ];
        assert_eq!(said, expected, "{config}");
        assert_eq!(cluster.rows("//sys/task_proxies/services"), Some(vec![]), "{config}");
    }
}

#[tokio::test]
async fn transactions_keep_what_they_do_to_themselves() {
    let cluster = cluster().await;
    for config in WIRE {
        let said = Client::of(&cluster)
            .config(config)
            .python(
                r##"
table = yt.create("table", "//tmp/t", force=True, ignore_existing=False) and "//tmp/t"
outside = yt.YtClient(config=yt.config.config)
with yt.Transaction() as outer:
    yt.write_table(table, [{"a": 1}])
    with yt.Transaction():
        yt.write_table(table, [{"a": 2}])
        answer([list(yt.read_table(table)), list(outside.read_table(table))])
    try:
        outside.write_table(table, [{"a": 3}])
    except yt.YtError as error:
        answer([error.is_concurrent_transaction_lock_conflict(), "winner_transaction" in str(error.simplify())])
    answer(yt.get("#" + outer.transaction_id + "/@type"))
answer(list(outside.read_table(table)))
try:
    with yt.Transaction():
        yt.set(table + "/@note", "x")
        raise RuntimeError("on purpose")
except RuntimeError:
    pass
answer(yt.exists(table + "/@note"))
yt.remove(table)
"##,
            )
            .await;
        let expected =
            [json!([[{"a": 2}], []]), json!([true, true]), json!("transaction"), json!([{"a": 2}]), json!(false)];
        assert_eq!(said, expected, "{config}");
        assert!(cluster.transactions().is_empty(), "{config}");
    }
}

#[tokio::test]
async fn locks_are_taken_refused_and_given_up() {
    let cluster = cluster().await;
    cluster.set("//home/leader", yson("{}")).unwrap();
    for config in WIRE {
        let said = Client::of(&cluster)
            .config(config)
            .python(
                r##"
other = yt.YtClient(config=yt.config.config)
with yt.Transaction(attributes={"title": "the leader"}) as leader:
    lock = yt.lock("//home/leader", mode="exclusive")
    answer([sorted(lock.keys()), yt.get("#" + lock["lock_id"] + "/@state"), yt.get("//home/leader/@lock_count")])
    with other.Transaction():
        try:
            other.lock("//home/leader", mode="exclusive")
        except yt.YtError as error:
            conflict = error.find_matching_error(code=402)
            answer([conflict.attributes["winner_transaction"]["id"] == leader.transaction_id,
                    conflict.attributes["winner_transaction"]["title"]])
        other.lock("//home/leader", mode="snapshot")
    dependent = other.start_transaction(prerequisite_transaction_ids=[leader.transaction_id])
try:
    other.ping_transaction(dependent)
except yt.YtError as error:
    answer(error.is_no_such_transaction())
try:
    other.start_transaction(prerequisite_transaction_ids=[leader.transaction_id])
except yt.YtError as error:
    answer(error.is_prerequisite_check_failed())
with other.Transaction():
    other.lock("//home/leader")
    answer("taken")
"##,
            )
            .await;
        let expected = [
            json!([["lock_id", "node_id", "revision"], "acquired", 1]),
            json!([true, "the leader"]),
            json!(true),
            json!(true),
            json!("taken"),
        ];
        assert_eq!(said, expected, "{config}");
    }
}

#[tokio::test]
async fn a_batch_has_an_answer_for_each_part() {
    let cluster = cluster().await;
    for config in WIRE {
        cluster.reset_calls();
        let said = Client::of(&cluster)
            .config(config)
            .python(
                r##"
ports = "//sys/exec_nodes/{}/orchid/exec_node/job_controller/active_jobs/1-2-384-4/job_ports"
batch = yt.create_batch_client()
parts = [batch.get(ports.format("n1:9012")), batch.get(ports.format("n2:9012")), batch.exists("//sys"),
         batch.list("//sys/exec_nodes"), batch.create("map_node", "//tmp/b", ignore_existing=True)]
batch.commit_batch()
answer([part.is_ok() for part in parts])
answer([part.get_result() for part in parts[:1] + parts[2:4]])
answer(yt.YtResponseError(parts[1].get_error()).is_resolve_error())
"##,
            )
            .await;
        let expected =
            [json!([true, false, true, true, true]), json!([[27001, 27002], true, ["n1:9012"]]), json!(true)];
        assert_eq!(said, expected, "{config}");
        assert_eq!((cluster.count("execute_batch"), cluster.count("execute_batch/get")), (1, 2), "{config}");
    }
}

#[tokio::test]
async fn operations_are_paged_and_filtered() {
    let cluster = Ytsaurus::start().await.unwrap();
    cluster.add_user("alice", TOKEN);
    for index in 0..7 {
        let annotations = yson(if index % 2 == 0 { "{task_proxy={}}" } else { "{}" });
        cluster.add_operation(Operation::new("alice").title(&format!("number {index}")).annotations(annotations));
    }
    for config in WIRE {
        let said = Client::of(&cluster)
            .config(config)
            .python(
                r##"
titles = lambda listing: [operation["brief_spec"]["title"][-1] for operation in listing["operations"]]
listing = yt.list_operations(state="running", limit=3, include_counters=False)
answer([titles(listing), bool(listing["incomplete"]), "user_counts" in listing])
cursor = listing["operations"][-1]["start_time"]
answer(titles(yt.list_operations(limit=3, cursor_time=cursor, cursor_direction="past")))
answer(titles(yt.list_operations(limit=2, cursor_time=cursor, cursor_direction="future")))
answer([titles(yt.list_operations(filter="TASK_proxy")), titles(yt.list_operations(filter="number 5"))])
answer(len(list(yt.iterate_operations(limit_per_request=2, include_archive=False))))
asked = yt.list_operations(limit=1, attributes=["state"])["operations"][0]
answer(sorted(asked.keys()))
for wrong in [dict(limit=1001), dict(attributes=["nonsense"])]:
    try:
        yt.list_operations(**wrong)
    except yt.YtError as error:
        answer([error.contains_code(1920), "limit (1000)" in str(error)])
"##,
            )
            .await;
        let expected = [
            json!([["6", "5", "4"], true, false]),
            json!(["3", "2", "1"]),
            json!(["6", "5"]),
            json!([["6", "4", "2", "0"], ["5"]]),
            json!(7),
            json!(["id", "start_time", "state"]),
            json!([false, true]),
            json!([true, false]),
        ];
        assert_eq!(said, expected, "{config}");
    }
}
