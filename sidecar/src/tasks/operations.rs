//! The operations that there are, by name.

mod assignment;
pub mod checksum;
pub mod choose;
pub mod command;
pub mod configured;
pub mod convert;
pub mod copy;
pub mod durable;
pub mod element_wise;
pub mod factor;
pub mod fault;
pub mod http;
pub mod noop;
pub mod numbers;
pub mod place;
pub mod reduce;
pub mod rescan;
pub mod ufunc;
pub mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tasks::operation::Operation;
use crate::tasks::operations::element_wise::{ElementWise, Pace};

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
        Self::of_datasets(Pace::default()).with(Arc::new(noop::Noop::new())).with(Arc::new(copy::Copy::new()))
    }

    /// Those that compute with the elements of datasets.
    #[must_use]
    pub fn of_datasets(pace: Pace) -> Self {
        ufunc::operations(pace)
            .chain(reduce::operations(pace))
            .fold(Self::none(), Self::with)
            .with(Arc::new(ElementWise::new(choose::Where::default(), pace)))
            .with(Arc::new(ElementWise::new(choose::ClipTo::default(), pace)))
            .with(Arc::new(ElementWise::new(convert::Fill::default(), pace)))
            .with(Arc::new(ElementWise::new(convert::Astype::default(), pace)))
            .with(Arc::new(factor::Factor::new(pace)))
            .with(Arc::new(checksum::Checksum::new(pace)))
            .with(Arc::new(rescan::Rescan::default()))
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
