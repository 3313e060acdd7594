//! Values that can't work are refused while the chart is rendered, with what to do.

use crate::Outcome;
use crate::rendered::refusal;

#[test]
fn values_that_can_not_work_are_refused() -> Outcome {
    let cases: [(&str, &[&str], &str); 21] = [
        ("envoy", &["config.gate.base_domains=null"], "base_domains"),
        ("envoy", &["config.keys[0].id=k9"], "config.keys is set by the chart"),
        ("envoy", &["config.internal.listen=0.0.0.0:7010"], "config.internal is set by the chart"),
        ("envoy", &["persistence.enabled=true"], "persistence needs `kind: StatefulSet`"),
        ("envoy", &["sidecar.forwardAuth.enabled=true"], "is for mode `sidecar`"),
        ("envoy", &["istio.enabled=true"], "istio.enabled needs mode `sidecar`"),
        ("istio", &["istio.image="], "istio.image is required"),
        ("istio", &["istio.sha256=abc"], "sha256"),
        ("envoy-gateway", &["envoyGateway.gateway="], "the name of the Gateway"),
        ("envoy", &["envoy.uploadBufferBytes=1000"], "uploadBufferBytes"),
        ("envoy", &["config.internal_task_gateway.gateway_ip=192.0.2.1"], "config.internal_task_gateway needs `store`"),
        ("envoy", &["replicaCount=3"], "replicaCount"),
        ("envoy", &["config.access.label=access"], "config.access is served at the public listener"),
        ("envoy-full", &["config.public.listen=0.0.0.0:80"], "config.public.listen is set by the chart"),
        ("forward-auth-full", &["config.public=null"], "is served at the public listener"),
        ("forward-auth-full", &["config.access.address=127.0.0.1:7012"], "config.access.address is on loopback"),
        ("forward-auth-full", &["config.tunnels.address=localhost:7012"], "config.tunnels.address is on loopback"),
        (
            "forward-auth-full",
            &["config.data.service.address=\\[::1\\]:80"],
            "config.data.service.address is on loopback",
        ),
        ("forward-auth-full", &["config.access.store_file=null"], "config.access needs `store`"),
        ("envoy", &["envoy.drainSeconds=50"], "larger than envoy.drainSeconds"),
        ("envoy", &["service.externalTrafficPolicy=Local"], "set service.type"),
    ];
    for (values, set, says) in cases {
        let refusal = refusal(values, set)?;
        assert!(refusal.contains(says), "{set:?}: {refusal}");
    }
    Ok(())
}
