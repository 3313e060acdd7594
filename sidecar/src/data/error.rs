//! Why a request about data was refused.

use thiserror::Error;

use crate::data::catalog::CatalogError;
use crate::data::store::StoreError;

/// Why a request about data was refused. Each has one code of Connect, and one status of HTTP.
#[derive(Debug, Error)]
pub enum DataError {
    /// The request makes no sense; the text says where.
    #[error("{0}")]
    Invalid(String),
    /// The caller is nobody that is known.
    #[error("a credential is needed")]
    Unauthenticated,
    /// The caller may not do that in this project. Strangers are told that there is no such project instead.
    #[error("{0}")]
    Denied(String),
    /// What the request is about is not there, or is nothing that the caller may know of.
    #[error("{0}")]
    NotFound(String),
    /// Something else is there already.
    #[error("{0}")]
    Exists(String),
    /// It can't be done now, but may be later.
    #[error("{0}")]
    Unavailable(String),
    /// It is not offered here.
    #[error("{0}")]
    Unimplemented(String),
    /// What it needs failed. Another attempt may go well.
    #[error("{0}")]
    Internal(String),
}

impl From<StoreError> for DataError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists => Self::Exists(error.to_string()),
            StoreError::NoUpload => Self::NotFound(error.to_string()),
            StoreError::TooLarge { .. } | StoreError::Unsupported(_) => Self::Invalid(error.to_string()),
            StoreError::Unavailable(_) => Self::Unavailable(error.to_string()),
            StoreError::Denied(_) | StoreError::Failed(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<CatalogError> for DataError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Unavailable(_) => Self::Unavailable(error.to_string()),
            CatalogError::Malformed(_) => Self::Internal(error.to_string()),
        }
    }
}
