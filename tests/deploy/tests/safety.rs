//! What must hold of every pod, service and policy, whatever the values.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::Outcome;
use crate::rendered::{Rendered, VALUES, chart};

#[test]
fn no_container_may_do_more_than_it_has_to() -> Outcome {
    for values in VALUES {
        let rendered = Rendered::of(values)?;
        let pod = rendered.pod()?;
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{values}");
        for container in rendered.containers()? {
            let name = &container["name"];
            let allowed = &container["securityContext"];
            let wanted = json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
                "runAsUser": 65532, "runAsGroup": 65532, "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            });
            assert_eq!(allowed, &wanted, "{values}: {name}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{values}: {name} has no bound");
            assert!(container["resources"]["requests"]["memory"].is_string(), "{values}: {name}");
        }
        for unwanted in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod.get(unwanted).is_none(), "{values}: {unwanted}");
        }
        let volumes = pod["volumes"].as_array().context("no volumes")?;
        assert!(volumes.iter().all(|volume| volume.get("hostPath").is_none()), "{values}");
    }
    Ok(())
}

#[test]
fn envoy_sees_no_key_and_ends_before_the_sidecar() -> Outcome {
    for values in ["envoy", "envoy-full", "daemonset"] {
        let rendered = Rendered::of(values)?;
        let pod = rendered.pod()?;
        let containers = pod["containers"].as_array().context("no containers")?;
        assert_eq!(containers.len(), 1, "{values}: Envoy alone is an ordinary container");
        let envoy = containers.first().context("no Envoy")?;
        let mounts = envoy["volumeMounts"].as_array().context("no mounts")?;
        let mounted: BTreeSet<&str> = mounts.iter().filter_map(|mount| mount["name"].as_str()).collect();
        assert!(!mounted.contains("config") && !mounted.contains("state"), "{values}: {mounted:?}");
        let first = pod["initContainers"].as_array().context("nothing starts first")?;
        let sidecar = first.iter().find(|container| container["name"] == "taskgate").context("no sidecar")?;
        // So it starts before Envoy, which waits until it is ready, and ends after it.
        assert_eq!(sidecar["restartPolicy"], "Always");
        assert_eq!(sidecar["startupProbe"]["httpGet"]["path"], "/readyz");
        assert_eq!(sidecar["livenessProbe"]["httpGet"]["path"], "/healthz", "no provider ends a running process");
        for container in [envoy, sidecar] {
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                assert!(container[probe].is_object(), "{values}: {} has no {probe}", container["name"]);
            }
        }
    }
    Ok(())
}

#[test]
fn the_account_s_token_is_there_only_where_logs_of_pods_are_read() -> Outcome {
    for values in VALUES {
        let rendered = Rendered::of(values)?;
        let reads = values == "envoy-full";
        assert_eq!(rendered.pod()?["automountServiceAccountToken"], reads, "{values}");
        let roles: Vec<&Value> = rendered.of_kind("Role").collect();
        assert_eq!(roles.len(), if reads { 2 } else { 0 }, "{values}");
        let rules = json!([{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]}]);
        assert!(roles.iter().all(|role| role["rules"] == rules), "{roles:?}");
        assert_eq!(rendered.of_kind("ClusterRole").count(), 0);
    }
    Ok(())
}

#[test]
fn the_gateway_of_tcp_services_is_written_only_where_its_namespace_is_named() -> Outcome {
    let rendered = Rendered::with("envoy", &["taskGateway.namespace=edge"])?;
    assert_eq!(rendered.pod()?["automountServiceAccountToken"], true);
    let role = rendered.one("Role", "taskgate-task-gateway")?;
    assert_eq!(role["metadata"]["namespace"], "edge");
    // The sidecar's tests run it with these.
    let rules = std::fs::read_to_string(chart().join("files/gateway-rules.yaml"))?;
    assert_eq!(role["rules"], serde_saphyr::from_str::<Value>(&rules)?);
    let binding = rendered.one("RoleBinding", "taskgate-task-gateway")?;
    assert_eq!(binding["metadata"]["namespace"], "edge");
    assert_eq!(binding["roleRef"]["name"], "taskgate-task-gateway");
    assert_eq!(binding["subjects"], json!([{"kind": "ServiceAccount", "name": "taskgate", "namespace": "taskgate"}]));
    assert_eq!(rendered.of_kind("Role").count(), 1);
    assert_eq!(rendered.of_kind("ClusterRole").count(), 0);
    Ok(())
}

