//! SPYT: drivers and clusters, found where their users wrote that they are.

mod forged;

use taskgate::discovery::inventory::Inventory;
use taskgate::ytsaurus::discovery::Discovery;
use taskgate_core::service::Protocol;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{ClusterError, Fault, Guid, Job, Operation, Ytsaurus, codes};

use crate::ytsaurus::support::{cluster, discovery, entries, reasons, services, yson};

const PATH: &str = "//home/user/spark é";

/// A job of that task on the node with that number.
fn job(task: &str, node: u8) -> Job {
    Job::new(task).address(&format!("10.0.0.{node}:9012"))
}

/// Starts a driver on the node with that number, whose interface is said to be there.
fn drive(cluster: &Ytsaurus, title: &str, node: u8, annotations: &str) -> Guid {
    let id = cluster.add_operation(Operation::new("alice").title(title).annotations(yson(annotations)));
    cluster.add_job(id, job("driver", node));
    id
}

fn web_ui(url: &str) -> String {
    format!("{{description={{\"Web UI\"={}}}}}", Yson::from(url))
}

/// What a standalone cluster says of itself.
fn standalone(path: &str, more: &str) -> String {
    format!(
        "{{is_spark=%true; solomon_resolver_tag=spark; description={{\"Spark over YT\"={{cluster_version=\"2.6\"; \
         discovery_path={}}}}}{more}}}",
        Yson::from(path)
    )
}

/// Starts a standalone cluster with these annotations: its master on the first node, its history server on
/// the second, a worker on the third.
fn start(cluster: &Ytsaurus, annotations: &str) -> Guid {
    let id = cluster.add_operation(Operation::new("alice").title("alice").annotations(yson(annotations)));
    cluster.add_job(id, job("master", 1).ports([27000, 27001, 27002]));
    cluster.add_job(id, job("history", 2).ports([27000]));
    cluster.add_job(id, job("worker", 3));
    id
}

/// Its parts write where they are.
fn write(cluster: &Ytsaurus, path: &str, id: Guid, names: &[(&str, &str)]) {
    for (directory, name) in names.iter().copied().chain([("operation", id.to_string().as_str())]) {
        let name: String =
            name.chars().flat_map(|one| "\\/@&*[{".contains(one).then_some('\\').into_iter().chain([one])).collect();
        cluster.set(&format!("{path}/discovery/{directory}/{name}"), yson("{}")).expect("is set");
    }
}

const WRITTEN: [(&str, &str); 6] = [
    ("webui", "10.0.0.1:27101"),
    ("rest", "10.0.0.1:27102"),
    ("shs", "10.0.0.2:27101"),
    ("spark_address", "10.0.0.1:27100"),
    ("master_jobs", "10.0.0.1:27103"),
    ("children_operations", "1-2-3-4"),
];
const SERVICES: [&str; 3] = ["history/ui: 10.0.0.2:27101", "master/rest: 10.0.0.1:27102", "master/ui: 10.0.0.1:27101"];

async fn look(discovery: &mut Discovery) -> Inventory {
    discovery.round().await.expect("a round")
}

#[tokio::test]
async fn drivers_are_where_they_say() {
    let cluster = cluster().await;
    let metrics = "{description={\"Web UI\"=\"http://10.0.0.4:27001\"}; is_spark=\"True\"; \
         solomon_resolver_tag=spark; solomon_resolver_ports=\"27100,27101\"}";
    let connect = "{description={\"Web UI\"=\"http://10.0.0.5:27001\"; spark_connect_endpoint=\"10.0.0.5:27080\"}}";
    let drivers = [
        (drive(&cluster, "Spark driver for app1", 1, &web_ui("http://10.0.0.1:27001")), "10.0.0.1:27001"),
        (
            drive(&cluster, "Spark connect driver for alice", 2, &web_ui("http://10.0.0.2:27016/jobs/")),
            "10.0.0.2:27016",
        ),
        (drive(&cluster, "Spark driver for é", 3, &web_ui("10.0.0.3:4040")), "10.0.0.3:4040"),
        (drive(&cluster, "renamed", 4, metrics), "10.0.0.4:27001"),
        (drive(&cluster, "renamed", 5, connect), "10.0.0.5:27001"),
    ];
    // By name, as clusters have it.
    let named = cluster.add_operation(
        Operation::new("alice").title("Spark driver for x").annotations(yson(&web_ui("http://LOCALHOST.:27001"))),
    );
    cluster.add_job(named, Job::new("driver").address("localhost:9012"));
    let executors = drive(&cluster, "Spark executor for app1", 1, "{is_spark=\"True\"}");
    let page = drive(&cluster, "my pages", 1, &web_ui("http://10.0.0.1:27001"));
    let inventory = look(&mut discovery(&cluster, "")).await;
    for (driver, address) in drivers {
        assert_eq!(services(&inventory, driver), [format!("driver/ui: {address}")]);
        let entry = entries(&inventory, driver).next().expect("a service");
        assert_eq!((entry.protocol, entry.alternatives.len(), entry.forward_credential), (Protocol::Http, 0, false));
        assert_eq!(entry.policy.owner.as_deref(), Some("alice"));
    }
    assert_eq!(services(&inventory, named), ["driver/ui: 127.0.0.1:27001"]);
    for other in [executors, page] {
        assert_eq!(services(&inventory, other), [] as [String; 0]);
    }
    assert_eq!(inventory.problems, []);
}

