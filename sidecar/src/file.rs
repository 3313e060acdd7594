//! Files, with errors that name the file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::digest::Digest;
use crate::random;

/// A file that could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("can't {verb} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Larger than is read into memory.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("`{}` is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

/// The most bytes of a file that count for whether it changed.
const MAX_COMPARED_BYTES: u64 = 64 << 20;

/// A file that was read, and how it can be told whether it has changed since.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadFile {
    path: PathBuf,
    /// None: it can't be told, since it was no file that can be read twice.
    digest: Option<Digest>,
}

impl ReadFile {
    /// The file at that path, which had that text.
    #[must_use]
    pub fn new(path: PathBuf, text: &str) -> Self {
        let digest = path.is_file().then(|| Digest::of(text.as_bytes()));
        Self { path, digest }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same file as it is now.
    #[must_use]
    pub fn now(&self) -> Self {
        let bytes = self.path.is_file().then(|| read(&self.path, MAX_COMPARED_BYTES).ok()).flatten();
        Self { path: self.path.clone(), digest: bytes.map(|bytes| Digest::of(&bytes)) }
    }
}

impl fmt::Debug for ReadFile {
    /// Without the digest: it may be a secret's.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(formatter)
    }
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    use std::io::Read as _;

    let io = |source| FileError::Io { verb: "read", path: path.into(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(FileError::TooLarge { path: path.into(), limit })
    }
}

/// Reads a whole text file of at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, limit)?).map_err(|_| FileError::NotText { path: path.into() })
}

/// Writes a file so that a reader sees all of it or nothing.
///
/// # Errors
/// [`FileError`].
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let io = |source| FileError::Io { verb: "write", path: path.into(), source };
    let suffix = random::non_zero().map_err(|error| io(io::Error::other(error)))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{suffix:016x}.tmp"));
    let temporary = PathBuf::from(name);
    std::fs::write(&temporary, bytes).map_err(io)?;
    std::fs::rename(&temporary, path).map_err(|source| {
        // The write failed already; a left-over temporary file adds nothing to the report.
        let _ = std::fs::remove_file(&temporary);
        io(source)
    })
}

/// Writes a file so that a reader sees all of it or nothing, also after the machine went down. Who
/// calls it must be the only one to write that file: the temporary name is always the same, so that
/// what a crash leaves behind is overwritten.
///
/// # Errors
/// [`FileError`]; the file is as it was, or as it should be.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    use std::io::Write as _;

    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let write = || {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        // The new name counts after a crash only once the directory is on the disk too.
        path.parent().map_or(Ok(()), |directory| std::fs::File::open(directory)?.sync_all())
    };
    write().map_err(|source| {
        // The write failed already; where the disk is full the rest of it should not stay there.
        let _ = std::fs::remove_file(&temporary);
        FileError::Io { verb: "write", path: path.into(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_limit_and_names_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.txt");
        write_atomically(&path, b"12345").expect("writes");
        assert_eq!(read_text(&path, 5).expect("reads"), "12345");
        assert!(matches!(read(&path, 4), Err(FileError::TooLarge { limit: 4, .. })));
        let missing = read(&directory.path().join("b.txt"), 4).expect_err("is missing");
        assert!(missing.to_string().contains("b.txt"), "{missing}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("lists").count(), 1);
    }
    #[test]
    fn a_durable_write_replaces_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.txt");
        std::fs::write(directory.path().join("a.txt.tmp"), "of a crash").expect("writes");
        write_durably(&path, b"1").expect("writes");
        write_durably(&path, b"2").expect("writes");
        assert_eq!(read_text(&path, 5).expect("reads"), "2");
        assert_eq!(std::fs::read_dir(directory.path()).expect("lists").count(), 1);
        // A name that can't be taken over.
        let taken = directory.path().join("b");
        std::fs::create_dir(&taken).expect("makes");
        std::fs::write(taken.join("c"), "").expect("writes");
        let error = write_durably(&taken, b"3").expect_err("is a directory");
        assert!(error.to_string().contains("can't write"), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).expect("lists").count(), 2);
    }
}
