//! Operations whose users wrote what nobody expects: each costs itself alone.

use std::collections::BTreeMap;

use taskgate::discovery::inventory::Inventory;
use taskgate_emulators::yson::{Yson, YsonMap};
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Guid, Job, Operation, Ytsaurus, codes};

use crate::ytsaurus::support::{cluster, discovery, guid, reasons, services, yson};

/// When operations start, microseconds since 1970.
const START: i64 = 1_767_225_600_000_000;
const SHORT: &str = "{task_proxy={enabled=%true}}";
const SERVICE: &str = "web/port_0: 10.0.0.1:27001";

fn numbered(number: i64) -> Operation {
    Operation::new("alice").id(guid(&format!("{number:x}-1-3e8-1"))).started_micros(START + number)
}

/// Starts an operation with a job that has a port.
fn run(cluster: &Ytsaurus, operation: Operation) -> Guid {
    let id = cluster.add_operation(operation);
    cluster.add_job(id, Job::new("web").address("10.0.0.1:9012").ports([27001]));
    id
}

/// What discovery sees with these operations among three that are as they should be, which it sees in any
/// case.
async fn among_others(cluster: &Ytsaurus, operations: Vec<Operation>) -> Inventory {
    let others: Vec<Guid> =
        [1, 500, 9_999].map(|number| run(cluster, numbered(number).annotations(yson(SHORT)))).into();
    for operation in operations {
        run(cluster, operation);
    }
    let inventory = discovery(cluster, "").round().await.expect("a round");
    for other in others {
        assert_eq!(services(&inventory, other), [SERVICE], "{:?}", inventory.problems);
        assert_eq!(reasons(&inventory, other), "");
    }
    inventory
}

/// An annotation beside the short form.
fn beside(value: Yson) -> Yson {
    Yson::map([("task_proxy", yson("{enabled=%true}")), ("more", value)])
}

#[tokio::test]
async fn values_that_json_does_not_have_cost_nobody_anything() {
    let cluster = cluster().await;
    let values = [
        yson("[%nan; %inf; %-inf; {a=%nan}]"),
        Yson::from(&b"\xff\xfe\x00"[..]),
        yson("{\"\\xff\"=1; \"$value\"=2; \"$attributes\"={a=1}; \"$type\"=int64; \"$$\"=3; \"\"=#}"),
        yson("<a=1; \"$value\"=%nan>{a=<b=2>[<c=3>#]}"),
        yson("18446744073709551615u"),
        yson("[1.7976931348623157e308; -0.0; 5e-324]"),
    ];
    let numbers: Vec<i64> = (10..).take(values.len()).collect();
    let operations =
        numbers.iter().zip(values).map(|(number, value)| numbered(*number).annotations(beside(value))).collect();
    let inventory = among_others(&cluster, operations).await;
    for number in numbers {
        assert_eq!(services(&inventory, guid(&format!("{number:x}-1-3e8-1"))), [SERVICE], "{number}");
    }
}

#[tokio::test]
async fn attributes_change_nothing() {
    let cluster = cluster().await;
    let annotations = "<a=1>{task_proxy=<a=<b=2>1>{enabled=<a=%nan>%true; \
         tasks_info=<a=1>{web=<a=1>{ui=<a=1>{protocol=<a=1>http; port_index=<a=1>0}}}}}";
    let inventory = among_others(&cluster, vec![numbered(10).annotations(yson(annotations))]).await;
    assert_eq!(services(&inventory, guid("a-1-3e8-1")), ["web/ui: 10.0.0.1:27001"]);
}

#[tokio::test]
async fn wrong_types_cost_themselves_alone() {
    let cluster = cluster().await;
    let wrong = ["7", "%true", "#", "text", "[1;2]", "{}", "\"\\xff\"", "%nan", "-1", "{a={b={c=[]}}}"];
    let shapes: [fn(Yson) -> Yson; 6] = [
        |value| value,
        |value| Yson::map([("task_proxy", value)]),
        |value| Yson::map([("task_proxy", Yson::map([("enabled", value)]))]),
        |value| Yson::map([("task_proxy", Yson::map([("enabled", Yson::from(true)), ("tasks_info", value)]))]),
        |value| Yson::map([("is_spark", Yson::from(true)), ("description", value)]),
        |value| Yson::map([("description", Yson::map([("Web UI", value)])), ("is_spark", "True".into())]),
    ];
    let annotations = wrong.iter().flat_map(|value| shapes.iter().map(move |shape| shape(yson(value))));
    let operations = (10..).zip(annotations).map(|(number, value)| numbered(number).annotations(value)).collect();
    let _ = among_others(&cluster, operations).await;
}

#[tokio::test]
async fn what_the_cluster_itself_gets_wrong_costs_its_operation_alone() {
    let cluster = cluster().await;
    let wrong = ["7", "#", "text", "[1;2]", "\"\\xff\"", "%nan"].map(yson);
    let fields = ["authenticated_user", "start_time", "brief_spec", "runtime_parameters", "type"];
    let mut operations = Vec::new();
    for (number, (field, value)) in
        fields.iter().flat_map(|field| wrong.iter().map(move |value| (field, value))).enumerate()
    {
        let number = 10 + i64::try_from(number).expect("few");
        operations.push(numbered(number).annotations(yson(SHORT)).field(field, value.clone()));
    }
    let inventory = among_others(&cluster, operations).await;
    // When it started is no matter of its services.
    let without_time = guid(&format!("{:x}-1-3e8-1", 10 + 6));
    assert_eq!(services(&inventory, without_time), [SERVICE]);
    assert!(reasons(&inventory, without_time).contains("no time"), "{}", reasons(&inventory, without_time));
}

