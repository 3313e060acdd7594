//! Who has which name, as it is remembered and as operators see it.

use serde::{Deserialize, Serialize};
use taskgate_core::label::Label;
use taskgate_core::time::UnixTime;
use thiserror::Error;

use crate::registry::Registry;
use crate::registry::names::NamedId;
use crate::registry::names::friendly::name::FriendlyName;
use crate::registry::names::friendly::{HeldName, Holder};
use crate::registry::names::rules::NameRules;

/// What is remembered of names for the next start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Ids: first those of services that went, who went first before the others, then those of services that are there,
    /// in the order of their names.
    pub ids: Vec<NamedId>,
    /// Friendly names, in their order.
    pub friendly: Vec<HeldName>,
}

/// A friendly name that is somebody's, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedName {
    /// The name.
    pub name: String,
    /// Whose it is; none: of a workload that nobody owns.
    pub owner: Option<String>,
    /// The workload that has it, or had it last.
    pub operation: String,
    /// Its task.
    pub task: String,
    /// Its service.
    pub service: String,
    /// Until when it is kept, in milliseconds since 1970; none where something claims it.
    pub kept_until: Option<UnixTime>,
}

/// Why a friendly name was not released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotReleased {
    /// Something claims it.
    #[error("a workload has this name; end it, or let it claim another, and then release the name")]
    InForce,
    /// It is nobody's.
    #[error("nobody has this name")]
    Unknown,
}

impl Registry {
    /// Takes what is remembered of an earlier life; before the first report. How much was left out because a name or
    /// its service is there already.
    pub fn restore(&self, Remembered { ids, friendly }: Remembered) -> usize {
        self.state().restore(ids, friendly)
    }

    /// What to remember of names.
    #[must_use]
    pub fn remembered(&self) -> Remembered {
        let ((mut ids, went), friendly) = {
            let state = self.state();
            (state.names().remembered(), state.names().held().collect())
        };
        // Sorted without the lock: the table does not wait for it.
        if let Some(there) = ids.get_mut(went..) {
            there.sort_by(|left, right| left.key().cmp(right.key()));
        }
        Remembered { ids, friendly }
    }

    /// Takes what holds for friendly names; it counts from the next report on.
    pub fn set_name_rules(&self, rules: NameRules) {
        self.state().set_name_rules(rules);
    }

    /// The friendly names that are somebody's, in their order.
    #[must_use]
    pub fn friendly_names(&self) -> Vec<ListedName> {
        let (held, kept): (Vec<HeldName>, _) = {
            let state = self.state();
            (state.names().held().collect(), state.names().kept())
        };
        let listed = held.into_iter().map(|HeldName { name, holder, key, left_at }| ListedName {
            name: name.to_string(),
            owner: match holder {
                Holder::Owner(owner) => Some(owner),
                Holder::Operation(_) => None,
            },
            operation: key.operation.clone(),
            task: key.task.clone(),
            service: key.service.clone(),
            kept_until: left_at.map(|left_at| left_at.after(kept)),
        });
        listed.collect()
    }

    /// The names that nobody gets, in their order.
    #[must_use]
    pub fn reserved_names(&self) -> Vec<String> {
        let mut reserved: Vec<String> = self.state().names().reserved().map(ToOwned::to_owned).collect();
        reserved.sort();
        reserved.dedup();
        reserved
    }

    /// Lets a friendly name go that is kept for somebody: whoever claims it gets it at once.
    ///
    /// # Errors
    /// [`NotReleased`].
    pub fn release_name(&self, name: &str) -> Result<(), NotReleased> {
        let label: Label = FriendlyName::parse(name).map_err(|_| NotReleased::Unknown)?.label().clone();
        let mut state = self.state();
        match state.release_name(&label) {
            Some(true) => {
                self.publish(&mut state);
                Ok(())
            }
            Some(false) => Err(NotReleased::InForce),
            None => Err(NotReleased::Unknown),
        }
    }
}