#[test]
fn internal_listeners_are_for_named_proxies_alone() -> Outcome {
    let ports = |rule: &Value| -> Vec<i64> {
        let ports = rule["ports"].as_array().into_iter().flatten();
        ports.filter_map(|port| port["port"].as_i64()).collect()
    };
    for values in ["envoy", "envoy-full"] {
        let rendered = Rendered::of(values)?;
        let service = rendered.one("Service", "taskgate")?;
        let targets = service["spec"]["ports"].as_array().context("no ports")?;
        assert!(targets.iter().all(|port| port["targetPort"] == 8080), "{values}: {targets:?}");
        let policy = rendered.one("NetworkPolicy", "taskgate")?;
        let rules = policy["spec"]["ingress"].as_array().context("no rules")?;
        assert!(rules.iter().all(|rule| !ports(rule).contains(&7010)), "{values}: {rules:?}");
    }
    // Nobody is named: nobody gets in.
    let nobody = Rendered::with("forward-auth", &["networkPolicy.forwardAuthProxies=null"])?;
    let ingress = &nobody.one("NetworkPolicy", "taskgate")?["spec"]["ingress"];
    assert!(ingress.is_null() || ingress == &json!([]), "{ingress}");
    // Who asks gets to no listener that has the keys, and who has the filter asks nothing.
    let wanted: [(&str, &[i64]); 4] = [
        ("forward-auth", &[7013]),
        ("forward-auth-full", &[7013, 7012]),
        ("istio", &[7010]),
        ("envoy-gateway", &[7010]),
    ];
    for (values, wanted) in wanted {
        let named = Rendered::of(values)?;
        let rules = named.one("NetworkPolicy", "taskgate")?["spec"]["ingress"].as_array().context("no rules")?;
        assert_eq!(rules.iter().flat_map(ports).collect::<Vec<_>>(), wanted, "{values}");
        assert!(rules.iter().all(|rule| rule["from"].as_array().is_some_and(|from| !from.is_empty())), "{values}");
    }
    let named = Rendered::of("forward-auth")?;
    assert_eq!(named.one("Service", "taskgate")?["spec"]["type"], "ClusterIP");
    Ok(())
}

#[test]
fn secrets_are_in_secrets_alone() -> Outcome {
    let rendered = Rendered::of("forward-auth")?;
    let secret = rendered.one("Secret", "taskgate-keys")?;
    let data = secret["data"].as_object().context("no data")?;
    assert_eq!(data.keys().collect::<Vec<_>>(), ["forward-auth-secret", "internal-secret", "k1.key"]);
    assert_ne!(data["forward-auth-secret"], data["internal-secret"]);
    let others: Vec<&Value> = rendered.0.iter().filter(|document| document["kind"] != "Secret").collect();
    let others = serde_json::to_string(&others)?;
    for value in data.values().filter_map(Value::as_str) {
        assert!(value.len() > 30 && !others.contains(value), "a secret is elsewhere too");
    }
    let again = Rendered::of("forward-auth")?;
    assert_ne!(
        again.one("Secret", "taskgate-keys")?["data"],
        secret["data"],
        "made anew, and not written in the chart"
    );
    assert_eq!(Rendered::of("envoy-full")?.of_kind("Secret").count(), 0, "it uses the operator's");
    Ok(())
}
