//! Where a copy can go on from.
//!
//! The copy is made in rounds. The first is what links lead to from the source. The next is what turned up in the
//! one before and no link leads to: what references lead to if those are expanded, and committed types that
//! datasets and attributes have. A round has three stages: objects and links are made, then attributes, then the
//! data of datasets, both in the order of the originals' ids.
//!
//! What a round consists of is not kept, but read again: a digest says whether it is still the same.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hsds::calls::incarnation::Incarnation;
use crate::hsds::id::ObjectId;

/// What is kept of a copy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The run of the server in which all since `before` was written.
    pub(super) incarnation: Incarnation,
    /// Where the copy came to.
    pub(super) newest: Checkpoint,
    /// Where it came to before, of which it is known that it is in the server's storage: `newest` counts only as
    /// long as the server did not start again.
    pub(super) before: Checkpoint,
}

/// Where a copy can go on from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The round, from 0.
    pub(super) round: u32,
    /// Where in it.
    pub(super) stage: Stage,
    /// The digest of all objects of this round and those before, once they are made.
    pub(super) digest: String,
    /// What turned up that no link leads to.
    pub(super) extras: Vec<Extra>,
    /// Objects that links lead to, and that are not there.
    pub(super) absent: Vec<Id>,
    /// How many bytes of data are copied.
    pub(super) bytes: u64,
    /// How many there are, of what has elements of one size, as far as is known.
    pub(super) total: u64,
}

/// Where in a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Objects and links are made.
    #[default]
    Structure,
    /// Attributes are copied: of all up to this original.
    Attributes {
        /// The last one that is done.
        done: Option<Id>,
    },
    /// Data is copied: of all datasets up to this original, and some of the next ones.
    Values {
        /// The last dataset of which is known that all before it are done.
        done: Option<Id>,
        /// Those behind it that were begun, and how many pieces of them are done.
        begun: Vec<(Id, u64)>,
    },
    /// All is copied, and only what makes it visible is left.
    Finish {
        /// How many objects there are.
        objects: u64,
    },
}

/// An object that no link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extra {
    /// The original.
    pub(super) id: Id,
    /// The round in which it turned up.
    pub(super) round: u32,
    /// Whether it gets a name in the root group: a reference leads to it.
    pub(super) is_named: bool,
}

/// An id, as a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(pub(super) ObjectId);

impl Saved {
    /// Where the copy goes on from, in this run of the server.
    pub(super) fn valid(self, incarnation: &Incarnation) -> Checkpoint {
        if self.incarnation.goes_on_in(incarnation) { self.newest } else { self.before }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ObjectId::parse(&text).map(Self).map_err(D::Error::custom)
    }
}
