//! Who says that the emulated cluster is one, and that what is written there is what a cluster takes: Kubernetes' own
//! client, and the schemas that Kubernetes and the Gateway API publish.

use std::process::Stdio;

use serde_json::{Value, json};
use taskgate::gateway::plane::Plane as _;
use taskgate_emulators::kubernetes::{Kubernetes, Profile};
use taskgate_test_kit::environment;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::stage::{EDGE, MODES, Stage, TCP, range, service, wish};

#[tokio::test]
async fn the_cluster_answers_as_kubernetes_own_client_expects() {
    let cluster = Kubernetes::start(Profile::default()).await.expect("starts");
    let python = environment::kubernetes_client().expect("Kubernetes' client").join("python3");
    let script = environment::repository().join("tests/kubernetes/judge_gateway.py");
    let mut judge = Command::new(python);
    judge.arg(script).arg(cluster.url()).env_remove("HTTP_PROXY").env_remove("http_proxy").kill_on_drop(true);
    let output = judge.output().await.expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), "17 answers");
}

#[tokio::test]
async fn what_is_written_is_what_the_published_schemas_want() {
    for (mode, version) in MODES.into_iter().flat_map(|mode| [(mode, "v1"), (mode, "v1alpha2")]) {
        let stage = Stage::start_with(mode, Profile { routes: vec![version], ..Profile::default() }).await;
        let gateway = stage.life();
        let wish = wish(&gateway, range(3), &service("db", &["10.0.0.1:5432", "[fd00::1]:5432"])).await;
        gateway.program(&wish).await.expect("listens");
        let kinds = [
            ("gateways", "gateway.networking.k8s.io/v1", "Gateway"),
            ("listenersets", "gateway.networking.k8s.io/v1", "ListenerSet"),
            ("tcproutes", "gateway.networking.k8s.io/v1alpha2", "TCPRoute"),
            ("services", "v1", "Service"),
            ("endpointslices", "discovery.k8s.io/v1", "EndpointSlice"),
        ];
        let (mut theirs, mut own) = (Vec::new(), Vec::new());
        for (plural, api, kind) in kinds {
            for mut object in stage.cluster.objects(plural) {
                object["apiVersion"] = json!(api);
                object["kind"] = json!(kind);
                if api.starts_with("gateway") { theirs.push(object) } else { own.push(object) }
            }
        }
        assert_eq!(judged(&theirs).await, (Vec::new(), theirs.len()), "{mode:?}");
        assert_eq!(kubernetes(&own).await, (Vec::new(), 3), "{mode:?}");
    }
}

