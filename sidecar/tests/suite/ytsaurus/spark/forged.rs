//! Addresses that users wrote and that are not theirs: nobody is sent there.

use taskgate_emulators::ytsaurus::{ClusterError, Fault, Guid, Job, Operation, Ytsaurus, codes};

use super::{PATH, WRITTEN, drive, job, look, standalone, start, web_ui, write};
use crate::ytsaurus::support::{cluster, discovery, reasons, services, yson};

const SHORT: &str = "{task_proxy={enabled=%true}}";
const NONE: [String; 0] = [];

/// Starts an operation that offers a port of its job, on the node with that number.
fn offer(cluster: &Ytsaurus, node: u8, port: u16) -> Guid {
    let id = cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    cluster.add_job(id, job("web", node).ports([port]));
    id
}

#[tokio::test]
async fn only_a_drivers_own_jobs_are_its_interface() {
    let cluster = cluster().await;
    let victim = offer(&cluster, 1, 27005);
    offer(&cluster, 2, 27001);
    for (url, reason) in [
        ("http://10.0.0.1:27005", "another operation's job"),
        ("http://10.0.0.2:27001", "no node"),
        ("http://10.0.0.1:9012", "node itself"),
        ("http://10.0.0.1:80", "port outside"),
        ("http://10.0.0.1:1023", "port outside"),
        ("http://127.0.0.1:27001", "no node"),
        ("http://localhost:27001", "no node"),
        ("http://0.0.0.0:27001", "no node"),
        ("http://169.254.169.254:8080", "no node"),
        ("http://169.254.169.254:80", "port outside"),
        ("http://metadata.google.internal:8080", "no node"),
        ("http://[::1]:27001", "no node"),
        ("http://[::]:27001", "no node"),
        ("http://[fe80::1]:27001", "no node"),
        ("http://[::ffff:10.0.0.1]:27001", "no node"),
        ("http://[::ffff:169.254.169.254]:27001", "no node"),
        ("http://[::ffff:10.0.0.1]:27005", "no node"),
        // The same address in other ways of writing numbers.
        ("http://167772161:27005", "no node"),
        ("http://0x0a000001:27005", "no node"),
        ("http://10.1:27005", "no node"),
        ("http://user@10.0.0.1:27001", "is no address"),
        ("http://user:password@10.0.0.1:27001", "is no address"),
        ("http://10.0.0.1:27001@169.254.169.254:8080", "is no address"),
        ("http://10.0.0.1:27001\\@169.254.169.254:8080", "is no address"),
        ("http://[fe80::1%25eth0]:27001", "is no address"),
        ("http://10.0.0.1:27001:80", "is no address"),
        ("http://10.0.0.1", "is no address"),
        ("http://10.0.0.1:", "is no address"),
        ("http://10.0.0.1:0", "is no address"),
        ("http://10.0.0.1:65536", "is no address"),
        ("http://10.0.0.1:-1", "is no address"),
        ("http://10.0.0.1:27001 ", "is no address"),
        ("http://10.0.0.1\n:27001", "is no address"),
        ("http://10.0.0.1%00:27001", "is no address"),
        ("http:///10.0.0.1:27001", "is no address"),
        ("https://10.0.0.1:27001", "is no address"),
        ("file:///etc/passwd", "is no address"),
        ("unix:/run/docker.sock", "is no address"),
        ("gopher://10.0.0.1:27001", "is no address"),
    ] {
        let forger = drive(&cluster, "Spark driver for x", 1, &web_ui(url));
        let inventory = look(&mut discovery(&cluster, "")).await;
        assert_eq!(services(&inventory, forger), NONE, "{url}");
        let said = reasons(&inventory, forger);
        assert!(said.contains(reason), "{url}: {said}");
        assert_eq!(services(&inventory, victim), ["web/port_0: 10.0.0.1:27005"]);
        cluster.remove_operation(forger);
    }
}

#[tokio::test]
async fn another_name_of_a_machine_is_no_way_to_what_runs_there() {
    let cluster = cluster().await;
    // Two nodes on one machine, as hosts of containers have them.
    let victim = cluster.add_operation(Operation::new("bob").annotations(yson(SHORT)));
    cluster.add_job(victim, Job::new("web").address("127.0.0.1:9012").ports([27005]));
    let driver = Operation::new("alice").title("Spark driver for x");
    for url in ["http://localhost:27005", "http://127.0.0.1:27005", "http://localhost:9012", "http://localhost:9013"] {
        let forger = cluster.add_operation(driver.clone().annotations(yson(&web_ui(url))));
        cluster.add_job(forger, Job::new("driver").address("localhost:9013"));
        let inventory = look(&mut discovery(&cluster, "")).await;
        assert_eq!(services(&inventory, forger), NONE, "{url}");
        assert_ne!(reasons(&inventory, forger), "", "{url}");
        cluster.remove_operation(forger);
    }
}

#[tokio::test]
async fn what_another_driver_wrote_first_is_that_drivers() {
    let cluster = cluster().await;
    let url = web_ui("http://10.0.0.1:27001");
    let victim = drive(&cluster, "Spark driver for a", 1, &url);
    let forger = drive(&cluster, "Spark driver for b", 1, &url);
    let own = ["driver/ui: 10.0.0.1:27001"];
    let mut discovery = discovery(&cluster, "");
    let inventory = look(&mut discovery).await;
    assert_eq!((services(&inventory, victim), services(&inventory, forger)), (own.map(str::to_owned).into(), vec![]));
    assert!(reasons(&inventory, forger).contains("another operation wrote before"), "{:?}", inventory.problems);
    // An older operation that changes its mind is not first.
    cluster.set_annotations(victim, yson(&web_ui("http://10.0.0.1:27002")));
    let inventory = look(&mut discovery).await;
    assert_eq!(services(&inventory, forger), own);
    assert_eq!(services(&inventory, victim), ["driver/ui: 10.0.0.1:27002"]);
    cluster.set_annotations(victim, yson(&url));
    let inventory = look(&mut discovery).await;
    assert_eq!(services(&inventory, forger), own);
    assert_eq!(services(&inventory, victim), ["driver/ui:"]);
    // It is free again with the operation that had it.
    cluster.finish_operation(forger);
    assert_eq!(services(&look(&mut discovery).await, victim), own);
}

