//! Addresses that users write lead to their own jobs alone.

use serde_json::Value;
use taskgate_emulators::yson::Yson;
use taskgate_emulators::ytsaurus::{Guid, Operation, Ytsaurus};

use crate::support::ask::{Answer, Ask};
use crate::support::cluster::{self, NODE_PORT, Name, job, job_at, operation, tasks_info, yson};
use crate::support::gateway::Gateway;
use crate::support::service::{ALICE, MALLORY};
use crate::support::setup::Setup;
use crate::support::{Outcome, PATIENCE, jobs};

/// An operation of Mallory's that says to be a Spark driver whose interface is there.
fn driver(url: &str) -> anyhow::Result<Operation> {
    Ok(Operation::new("mallory").title("Spark driver for x").annotations(web_ui(url)?))
}

fn web_ui(url: &str) -> anyhow::Result<Yson> {
    yson(&format!("{{description={{\"Web UI\"=\"{url}\"}}}}"))
}

/// An operation of Mallory's that says to be a SPYT cluster whose interfaces are there.
fn spark_cluster(cluster: &Ytsaurus, directory: &str, address: &str) -> anyhow::Result<Guid> {
    let description = format!("{{\"Spark over YT\"={{discovery_path=\"{directory}\"}}}}");
    let annotations = yson(&format!("{{is_spark=%true; description={description}}}"))?;
    let id = cluster.add_operation(Operation::new("mallory").annotations(annotations));
    let written = format!("{{\"{address}\"={{}}}}");
    let discovery = format!("{{operation={{\"{id}\"={{}}}}; webui={written}; rest={written}; shs={written}}}");
    let set = cluster.set(&format!("{directory}/discovery"), yson(&discovery)?);
    set.map_err(|error| anyhow::anyhow!(error.message))?;
    Ok(id)
}

async fn problems(gateway: &Gateway) -> anyhow::Result<Value> {
    Ask::get("taskgate", "/internal/problems").send(gateway.sidecar.internal_address()).await?.json()
}

#[tokio::test]
async fn a_web_ui_of_somebody_elses_job_is_never_reached() -> Outcome {
    let cluster = cluster::start().await?;
    let (victim, own) = (jobs::http_on(2, "victim").await?, jobs::http_on(3, "own").await?);
    let alices = Name::new(cluster.add_operation(operation(&tasks_info("{web={ui={port_index=0}}}"))?), "web", "ui");
    cluster.add_job(alices.operation, job("web", &victim));
    let (there, port) = (victim.address(), victim.address().port());
    // What she writes, and the node of her own job.
    let lies = [
        (format!("http://{there}"), 3),
        (format!("http://{there}/"), 3),
        // On a node where a job of hers runs as well.
        (format!("http://{there}"), 2),
        (format!("http://127.0.0.2.:{port}"), 2),
        (format!("http://[::ffff:127.0.0.2]:{port}"), 2),
        (format!("http://2130706434:{port}"), 2),
        (format!("http://0x7f000002:{port}"), 2),
        (format!("http://127.2:{port}"), 2),
        (format!("http://own@{there}"), 3),
        (format!("http://{}@{there}", own.address()), 3),
        (format!("http://{there}#@{}", own.address()), 3),
        // The node, the cluster, the machine, the cloud.
        (format!("http://127.0.0.3:{NODE_PORT}"), 3),
        (cluster.url(), 3),
        (format!("http://localhost:{port}"), 2),
        ("http://169.254.169.254:80".to_owned(), 3),
    ];
    let mut liars = Vec::new();
    for (url, node) in &lies {
        let id = cluster.add_operation(driver(url)?);
        cluster.add_job(id, job_at("driver", ([127, 0, 0, *node], 1).into()));
        liars.push((Name::new(id, "driver", "ui"), url.clone()));
    }
    for (number, node) in [(1, 3), (2, 2)] {
        let id = spark_cluster(&cluster, &format!("//home/mallory/spark{number}"), &there.to_string())?;
        cluster.add_job(id, job_at("master", ([127, 0, 0, node], 1).into()));
        for (task, service) in [("master", "ui"), ("master", "rest"), ("history", "ui")] {
            liars.push((Name::new(id, task, service), format!("{task} {service} on node {node}")));
        }
    }
    let honest = cluster.add_operation(driver(&format!("http://{}", own.address()))?);
    cluster.add_job(honest, job_at("driver", ([127, 0, 0, 3], 1).into()));
    let gateway = Setup::cluster(&cluster).start().await?;

    for (name, what) in &liars {
        let answer = gateway.ingress.send(name.get("/", MALLORY)).await?;
        assert_eq!(answer.denial(), (404, "unknown-service"), "{what}");
    }
    assert_eq!(victim.connections(), 0, "the victim was reached");
    let honest = Name::new(honest, "driver", "ui");
    assert_eq!(gateway.ingress.send(honest.get("/", MALLORY)).await?.text(), "hello from own\n");
    assert_eq!(gateway.ingress.send(alices.get("/", ALICE)).await?.text(), "hello from victim\n");
    // Each of them is told why.
    let problems = problems(&gateway).await?.to_string();
    for (name, what) in &liars {
        assert!(problems.contains(&name.operation.to_string()), "{what}: {problems}");
    }

    // Nor when the lie comes later: the name goes on, without an address.
    cluster.set_annotations(honest.operation, web_ui(&format!("http://{there}"))?);
    let refused = |answer: &Answer| answer.denial() == (503, "no-endpoint");
    gateway.ingress.answers("the address to be refused", || honest.get("/", MALLORY), refused).await?;
    assert_eq!(victim.requests(), 1);
    Ok(())
}

#[tokio::test]
async fn an_address_that_another_driver_wrote_before_is_that_drivers() -> Outcome {
    let (cluster, interface) = (cluster::start().await?, jobs::http_on(2, "interface").await?);
    // Spark itself picks the port, so the cluster knows nothing of it; both have a job on that node.
    let url = format!("http://{}", interface.address());
    let alices = Operation::new("alice").title("Spark driver for a").annotations(web_ui(&url)?);
    let alices = Name::new(cluster.add_operation(alices), "driver", "ui");
    cluster.add_job(alices.operation, job_at("driver", ([127, 0, 0, 2], 1).into()));
    let gateway = Setup::cluster(&cluster).start().await?;
    let mallorys = Name::new(cluster.add_operation(driver(&url)?), "driver", "ui");
    cluster.add_job(mallorys.operation, job_at("driver", ([127, 0, 0, 2], 1).into()));
    let operation = mallorys.operation.to_string();
    let is_told = async || problems(&gateway).await.is_ok_and(|problems| problems.to_string().contains(&operation));
    taskgate_test_kit::wait_until(PATIENCE, "Mallory to be told", is_told).await?;
    assert_eq!(gateway.ingress.send(mallorys.get("/", MALLORY)).await?.denial(), (404, "unknown-service"));
    assert_eq!(interface.connections(), 0);
    assert_eq!(gateway.ingress.send(alices.get("/", ALICE)).await?.text(), "hello from interface\n");
    Ok(())
}
