//! Writing an object: bytes as they come, digests on the way, and its key at the end.

use std::io::Write as _;
use std::sync::Arc;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::data::path::Key;
use crate::data::store::WriteMode;
use crate::data::store::local::error::LocalError;
use crate::data::store::local::folder::{Folder, Placed, Staged};
use crate::data::store::local::note::{Facts, Note};

/// How many bytes are written until the room on the disk is looked at again.
const ROOM_EVERY: u64 = 64 << 20;

/// What an object must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// How many bytes it has.
    pub size: Option<u64>,
    /// How many bytes it has at most, if that is less than the store takes.
    pub max_size: Option<u64>,
    /// Its MD5 digest.
    pub md5: Option<[u8; 16]>,
    /// Its SHA-256 digest.
    pub sha256: Option<[u8; 32]>,
    /// Whether the MD5 digest becomes metadata.
    pub md5_metadata: bool,
}

/// How large objects may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The most bytes of one.
    pub(super) most: u64,
    /// How many bytes of the disk stay free.
    pub(super) keep_free: u64,
}

/// An object that is being written. Without [`Writing::finish`] nothing of it stays.
///
/// Its methods block: they are for a thread that may.
#[derive(Debug)]
pub struct Writing {
    folder: Arc<Folder>,
    staged: Staged,
    bounds: Bounds,
    expected: Expected,
    sha256: Sha256,
    /// Only where it was asked for: it takes longer than all the rest together.
    md5: Option<Md5>,
    written: u64,
    next_look: u64,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What was there before.
    pub placed: Placed,
    /// What is known of it.
    pub facts: Facts,
}

impl Writing {
    /// Begins one.
    ///
    /// # Errors
    /// [`LocalError::TooLarge`] and [`LocalError::NoRoom`] where its size says so already.
    pub(super) fn begin(folder: &Arc<Folder>, bounds: Bounds, expected: Expected) -> Result<Self, LocalError> {
        let most = expected.max_size.map_or(bounds.most, |most| most.min(bounds.most));
        let (bounds, size) = (Bounds { most, ..bounds }, expected.size.unwrap_or_default());
        if size > bounds.most {
            return Err(LocalError::TooLarge { most: bounds.most });
        }
        room(folder, bounds, size)?;
        let md5 = expected.md5.map(|_| Md5::new());
        Ok(Self {
            folder: Arc::clone(folder),
            staged: folder.stage()?,
            bounds,
            expected,
            sha256: Sha256::new(),
            md5,
            written: 0,
            next_look: ROOM_EVERY,
        })
    }

    /// Writes what came next.
    ///
    /// # Errors
    /// [`LocalError::Length`], [`LocalError::TooLarge`], [`LocalError::NoRoom`], and what the file system refuses.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        self.written = self.written.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(promised) = self.expected.size.filter(|size| self.written > *size) {
            return Err(LocalError::Length { came: self.written, promised });
        }
        if self.written > self.bounds.most {
            return Err(LocalError::TooLarge { most: self.bounds.most });
        }
        if self.written >= self.next_look {
            room(&self.folder, self.bounds, 0)?;
            self.next_look = self.written.saturating_add(ROOM_EVERY);
        }
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.staged.file.write_all(bytes).map_err(LocalError::of_write)
    }

    /// Gives it its key, if it is what was expected.
    ///
    /// # Errors
    /// [`LocalError`]; nothing has changed then.
    pub fn finish(mut self, key: &Key, mode: WriteMode) -> Result<Written, LocalError> {
        if let Some(promised) = self.expected.size.filter(|size| self.written != *size) {
            return Err(LocalError::Length { came: self.written, promised });
        }
        let sha256 = <[u8; 32]>::from(self.sha256.finalize_reset());
        if self.expected.sha256.is_some_and(|expected| expected != sha256) {
            return Err(LocalError::Digest("SHA-256"));
        }
        let md5 = self.md5.take().map(|md5| <[u8; 16]>::from(md5.finalize()));
        if self.expected.md5.is_some_and(|expected| Some(expected) != md5) {
            return Err(LocalError::Digest("MD5"));
        }
        let md5_metadata = self.expected.md5_metadata && md5.is_some();
        Note { sha256, md5, md5_metadata }.write(&self.staged.file)?;
        let facts = Facts::of(&self.staged.file)?;
        let placed = self.folder.place(&self.staged, key, mode)?;
        Ok(Written { placed, facts })
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Once it has its key there is nothing under this name.
        self.folder.discard(&self.staged);
    }
}

/// Whether `size` more bytes have room.
fn room(folder: &Folder, bounds: Bounds, size: u64) -> Result<(), LocalError> {
    if folder.free()? < bounds.keep_free.saturating_add(size) { Err(LocalError::NoRoom) } else { Ok(()) }
}