#[tokio::test]
async fn a_driver_is_followed() {
    let cluster = cluster().await;
    let driver = cluster.add_operation(Operation::new("alice").title("Spark driver for app1").annotations(yson("{}")));
    let first = cluster.add_job(driver, job("driver", 1));
    let mut discovery = discovery(&cluster, "");
    assert_eq!(look(&mut discovery).await, Inventory::default());
    assert_eq!(cluster.count("execute_batch"), 0, "there is nothing to ask yet");
    cluster.set_annotations(driver, yson(&web_ui("http://10.0.0.1:27001")));
    assert_eq!(services(&look(&mut discovery).await, driver), ["driver/ui: 10.0.0.1:27001"]);
    // Started again on another node, which is its own as soon as it says so.
    cluster.finish_job(first, "aborted");
    let second = cluster.add_job(driver, job("driver", 2).cookie(0));
    assert_eq!(services(&look(&mut discovery).await, driver), ["driver/ui:"]);
    cluster.set_annotations(driver, yson(&web_ui("http://10.0.0.2:27001")));
    assert_eq!(services(&look(&mut discovery).await, driver), ["driver/ui: 10.0.0.2:27001"]);
    // Between two attempts: requests are told to come back.
    cluster.remove_job(second);
    let inventory = look(&mut discovery).await;
    assert_eq!(services(&inventory, driver), ["driver/ui:"]);
    assert!(reasons(&inventory, driver).contains("is on no node of its running jobs"));
    cluster.set_annotations(driver, yson("{}"));
    assert_eq!(services(&look(&mut discovery).await, driver), ["driver/ui:"]);
    cluster.finish_operation(driver);
    assert_eq!(look(&mut discovery).await, Inventory::default());
}

#[tokio::test]
async fn a_standalone_cluster_is_where_its_parts_wrote() {
    let cluster = cluster().await;
    let own = start(&cluster, &standalone(PATH, ""));
    write(&cluster, PATH, own, &WRITTEN);
    // Operations of its workers and drivers carry the same marks.
    let workers = start(&cluster, &standalone(PATH, ""));
    let mut discovery = discovery(&cluster, "");
    let inventory = look(&mut discovery).await;
    assert_eq!(services(&inventory, own), SERVICES);
    assert_eq!(services(&inventory, workers), [] as [String; 0]);
    assert_eq!(inventory.problems, []);
    // Nobody asks about workers, which are many, nor for ports.
    assert_eq!((cluster.count("execute_batch/list_jobs"), cluster.count("execute_batch/get")), (1, 0));
    assert_eq!(cluster.count("list"), 0);
    // The master starts again elsewhere.
    cluster.remove(&format!("{PATH}/discovery/webui")).expect("is removed");
    write(&cluster, PATH, own, &[("webui", "10.0.0.3:27101")]);
    assert_eq!(services(&look(&mut discovery).await, own)[2], "master/ui: 10.0.0.3:27101");
    cluster.remove(&format!("{PATH}/discovery/webui")).expect("is removed");
    assert_eq!(services(&look(&mut discovery).await, own)[2], "master/ui:");
}

