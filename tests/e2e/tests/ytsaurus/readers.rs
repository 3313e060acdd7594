//! Those that read the table of services: people with `yt`, and SPYT.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::ask::Ask;
use crate::support::cluster::{self, Name, job, operation, tasks_info};
use crate::support::service::{ALICE, BASE_DOMAIN, BOB};
use crate::support::setup::Setup;
use crate::support::site::Site;
use crate::support::yt::YtClient;
use crate::support::{Outcome, PATIENCE, jobs};

const TABLE: &str = "//sys/task_proxies/services";
const COLUMNS: [&str; 5] = ["domain", "operation_id", "task_name", "service", "protocol"];

#[tokio::test]
async fn yt_read_table_prints_the_services() -> Outcome {
    let site = Site::start().await?;
    let written = async || site.cluster.rows(TABLE).is_some_and(|rows| rows.len() == 3);
    taskgate_test_kit::wait_until(PATIENCE, "the table", written).await?;
    // As a user who has nothing to do with the operations.
    let client = YtClient::new(&site.cluster, BOB)?;
    let printed = client.yt(&["read-table", TABLE, "--format", "json"]).await?;
    let mut expected = Vec::new();
    for (name, protocol) in [(&site.web, "http"), (&site.greeter, "grpc"), (&site.socket, "websocket")] {
        expected.push(json!({
            "domain": name.host(), "operation_id": name.operation.to_string(), "task_name": name.task,
            "service": name.service, "protocol": protocol,
        }));
    }
    let mut rows = Vec::new();
    for line in printed.lines() {
        let row: Map<String, Value> = serde_json::from_str(line)?;
        let columns: BTreeSet<&str> = row.keys().map(String::as_str).collect();
        assert_eq!(columns, BTreeSet::from(COLUMNS), "{line}");
        rows.push(Value::Object(row));
    }
    assert_eq!(rows.len(), 3);
    assert!(expected.iter().all(|row| rows.contains(row)), "{rows:?}");
    // What stands there leads there.
    for row in rows.iter().filter(|row| row["protocol"] != "grpc") {
        let domain = row["domain"].as_str().unwrap_or_default();
        let answer = site.gateway.ingress.send(Ask::get(domain, "/").token(ALICE)).await?;
        assert!(answer.is_ok() && answer.text().starts_with("hello from "), "{domain}: {}", answer.text());
    }
    assert_eq!(client.yt(&["get", &format!("{TABLE}/@dynamic")]).await?, "%false\n");
    Ok(())
}

/// How SPYT finds its cluster's services: `spyt/task_proxy.py`, which takes no other names.
const SPYT: &str = r#"
import json, sys, yt.wrapper as yt

class TaskProxyInfo:
    def __init__(self, master_rest=None, master_ui=None, history_ui=None):
        self.domains = dict(master_rest=master_rest, master_ui=master_ui, history_ui=history_ui)

path = "//sys/task_proxies/services"
if yt.exists(path):
    rows = [row for row in yt.read_table(path) if row["operation_id"] == OPERATION]
    found = TaskProxyInfo(**{f"{row['task_name']}_{row['service']}": row["domain"] for row in rows})
    print(json.dumps(found.domains))
"#;

#[tokio::test]
async fn spyt_finds_its_cluster() -> Outcome {
    let cluster = cluster::start().await?;
    let (master, history) = (jobs::http_on(2, "master").await?, jobs::http_on(3, "history").await?);
    let annotated = tasks_info(
        "{master={ui={protocol=http; port_index=0}; rest={protocol=http; port_index=0}; more={port_index=0}}; \
          history={ui={protocol=http; port_index=0}}; worker={ui={port_index=0}}}",
    );
    let spark = annotated.replacen('{', "{is_spark=%true; ", 1);
    let id = cluster.add_operation(operation(&spark)?.title("my cluster").alias("*myspark"));
    cluster.add_job(id, job("master", &master));
    cluster.add_job(id, job("history", &history));
    // Another operation, whose rows are not SPYT's to understand.
    let other = cluster.add_operation(operation(cluster::EVERY_PORT)?);
    cluster.add_job(other, job("web", &master));
    let gateway = Setup::cluster(&cluster).start().await?;
    let written = async || cluster.rows(TABLE).is_some_and(|rows| rows.len() == 4);
    taskgate_test_kit::wait_until(PATIENCE, "the table", written).await?;

    let client = YtClient::new(&cluster, BOB)?;
    let found: Value = serde_json::from_str(&client.python(&SPYT.replace("OPERATION", &format!("\"{id}\""))).await?)?;
    for (key, task, service, text) in [
        ("master_ui", "master", "ui", "hello from master\n"),
        ("master_rest", "master", "rest", "hello from master\n"),
        ("history_ui", "history", "ui", "hello from history\n"),
    ] {
        assert_eq!(found[key], Name::new(id, task, service).host(), "{key}");
        let domain = found[key].as_str().unwrap_or_default();
        assert_eq!(gateway.ingress.send(Ask::get(domain, "/").token(BOB)).await?.text(), text);
    }
    let alias = format!("myspark-master-ui.{BASE_DOMAIN}");
    assert_eq!(gateway.ingress.send(Ask::get(&alias, "/").token(BOB)).await?.text(), "hello from master\n");
    Ok(())
}
