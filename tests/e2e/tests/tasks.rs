//! HSDS and the tasks on its data behind one host, as `static.yaml` has them, used by h5pyd.

mod crash;

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::{Hsds, HsdsUser, Sidecar};

use crate::support::Outcome;
use crate::support::ask::Ask;
use crate::support::ingress::Ingress;
use crate::support::setup::Setup;

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// What clients call HSDS here.
const HOST: &str = "127.0.0.1";

/// h5pyd's own connection carries everything; it knows nothing of tasks.
const FACTOR: &str = r#"
import sys, time
import h5pyd, numpy
endpoint, domain = sys.argv[1], "/home/test_user1/factor.h5"
with h5pyd.File(domain, "w", endpoint=endpoint) as file:
    file.create_dataset("n", data=42, dtype="i8")
    file.create_dataset("factors", (1,), dtype=h5pyd.special_dtype(vlen=numpy.dtype("i8")))
with h5pyd.File(domain, "a", endpoint=endpoint) as file:
    connection = file.id.db.plugin.http_conn
    where = lambda name: {"domain": domain, "h5path": "/" + name}
    body = {"operation": "factor", "src": [where("n")], "args": {}, "des": [where("factors")]}
    answer = connection.POST("/tasks", body=body)
    assert answer.status_code == 200, (answer.status_code, answer.text)
    task = answer.json()
    print("accepted", task["operation"], task["href"] == "/tasks/" + task["taskid"])
    end = time.monotonic() + 60
    while task["status"] != "complete":
        assert task["status"] in ("queued", "in progress") and time.monotonic() < end, task
        answer = connection.GET("/tasks/" + task["taskid"], headers={"prefer": "wait=30"})
        assert answer.status_code == 200, answer.status_code
        task = answer.json()
    print("listed", [one["taskid"] for one in connection.GET("/tasks").json()["tasks"]] == [task["taskid"]])
    print("deleted", connection.DELETE("/tasks/" + task["taskid"]).status_code)
    print("gone", connection.GET("/tasks/" + task["taskid"]).status_code)
with h5pyd.File(domain, "r", endpoint=endpoint) as file:
    print("factors", [int(factor) for factor in file["factors"][0]])
"#;

struct Site {
    hsds: Hsds,
    _sidecar: Sidecar,
    ingress: Ingress,
}

impl Site {
    async fn start() -> anyhow::Result<Self> {
        let hsds = Hsds::start().await?;
        let setup = Setup::new([]).configure(|config| {
            config["public"] = json!({});
            config["tasks"] = json!({"store": "sqlite:tasks.db", "hsds": {"endpoint": hsds.url()}});
        });
        let sidecar = setup.start_sidecar().await?;
        let public = sidecar.home().public_address();
        let server: SocketAddr = hsds.url().trim_start_matches("http://").parse()?;
        let ingress = setup
            .start_envoy_with(sidecar.internal_address(), |document| {
                set_cluster(document, "taskgate-tasks", public)?;
                set_cluster(document, "hsds", server)?;
                let hosts = document.pointer_mut(&format!("{MANAGER}/route_config/virtual_hosts"));
                let hosts = hosts.and_then(Value::as_array_mut).context("no virtual hosts")?;
                let host = hosts.iter_mut().find(|host| host["name"] == "taskgate-tasks").context("no such host")?;
                host["domains"] = json!([HOST]);
                Ok(())
            })
            .await?;
        Ok(Self { hsds, _sidecar: sidecar, ingress })
    }
}

fn set_cluster(document: &mut Value, name: &str, address: SocketAddr) -> Outcome {
    let clusters = document.pointer_mut("/static_resources/clusters").and_then(Value::as_array_mut);
    let cluster = clusters.context("no clusters")?.iter_mut().find(|cluster| cluster["name"] == name);
    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let socket = cluster.and_then(|cluster| cluster.pointer_mut(endpoint)).context("no such cluster")?;
    *socket = json!({"address": address.ip(), "port_value": address.port()});
    Ok(())
}

#[tokio::test]
async fn h5pyd_has_42_factored_through_its_own_connection() -> Outcome {
    let site = Site::start().await?;
    let endpoint = format!("http://{}", site.ingress.address);
    let printed = site.hsds.python(HsdsUser::One, FACTOR, &[&endpoint]).await?;
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines,
        ["accepted factor True", "listed True", "deleted 200", "gone 410", "factors [2, 3, 7]"],
        "{printed}"
    );
    Ok(())
}

#[tokio::test]
async fn what_is_asked_of_one_host_goes_where_it_belongs() -> Outcome {
    let site = Site::start().await?;
    let credential = HsdsUser::One.authorization();
    let get = |path: &str| Ask::get(HOST, path).header("authorization", &credential);
    let about = site.ingress.send(get("/about")).await?;
    assert_eq!(about.json()?["username"], "test_user1", "HSDS");
    let folder = site.ingress.send(get("/?domain=/home/test_user1")).await?;
    assert_eq!(folder.json()?["class"], "folder", "HSDS");
    for path in ["/tasks", "/tasks?domain=/home/x.h5", "/tasks/"] {
        let tasks = site.ingress.send(get(path)).await?;
        assert_eq!(tasks.json()?, json!({"tasks": []}), "{path}");
    }
    let operations = site.ingress.send(get("/operations")).await?.json()?;
    assert!(operations["operations"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "factor")));
    // What only begins like it is HSDS's, which knows no such path.
    for path in ["/tasksx", "/tasks%2f", "//tasks", "/internal/table"] {
        let answer = site.ingress.send(get(path)).await?;
        assert!(answer.status >= 400 && !answer.text().contains("urn:taskgate"), "{path}: {}", answer.text());
    }
    let nobody = site.ingress.send(Ask::get(HOST, "/tasks")).await?;
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.header("x-taskgate-denial"), "", "the filter has no say here");
    // An identity or an address that a client brings along means nothing.
    let posing = ["x-forwarded-user", "x-yt-user-name", "x-taskgate-internal", "x-taskgate-up1", "x-taskgate-actor"];
    let ask = posing.iter().fold(get("/tasks?owner=*"), |ask, name| ask.header(name, "admin"));
    assert_eq!(site.ingress.send(ask).await?.status, 403);
    // Every other host is the filter's.
    let other = site.ingress.send(Ask::get("hsds.other.test", "/tasks").header("authorization", &credential)).await?;
    assert_ne!(other.header("x-taskgate-denial"), "");
    Ok(())
}
