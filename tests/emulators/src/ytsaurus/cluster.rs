//! All that the cluster knows.

use std::collections::{HashMap, VecDeque};

use super::access::Access;
use super::cypress::Cypress;
use super::error::ClusterError;
use super::guid::Guids;
use super::jobs::Jobs;
use super::operations::Operations;
use super::parameters::Parameters;
use crate::yson::{Yson, YsonFormat};

/// How many answers to mutations are kept.
const KEPT_MUTATIONS: usize = 4096;

/// The state of the cluster.
pub(super) struct Cluster {
    pub(super) access: Access,
    pub(super) cypress: Cypress,
    pub(super) operations: Operations,
    pub(super) jobs: Jobs,
    pub(super) mutations: Mutations,
    pub(super) switches: Switches,
    pub(super) guids: Guids,
}

/// How the cluster is set up.
#[derive(Debug)]
pub(super) struct Switches {
    /// Otherwise everybody is who they say, or root.
    pub(super) is_authentication_required: bool,
    /// Whether listings into the past have what started at the cursor.
    pub(super) is_cursor_inclusive: bool,
    /// Whether streams come in frames when that is accepted.
    pub(super) is_framing_enabled: bool,
    /// Commands that this cluster is too old for.
    pub(super) missing_commands: Vec<String>,
    /// Commands with one of these in their parameters are never answered.
    pub(super) hanging: Vec<String>,
}

/// Answers to mutations, for those that ask again.
#[derive(Debug, Default)]
pub(super) struct Mutations {
    answers: HashMap<String, Result<Option<Yson>, ClusterError>>,
    order: VecDeque<String>,
}

// === impl Cluster ===

impl Cluster {
    /// A cluster with nothing in it that requires authentication.
    pub(super) fn new() -> Self {
        Self {
            access: Access::default(),
            cypress: Cypress::new(),
            operations: Operations::default(),
            jobs: Jobs::default(),
            mutations: Mutations::default(),
            switches: Switches {
                is_authentication_required: true,
                is_cursor_inclusive: false,
                is_framing_enabled: true,
                missing_commands: Vec::new(),
                hanging: Vec::new(),
            },
            guids: Guids::default(),
        }
    }
}

// === impl Switches ===

impl Switches {
    /// Whether a command with these parameters is never answered.
    pub(super) fn hang(&self, parameters: &Parameters) -> bool {
        if self.hanging.is_empty() {
            return false;
        }
        let text = Yson::from(parameters.fields().clone()).to_bytes(YsonFormat::Text);
        self.hanging.iter().any(|hanging| text.windows(hanging.len()).any(|part| part == hanging.as_bytes()))
    }
}

// === impl Mutations ===

impl Mutations {
    /// The answer that a mutation had, if there was one and the caller knows that it asks again.
    pub(super) fn find(
        &self,
        id: &str,
        is_retry: bool,
    ) -> Result<Option<Result<Option<Yson>, ClusterError>>, ClusterError> {
        match self.answers.get(id) {
            Some(_) if !is_retry => {
                Err(ClusterError::generic("Duplicate request is not marked as \"retry\"").with("mutation_id", id))
            }
            known => Ok(known.cloned()),
        }
    }

    pub(super) fn keep(&mut self, id: &str, answer: Result<Option<Yson>, ClusterError>) {
        if self.answers.insert(id.to_owned(), answer).is_none() {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > KEPT_MUTATIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}
