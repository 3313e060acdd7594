//! The sidecar's configuration: services from a file, tokens from a list, all else by default.

use serde_json::json;

use crate::catalogue::{ACTOR, BASE_DOMAIN, token, token_hash};

/// The services file's name.
pub(crate) const SERVICES: &str = "services.yaml";

/// A configuration with that many tokens.
pub(crate) fn document(tokens: usize) -> String {
    let tokens: Vec<_> = (0..tokens)
        .map(|number| json!({"sha256": token_hash(&token(number)), "actor": ACTOR, "groups": ["ml"]}))
        .collect();
    json!({
        "gate": {"base_domains": [BASE_DOMAIN]},
        "providers": [{"file": {"path": SERVICES}}],
        "verdicts": {"sources": [{"tokens": {"tokens": tokens}}]},
    })
    .to_string()
}
