//! The sidecar's configuration: as `docs/ytsaurus.md` has it, all else by default.

use std::net::SocketAddr;

use serde_json::json;

use crate::catalogue::BASE_DOMAIN;
use crate::discovery::arguments::Options;
use crate::discovery::population::ROBOT_TOKEN;

/// A configuration with that cluster.
pub(crate) fn document(cluster: SocketAddr, options: &Options) -> String {
    let mut provider = json!({"proxy": format!("http://{cluster}"), "token": ROBOT_TOKEN, "table": {}});
    if let (Some((operations, jobs)), Some(fields)) = (options.periods(), provider.as_object_mut()) {
        fields.insert("operations_secs".to_owned(), json!(operations));
        fields.insert("jobs_secs".to_owned(), json!(jobs));
    }
    json!({
        "gate": {"base_domains": [BASE_DOMAIN], "platform_cookies": ["YTCypressCookie"]},
        "providers": [{"ytsaurus": provider}],
        "verdicts": {"deadline_ms": 2_000, "sources": [{"ytsaurus": {"timeout_ms": 1_500}}]},
        "state": {"directory": "state"},
    })
    .to_string()
}
