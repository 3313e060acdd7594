//! `xds.yaml` beside `static.yaml`.

use std::net::SocketAddr;

use serde_json::Value;
use taskgate_test_kit::StaticConfig;

use crate::support::Outcome;

/// The clusters that are there for another way to find a job.
const ELSEWHERE: &str = "taskgate-h";

#[test]
fn all_but_the_way_to_a_job_is_the_same() -> Outcome {
    let config = StaticConfig::new(SocketAddr::from(([127, 0, 0, 1], 1)))?;
    let (of_static, of_xds) = (config.document_of("static.yaml")?, config.document_of("xds.yaml")?);
    assert_eq!(of_xds["static_resources"]["listeners"], of_static["static_resources"]["listeners"]);
    let named = |document: &Value, name: &str| {
        let mut clusters = document["static_resources"]["clusters"].as_array().into_iter().flatten();
        clusters.find(|cluster| cluster["name"] == name).cloned().unwrap_or_default()
    };
    let mut shared = 0;
    for cluster in of_static["static_resources"]["clusters"].as_array().into_iter().flatten() {
        let name = cluster["name"].as_str().unwrap_or_default();
        if !name.starts_with(ELSEWHERE) {
            assert_eq!(named(&of_xds, name), *cluster, "{name}");
            shared += 1;
        }
    }
    assert!(shared >= 4, "{shared} clusters are compared");
    // What holds for the ways of attempts holds for the clusters.
    for (name, numbered) in [("taskgate-h1", "taskgate-h1-1"), ("taskgate-h2", "taskgate-h2-1")] {
        let (here, ways, way) = (named(&of_xds, name), named(&of_static, name), named(&of_static, numbered));
        for key in ["connect_timeout", "circuit_breakers", "upstream_connection_options"] {
            assert_eq!(here[key], way[key], "{name}: {key}");
        }
        let options = |cluster: &Value, key: &str| {
            cluster["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"][key]
                .clone()
        };
        assert_eq!(options(&here, "http_filters"), options(&ways, "http_filters"), "{name}");
        for key in ["common_http_protocol_options", "explicit_http_config"] {
            assert_eq!(options(&here, key), options(&way, key), "{name}: {key}");
        }
    }
    Ok(())
}
