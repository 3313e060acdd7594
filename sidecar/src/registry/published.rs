//! A service as it is published: with its id, its labels and its row.

use std::sync::Arc;

use taskgate_core::label::Label;
use taskgate_core::naming::ID_LENGTHS;
use taskgate_core::service::{InvalidService, PackedRow, Service};

use crate::discovery::inventory::Entry;

/// A service as it is published.
///
/// Invariant: `row` is the packed form of the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The canonical id.
    pub id: Label,
    /// Other labels that name it.
    pub labels: Vec<Label>,
    /// Who published it.
    pub provider: Arc<str>,
    /// What the provider knows.
    pub entry: Arc<Entry>,
    /// What verdicts and sessions are tied to; see [`Entry::epoch`].
    pub epoch: u32,
    /// The row.
    pub row: PackedRow,
}

impl Published {
    /// Packs a service's row.
    ///
    /// # Errors
    /// [`InvalidService`]: the service is not publishable.
    pub fn new(id: Label, labels: Vec<Label>, provider: Arc<str>, entry: Arc<Entry>) -> Result<Self, InvalidService> {
        let epoch = entry.epoch();
        let services = std::iter::once(entry.key.service.as_str()).chain(entry.alternatives.iter().map(String::as_str));
        let row = Service {
            id: id.as_str(),
            labels: labels.iter().map(Label::as_str).collect(),
            provider: &provider,
            operation: &entry.key.operation,
            alias: entry.alias.as_deref(),
            task: &entry.key.task,
            services: services.collect(),
            protocol: entry.protocol,
            endpoints: entry.endpoints.clone(),
            access: entry.policy.access,
            owner: entry.policy.owner.as_deref(),
            forward_credential: entry.forward_credential,
            vouched: entry.vouched,
            path: entry.path.as_deref(),
            origin: entry.origin(),
            epoch,
        }
        .pack()?;
        Ok(Self { id, labels, provider, entry, epoch, row })
    }

    /// Whether its short id is another service's, so that its id is a longer one.
    #[must_use]
    pub fn has_longer_id(&self) -> bool {
        self.id.as_str().len() > ID_LENGTHS[0]
    }

    /// Whether another has the same names and owner, whatever else differs.
    #[must_use]
    pub fn is_called_like(&self, other: &Self) -> bool {
        let (one, two) = (&self.entry, &other.entry);
        self.id == other.id
            && self.labels == other.labels
            && self.provider == other.provider
            && one.key == two.key
            && one.alternatives == two.alternatives
            && one.alias == two.alias
            && one.protocol == two.protocol
            && one.path == two.path
            && one.policy.owner == two.policy.owner
    }

    /// The id and every other label.
    pub fn all_labels(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.labels).map(Label::as_str)
    }
}