/// What the emulated cluster takes and what it does not is what the published structure says; rules about several values
/// are not part of that.
#[tokio::test]
async fn the_cluster_takes_what_the_published_schemas_take() {
    let listener = |name: Value, port: Value| json!({"name": name, "port": port, "protocol": "TCP"});
    let many =
        |count: u32| (0..count).map(|number| listener(json!(format!("l{number}")), json!(1000 + number))).collect();
    let gateway = |listeners: Vec<Value>| ("gateways", json!({"gatewayClassName": "c", "listeners": listeners}));
    let set = |listeners: Vec<Value>| ("listenersets", json!({"parentRef": {"name": TCP}, "listeners": listeners}));
    let route = |backends: Value| {
        ("tcproutes", json!({"parentRefs": [{"name": TCP, "kind": "Gateway"}], "rules": [{"backendRefs": backends}]}))
    };
    let backend = |port: Value| json!({"name": "db", "port": port});
    let backends = |count: usize| json!(vec![backend(json!(1)); count]);
    let cases = [
        gateway(many(1)),
        gateway(many(64)),
        gateway(many(65)),
        gateway(many(0)),
        gateway(vec![listener(json!("a"), json!(0))]),
        gateway(vec![listener(json!("a"), json!(65_536))]),
        gateway(vec![listener(json!("a"), json!("80"))]),
        gateway(vec![listener(json!("A"), json!(80))]),
        gateway(vec![listener(json!("a".repeat(253)), json!(80))]),
        gateway(vec![listener(json!("a".repeat(254)), json!(80))]),
        gateway(vec![json!({"name": "a", "protocol": "TCP"})]),
        gateway(vec![json!({"name": "a", "port": 80})]),
        ("gateways", json!({"gatewayClassName": "c"})),
        ("gateways", json!({"listeners": many(1)})),
        (
            "gateways",
            json!({"gatewayClassName": "c", "listeners": many(1), "allowedListeners": {"namespaces": {"from": "Same"}}}),
        ),
        (
            "gateways",
            json!({"gatewayClassName": "c", "listeners": many(1), "allowedListeners": {"namespaces": {"from": "Never"}}}),
        ),
        set(many(1)),
        set(many(64)),
        set(many(65)),
        set(many(0)),
        ("listenersets", json!({"listeners": many(1)})),
        ("listenersets", json!({"parentRef": {}, "listeners": many(1)})),
        route(backends(1)),
        route(backends(16)),
        route(backends(17)),
        route(backends(0)),
        route(json!([backend(json!(0))])),
        route(json!([backend(json!(70_000))])),
        route(json!([{"port": 1}])),
        ("tcproutes", json!({"rules": []})),
        ("tcproutes", json!({})),
    ];
    let profile = Profile { routes: vec!["v1alpha2"], ..Profile::default() };
    let cluster = Kubernetes::start(profile).await.expect("starts");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut objects = Vec::new();
    let mut taken = Vec::new();
    for (number, (plural, spec)) in cases.into_iter().enumerate() {
        let (version, kind) = match plural {
            "gateways" => ("v1", "Gateway"),
            "listenersets" => ("v1", "ListenerSet"),
            _ => ("v1alpha2", "TCPRoute"),
        };
        let object = json!({
            "apiVersion": format!("gateway.networking.k8s.io/{version}"), "kind": kind,
            "metadata": {"name": format!("case-{number}"), "namespace": EDGE}, "spec": spec,
        });
        let path = format!("/apis/gateway.networking.k8s.io/{version}/namespaces/{EDGE}/{plural}");
        let answer = client.post(format!("{}{path}", cluster.url())).json(&object).send().await.expect("an answer");
        match answer.status().as_u16() {
            201 => taken.push(format!("case-{number}")),
            status => assert_eq!(status, 422, "case {number}"),
        }
        objects.push(object);
    }
    let (wrong, known) = judged(&objects).await;
    assert_eq!(known, objects.len());
    let all = (0..objects.len()).map(|number| format!("case-{number}"));
    let right: Vec<String> = all.filter(|name| !wrong.contains(name)).collect();
    assert_eq!(taken, right, "the cluster, and the schemas");
}

/// The names of those that the Gateway API's schemas don't take, and how many of all they know.
async fn judged(objects: &[Value]) -> (Vec<String>, usize) {
    let script = environment::repository().join("tests/deploy/validate.mjs");
    let mut command = Command::new("node");
    command.arg(script).arg(environment::deploy().expect("the judges"));
    ask(command, objects).await
}

/// The same with Kubernetes' own schemas.
async fn kubernetes(objects: &[Value]) -> (Vec<String>, usize) {
    let script = environment::repository().join("tests/deploy/validate.py");
    let mut command = Command::new(environment::deploy().expect("the judges").join("bin/python3"));
    command.arg(script).arg("1.36");
    ask(command, objects).await
}

async fn ask(mut command: Command, objects: &[Value]) -> (Vec<String>, usize) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut judge = command.spawn().expect("starts");
    let mut input = judge.stdin.take().expect("an input");
    input.write_all(json!(objects).to_string().as_bytes()).await.expect("reads");
    drop(input);
    let output = judge.wait_with_output().await.expect("ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let known = said.lines().find_map(|line| line.strip_prefix("known: ")).expect("a count");
    let name = |line: &str| {
        let words = line.strip_prefix("wrong: ")?;
        Some(words.split_whitespace().nth(1)?.trim_end_matches(':').to_owned())
    };
    (said.lines().filter_map(name).collect(), known.parse().expect("a number"))
}