#[tokio::test]
async fn a_port_stays_its_operations_while_the_cluster_says_nothing_of_it() {
    let cluster = cluster().await;
    let forger = drive(&cluster, "Spark driver for x", 1, "{}");
    let victim = offer(&cluster, 1, 27005);
    let mut discovery = discovery(&cluster, "");
    look(&mut discovery).await;
    cluster.set_annotations(forger, yson(&web_ui("http://10.0.0.1:27005")));
    // The newest operation is asked about first.
    let refusal = Fault::Refuse { status: 400, error: ClusterError::new(codes::UNAVAILABLE, "no") };
    for count in 1..=2 {
        cluster.fail("execute_batch/list_jobs", count, refusal.clone());
        let inventory = look(&mut discovery).await;
        assert_ne!(reasons(&inventory, victim), "");
        assert_eq!(services(&inventory, forger), NONE);
        assert_eq!(services(&inventory, victim), ["web/port_0: 10.0.0.1:27005"]);
    }
}

#[tokio::test]
async fn the_directory_of_another_cluster_is_no_way_in() {
    let cluster = cluster().await;
    let victim = start(&cluster, &standalone(PATH, ""));
    write(&cluster, PATH, victim, &WRITTEN);
    // Someone else's directory; one of their own that says the same; one that says what runs beside them.
    let own = "//home/forger/spark";
    let thief = start(&cluster, &standalone(PATH, ""));
    let forger = cluster.add_operation(Operation::new("bob").annotations(yson(&standalone(own, ""))));
    cluster.add_job(forger, job("master", 9));
    write(&cluster, own, forger, &WRITTEN);
    let neighbour = start(&cluster, &standalone("//home/neighbour/spark", ""));
    write(&cluster, "//home/neighbour/spark", neighbour, &WRITTEN);
    let mut discovery = discovery(&cluster, "");
    let inventory = look(&mut discovery).await;
    assert_eq!(services(&inventory, victim), super::SERVICES);
    for id in [thief, forger, neighbour] {
        assert_eq!(services(&inventory, id), NONE);
    }
    assert!(reasons(&inventory, forger).contains("10.0.0.1:27101 is on no node"), "{:?}", inventory.problems);
    assert!(reasons(&inventory, neighbour).contains("another operation wrote before"), "{:?}", inventory.problems);
    // A directory that says it is theirs as well does not make it so.
    write(&cluster, PATH, neighbour, &[]);
    assert_eq!(services(&look(&mut discovery).await, victim), super::SERVICES);
}

#[tokio::test]
async fn directories_are_paths_and_nothing_else() {
    let cluster = cluster().await;
    cluster.set("//tmp/secret", yson("{a=1}")).expect("is set");
    for path in [
        "",
        "/",
        "//",
        "home/x",
        "/home/x",
        "#1-2-3-4",
        "//home/x/@acl",
        "//home/x[#1]",
        "//home/*",
        "//home/x&",
        "//home//x",
        "//home/x/../../tmp",
        "//tmp/secret",
        "<append=%true>//home/x",
        "//home/\u{0}",
        "//sys/tokens",
    ] {
        let forger = start(&cluster, &standalone(path, ""));
        let inventory = look(&mut discovery(&cluster, "")).await;
        assert_eq!(services(&inventory, forger), NONE, "{path}");
        cluster.remove_operation(forger);
    }
    let seen = cluster.seen("execute_batch");
    let asked: String = seen.iter().map(|call| format!("{:?}", call.parameters)).collect();
    for never in ["@acl", "#1", "[", "&"].map(|sign| format!("x{sign}")) {
        assert!(!asked.contains(&never), "{never} in {asked}");
    }
}

#[tokio::test]
async fn names_that_are_no_addresses_cost_themselves_alone() {
    let cluster = cluster().await;
    let own = start(&cluster, &standalone(PATH, ""));
    write(&cluster, PATH, own, &WRITTEN);
    let junk =
        ["a", "x:y", "10.0.0.1:0", "10.0.0.1:99999", "10.0.0.1:27101/x", "http://10.0.0.1:27101", "é:1", "[::1]"];
    let junk: Vec<_> = junk.iter().map(|name| ("webui", *name)).collect();
    write(&cluster, PATH, own, &junk);
    write(&cluster, PATH, own, &[("webui", "169.254.169.254:8080"), ("webui", &"n".repeat(300))]);
    let inventory = look(&mut discovery(&cluster, "")).await;
    assert_eq!(services(&inventory, own), super::SERVICES);
    let said = reasons(&inventory, own);
    assert!(said.contains("9 names in `webui`") && said.contains("169.254.169.254:8080 is on no node"), "{said}");
    // As many as someone likes.
    for number in 0..500 {
        write(&cluster, PATH, own, &[("shs", &format!("10.0.0.2:{}", 20_000 + number))]);
    }
    let inventory = look(&mut discovery(&cluster, "")).await;
    let line = services(&inventory, own).into_iter().next().unwrap_or_default();
    assert_eq!(line.matches("10.0.0.2:").count(), 64, "{line}");
}
