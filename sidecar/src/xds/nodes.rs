//! Which proxies are talked to: by the id and the cluster that they say they are.
//!
//! It keeps a proxy of another installation from taking our addresses by mistake. Who means harm can say
//! any id: that is what the listener's place and its secret are for.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;

use crate::config::resolve::InvalidSetting;

/// The most patterns of one kind.
const MAX_PATTERNS: usize = 1_000;
/// The longest id that is looked at.
const MAX_NAME: usize = 256;

/// Which proxies are talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    ids: Arc<[Pattern]>,
    clusters: Arc<[Pattern]>,
}

/// A name, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exact(String),
    Prefix(String),
}

impl Nodes {
    /// Those whose id and cluster are among these; a `*` at the end of one stands for anything.
    ///
    /// # Errors
    /// [`InvalidSetting`].
    pub fn new(ids: &[String], clusters: &[String]) -> Result<Self, InvalidSetting> {
        Ok(Self { ids: patterns("xds.node_ids", ids)?, clusters: patterns("xds.node_clusters", clusters)? })
    }

    /// Whether a proxy is one of those.
    #[must_use]
    pub fn admit(&self, node: &Node) -> bool {
        let among = |patterns: &[Pattern], name: &str| {
            !name.is_empty() && name.len() <= MAX_NAME && patterns.iter().any(|pattern| pattern.matches(name))
        };
        among(&self.ids, &node.id) && among(&self.clusters, &node.cluster)
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

fn patterns(key: &str, texts: &[String]) -> Result<Arc<[Pattern]>, InvalidSetting> {
    if texts.is_empty() || texts.len() > MAX_PATTERNS {
        return Err(InvalidSetting::new(key, format!("is not 1 to {MAX_PATTERNS} names; `\"*\"` is any")));
    }
    let pattern = |(index, text): (usize, &String)| {
        let (name, is_prefix) = text.strip_suffix('*').map_or((text.as_str(), false), |prefix| (prefix, true));
        if text.is_empty() || name.contains('*') || text.len() > MAX_NAME {
            let reason = "is no name, or the beginning of one with `*` at its end";
            return Err(InvalidSetting::new(format!("{key}[{index}]"), reason));
        }
        Ok(if is_prefix { Pattern::Prefix(name.to_owned()) } else { Pattern::Exact(name.to_owned()) })
    };
    texts.iter().enumerate().map(pattern).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, cluster: &str) -> Node {
        Node { id: id.into(), cluster: cluster.into(), ..Node::default() }
    }

    #[test]
    fn both_names_must_be_known() {
        let nodes = Nodes::new(&["edge-*".into(), "one".into()], &["taskgate".into()]).expect("patterns");
        for (id, cluster) in [("edge-", "taskgate"), ("edge-7f", "taskgate"), ("one", "taskgate")] {
            assert!(nodes.admit(&node(id, cluster)), "{id} {cluster}");
        }
        let long = format!("edge-{}", "x".repeat(MAX_NAME));
        for (id, cluster) in [
            ("edge", "taskgate"),
            ("one-more", "taskgate"),
            ("One", "taskgate"),
            ("one", "taskgate2"),
            ("one", ""),
            ("", "taskgate"),
            (&*long, "taskgate"),
        ] {
            assert!(!nodes.admit(&node(id, cluster)), "{id} {cluster}");
        }
        let any = Nodes::new(&["*".into()], &["*".into()]).expect("patterns");
        assert!(any.admit(&node("x", "y")) && !any.admit(&node("", "y")));
    }
}
