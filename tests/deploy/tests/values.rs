//! Values that can't work are refused while the chart is rendered, with what to do.

use crate::Outcome;
use crate::rendered::refusal;

#[test]
fn values_that_can_not_work_are_refused() -> Outcome {
    let cases: [(&str, &[&str], &str); 12] = [
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
    ];
    for (values, set, says) in cases {
        let refusal = refusal(values, set)?;
        assert!(refusal.contains(says), "{set:?}: {refusal}");
    }
    Ok(())
}
