//! Where a pod is.

use crate::data::catalog::PodSource;

/// The longest name of a namespace.
const MAX_LABEL: usize = 63;
/// The longest name of a pod.
const MAX_NAME: usize = 253;

/// Where a pod is.
///
/// Invariant: both names are such as Kubernetes gives, so they can stand in a path and lead nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodPlace {
    namespace: String,
    name: String,
}

impl PodPlace {
    /// The place that a catalog names; none where there can be no such pod.
    pub(super) fn of(source: &PodSource) -> Option<Self> {
        let PodSource { namespace, pod, .. } = source;
        let holds = is_label(namespace) && pod.len() <= MAX_NAME && pod.split('.').all(is_plain);
        holds.then(|| Self { namespace: namespace.clone(), name: pod.clone() })
    }

    /// The namespace.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The pod's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && is_plain(text)
}

/// Small letters, digits and, within, dashes.
fn is_plain(text: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_known) && !text.starts_with('-') && !text.ends_with('-')
}