#[tokio::test]
async fn an_older_cluster_has_less() {
    let cluster = cluster().await;
    let own = start(&cluster, &standalone(&format!("{PATH}/"), ""));
    write(&cluster, PATH, own, &[WRITTEN[0], WRITTEN[2]]);
    let bare = start(&cluster, &standalone("//home/nobody/spark", ""));
    let inventory = look(&mut discovery(&cluster, "")).await;
    assert_eq!(services(&inventory, own), [SERVICES[0], SERVICES[2]]);
    assert_eq!(services(&inventory, bare), [] as [String; 0]);
    assert_eq!(inventory.problems, []);
}

#[tokio::test]
async fn a_directory_that_may_not_be_read_is_said() {
    let cluster = cluster().await;
    let own = start(&cluster, &standalone(PATH, ""));
    write(&cluster, PATH, own, &WRITTEN);
    cluster.deny("robot-taskgate", "read", PATH);
    let mut discovery = discovery(&cluster, "");
    let inventory = look(&mut discovery).await;
    assert_eq!(services(&inventory, own), [] as [String; 0]);
    let denied = reasons(&inventory, own);
    assert!(denied.contains(PATH) && denied.contains("give it `read`"), "{denied}");
    cluster.stop_denying("robot-taskgate", PATH);
    let inventory = look(&mut discovery).await;
    assert_eq!((services(&inventory, own), inventory.problems.len()), (SERVICES.map(str::to_owned).into(), 0));
    // What was read once stays while it can't be read again, in part or as a whole.
    let refusal = |code| Fault::Refuse { status: 400, error: ClusterError::new(code, "no") };
    for count in 1..=4 {
        cluster.fail("execute_batch/list", count, refusal(codes::UNAVAILABLE));
        let inventory = look(&mut discovery).await;
        assert_eq!(services(&inventory, own), SERVICES, "{count}");
        assert!(reasons(&inventory, own).contains("stays"));
    }
    assert_eq!(look(&mut discovery).await.problems, []);
}

#[tokio::test]
async fn a_cluster_that_names_its_ports_is_at_them_and_has_three_names_alone() {
    let cluster = cluster().await;
    let service = |name: &str, port: u8| format!("{name}={{protocol=http; port_index={port}}}");
    let more = format!(
        "; task_proxy={{enabled=%true; tasks_info={{master={{{}; {}; {}}}; history={{{}}}; worker={{{}}}}}}}",
        service("rest", 2),
        service("ui", 1),
        service("rpc", 0),
        service("ui", 0),
        service("ui", 0),
    );
    let own = start(&cluster, &standalone(PATH, &more));
    write(&cluster, PATH, own, &WRITTEN);
    let workers = cluster.add_operation(Operation::new("alice").annotations(yson(&standalone(PATH, &more))));
    cluster.add_job(workers, job("worker", 3).ports([27000]));
    let inventory = look(&mut discovery(&cluster, "")).await;
    let expected = ["history/ui: 10.0.0.2:27000", "master/rest: 10.0.0.1:27002", "master/ui: 10.0.0.1:27001"];
    assert_eq!(services(&inventory, own), expected);
    assert_eq!(services(&inventory, workers), [] as [String; 0]);
    assert_eq!(inventory.problems, []);
}

#[tokio::test]
async fn a_cluster_of_another_kind_is_said() {
    let cluster = cluster().await;
    let grouped = "{is_spark=%true; description={\"Spark over YT\"={discovery_group_id=\"/spark/x\"}}}";
    let own = start(&cluster, grouped);
    let inventory = look(&mut discovery(&cluster, "")).await;
    assert_eq!(services(&inventory, own), [] as [String; 0]);
    assert!(reasons(&inventory, own).contains("enable_task_proxy"), "{:?}", inventory.problems);
}

#[tokio::test]
async fn spark_can_be_switched_off_and_its_ports_narrowed() {
    let cluster = cluster().await;
    let driver = drive(&cluster, "Spark driver for app1", 1, &web_ui("http://10.0.0.1:27001"));
    let own = start(&cluster, &standalone(PATH, ""));
    write(&cluster, PATH, own, &WRITTEN);
    let inventory = look(&mut discovery(&cluster, ", spark: {enabled: false}")).await;
    assert_eq!(inventory, Inventory::default());
    let inventory = look(&mut discovery(&cluster, ", spark: {lowest_port: 27100, highest_port: 27101}")).await;
    assert_eq!(services(&inventory, driver), [] as [String; 0]);
    assert_eq!(services(&inventory, own), [SERVICES[0], SERVICES[2]]);
    for id in [driver, own] {
        assert!(reasons(&inventory, id).contains("`spark.lowest_port`"), "{:?}", inventory.problems);
    }
}