#[tokio::test]
async fn keys_that_json_keeps_for_itself_are_names_like_others() {
    let cluster = cluster().await;
    let service = |name: &str| format!("\"{name}\"={{protocol=http; port_index=0}}");
    let names = ["$value", "$attributes", "$type", "$$", "$", "ui"].map(service).join(";");
    let annotations =
        format!("{{task_proxy={{enabled=%true; tasks_info={{\"$value\"={{{names}}}; web={{{names}}}}}}}}}");
    let whole =
        "{task_proxy={\"$value\"={enabled=%true}; \"$attributes\"={}}; \"$value\"={task_proxy={enabled=%true}}}";
    let operations = vec![numbered(10).annotations(yson(&annotations)), numbered(11).annotations(yson(whole))];
    let inventory = among_others(&cluster, operations).await;
    let expected = ["$", "$$", "$attributes", "$type", "$value", "ui"];
    let mut lines: Vec<String> = expected.iter().map(|name| format!("$value/{name}:")).collect();
    lines.extend(expected.iter().map(|name| format!("web/{name}: 10.0.0.1:27001")));
    lines.sort();
    assert_eq!(services(&inventory, guid("a-1-3e8-1")), lines);
    assert_eq!(services(&inventory, guid("b-1-3e8-1")), [] as [String; 0]);
}

#[tokio::test]
async fn a_value_of_any_depth_costs_its_operation_alone() {
    let cluster = cluster().await;
    let depths = [100, 200, 5_000];
    let operations = depths.iter().map(|depth| {
        let value = (0..*depth).fold(Yson::entity(), |inner, _| Yson::from(vec![inner]));
        numbered(*depth).annotations(beside(value))
    });
    let inventory = among_others(&cluster, operations.collect()).await;
    assert_eq!(services(&inventory, guid("64-1-3e8-1")), [SERVICE]);
    for deep in ["c8-1-3e8-1", "1388-1-3e8-1"].map(guid) {
        assert_eq!(services(&inventory, deep), [] as [String; 0]);
        assert!(reasons(&inventory, deep).contains("can't be read"), "{}", reasons(&inventory, deep));
    }
}

fn large(megabytes: usize) -> Yson {
    Yson::from(vec![b'a'; megabytes << 20].as_slice())
}

#[tokio::test]
async fn what_is_too_large_is_left_out_and_all_beside_it_stays() {
    let cluster = cluster().await;
    // All started in the same microsecond: no page can begin between them.
    let same = |number: i64| numbered(number).started_micros(START + 100);
    let mut operations: Vec<Operation> = (10..20).map(|number| same(number).annotations(yson(SHORT))).collect();
    operations.push(same(20).annotations(beside(large(65))));
    operations.extend((21..30).map(|number| same(number).annotations(yson(SHORT))));
    let inventory = among_others(&cluster, operations).await;
    for number in (10..30).filter(|number| *number != 20) {
        assert_eq!(services(&inventory, guid(&format!("{number:x}-1-3e8-1"))), [SERVICE], "{number}");
    }
    let spoiled = guid("14-1-3e8-1");
    assert_eq!(services(&inventory, spoiled), [] as [String; 0]);
    assert!(reasons(&inventory, spoiled).contains("too large"), "{:?}", inventory.problems);
    // The page that is spoiled, and what the cluster itself says of its operations.
    assert_eq!(cluster.count("list_operations"), 2);
}

#[tokio::test]
async fn one_that_can_t_be_had_alone_costs_no_other_and_what_passes_costs_nothing() {
    let cluster = cluster().await;
    let others: Vec<Guid> = (1..4).map(|number| run(&cluster, numbered(number).annotations(yson(SHORT)))).collect();
    let mut discovery = discovery(&cluster, ", operations_secs: 1");
    discovery.round().await.expect("a round");
    run(&cluster, numbered(9).annotations(beside(large(65))));
    for (code, expected) in [(codes::UNAVAILABLE, 3), (codes::ACCESS_DENIED, 2)] {
        let refused = Fault::Refuse { status: 400, error: ClusterError::new(code, "no") };
        // That of the large one, and of the one after it.
        cluster.fail("execute_batch/get_operation", 2, refused);
        let listed = cluster.count("list_operations");
        let mut inventory = discovery.round().await.expect("a round");
        while cluster.count("list_operations") == listed {
            inventory = discovery.round().await.expect("a round");
        }
        let seen = others.iter().filter(|id| services(&inventory, **id) == [SERVICE]).count();
        assert_eq!(seen, expected, "{code}: {:?}", inventory.problems);
        cluster.clear_faults();
    }
}

#[tokio::test]
async fn many_that_are_too_large_together_are_all_seen() {
    let cluster = cluster().await;
    let operations = (10..16).map(|number| numbered(number).annotations(beside(large(11)))).collect();
    let inventory = among_others(&cluster, operations).await;
    assert_eq!(inventory.services.len(), 9);
    assert_eq!(inventory.problems, []);
}

#[tokio::test]
async fn nobody_fills_the_list_of_problems_alone() {
    let cluster = cluster().await;
    let services: YsonMap =
        (0..3_000).map(|number| (format!("s{number}").into_bytes(), Yson::from("no map"))).collect();
    let annotations = Yson::map([(
        "task_proxy",
        Yson::map([("enabled", Yson::from(true)), ("tasks_info", Yson::map([("web", Yson::from(services))]))]),
    )]);
    let inventory = among_others(&cluster, vec![numbered(10).annotations(annotations)]).await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for problem in &inventory.problems {
        *counts.entry(&problem.subject).or_default() += 1;
    }
    assert!(counts.values().all(|count| (2..30).contains(count)), "{counts:?}");
    let reasons = reasons(&inventory, guid("a-1-3e8-1"));
    assert!(reasons.contains("more"), "{reasons}");
}
