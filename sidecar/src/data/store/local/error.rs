//! Why the local store did not do it.

use std::io;

use thiserror::Error;

use crate::data::store::StoreError;

/// Why the local store did not do it. It names no file: keys are in the log beside it, and clients know theirs.
#[derive(Debug, Error)]
pub enum LocalError {
    /// The digest of what came is not the one that was promised.
    #[error("the bytes do not have the {0} digest that was promised")]
    Digest(&'static str),
    /// There is an object already.
    #[error("there is an object already")]
    Exists,
    /// The file system refused.
    #[error("the file system refuses: {0}")]
    Io(#[from] io::Error),
    /// Another number of bytes came than was promised.
    #[error("there are {came} bytes or more, and {promised} were promised")]
    Length {
        /// How many came before it was given up.
        came: u64,
        /// How many should have come.
        promised: u64,
    },
    /// A part of the key is longer than this file system's names.
    #[error("a part of the key is longer than names can be on this file system")]
    NameTooLong,
    /// The disk is full, or as full as it may become.
    #[error("there is no room for that on the disk")]
    NoRoom,
    /// The name can't be had: a part of the way is an object, or objects are below it.
    #[error("the key leads through another object, or is a folder of others")]
    Taken,
    /// The object would be larger than one may be.
    #[error("an object may have {most} bytes")]
    TooLarge {
        /// What it may have.
        most: u64,
    },
}

impl From<rustix::io::Errno> for LocalError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Io(error.into())
    }
}

impl LocalError {
    /// The same, told what a full disk is.
    pub(super) fn of_write(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::NoRoom,
            _ => Self::Io(error),
        }
    }
}

impl From<LocalError> for StoreError {
    fn from(error: LocalError) -> Self {
        match error {
            LocalError::Exists => Self::Exists,
            LocalError::Taken => {
                Self::Unsupported("keep an object below the name of another one, or where others are below its name")
            }
            LocalError::NameTooLong => Self::Unsupported("keep so long a name on its file system"),
            LocalError::TooLarge { most } => Self::TooLarge { size: most.saturating_add(1), most },
            LocalError::NoRoom => Self::Unavailable(error.to_string()),
            LocalError::Digest(_) | LocalError::Io(_) | LocalError::Length { .. } => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        for error in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT, rustix::io::Errno::FBIG] {
            let error = LocalError::of_write(error.into());
            assert!(matches!(error, LocalError::NoRoom), "{error}");
            assert!(matches!(StoreError::from(error), StoreError::Unavailable(_)));
        }
        assert!(matches!(LocalError::of_write(rustix::io::Errno::IO.into()), LocalError::Io(_)));
    }
}
