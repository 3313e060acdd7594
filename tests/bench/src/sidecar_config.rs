//! The sidecar's configuration: services from a file, tokens from a list, all else by default.

use serde_json::{Value, json};

use crate::catalogue::{ACTOR, BASE_DOMAIN, token, token_hash};

/// The services file's name.
pub(crate) const SERVICES: &str = "services.yaml";

/// A configuration with that many tokens, and these sections beside it.
pub(crate) fn document(tokens: usize, sections: &[(&str, Value)]) -> String {
    let tokens: Vec<_> = (0..tokens)
        .map(|number| json!({"sha256": token_hash(&token(number)), "actor": ACTOR, "groups": ["ml"]}))
        .collect();
    let mut document = json!({
        "gate": {"base_domains": [BASE_DOMAIN]},
        "providers": [{"file": {"path": SERVICES}}],
        "verdicts": {"sources": [{"tokens": {"tokens": tokens}}]},
    });
    if let Some(document) = document.as_object_mut() {
        document.extend(sections.iter().map(|(name, section)| ((*name).to_owned(), section.clone())));
    }
    document.to_string()
}
