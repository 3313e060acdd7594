//! The operations that there are, by name.

mod assignment;
pub mod command;
pub mod configured;
pub mod http;
pub mod noop;
pub mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tasks::operation::Operation;

/// The operations that there are, by name.
#[derive(Clone, Debug, Default)]
pub struct Operations {
    by_name: BTreeMap<String, Arc<dyn Operation>>,
}

impl Operations {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those that every Taskgate has.
    #[must_use]
    pub fn built_in() -> Self {
        Self::none().with(Arc::new(noop::Noop::new()))
    }

    /// These and one more; it takes the place of one with the same name.
    #[must_use]
    pub fn with(mut self, operation: Arc<dyn Operation>) -> Self {
        self.by_name.insert(operation.description().name.clone(), operation);
        self
    }

    /// The one with that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<dyn Operation>> {
        self.by_name.get(name)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Operation>> {
        self.by_name.values()
    }
}
