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
    most: u64,
    expected: Expected,
    hashes: Hashes,
    room: Room,
}

/// An object that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// What was there before.
    pub placed: Placed,
    /// What is known of it.
    pub facts: Facts,
}

/// The digests of an object's first bytes.
#[derive(Clone, Debug)]
pub(super) struct Hashes {
    sha256: Sha256,
    /// Only where it was asked for: it takes longer than all the rest together.
    md5: Option<Md5>,
    bytes: u64,
}

/// The room on the disk, looked at now and then.
#[derive(Debug)]
pub(super) struct Room {
    keep_free: u64,
    next_look: u64,
}

impl Writing {
    /// Begins one.
    ///
    /// # Errors
    /// [`LocalError::TooLarge`] and [`LocalError::NoRoom`] where its size says so already.
    pub(super) fn begin(folder: &Arc<Folder>, bounds: Bounds, expected: Expected) -> Result<Self, LocalError> {
        let bounds = bounds.within(&expected);
        let room = bounds.admit(folder, expected.size.unwrap_or_default())?;
        Ok(Self {
            folder: Arc::clone(folder),
            staged: folder.stage()?,
            most: bounds.most,
            hashes: Hashes::of(&expected),
            expected,
            room,
        })
    }

    /// Writes what came next.
    ///
    /// # Errors
    /// [`LocalError::Length`], [`LocalError::TooLarge`], [`LocalError::NoRoom`], and what the file system refuses.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        let came = self.hashes.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(promised) = self.expected.size.filter(|size| came > *size) {
            return Err(LocalError::Length { came, promised });
        }
        if came > self.most {
            return Err(LocalError::TooLarge { most: self.most });
        }
        self.room.look(&self.folder, came)?;
        self.staged.file.write_all(bytes).map_err(LocalError::of_write)?;
        self.hashes.add(bytes);
        Ok(())
    }

    /// Gives it its key, if it is what was expected.
    ///
    /// # Errors
    /// [`LocalError`]; nothing has changed then.
    pub fn finish(self, key: &Key, mode: WriteMode) -> Result<Written, LocalError> {
        let note = self.hashes.clone().finish(&self.expected)?;
        seal(&self.folder, &self.staged, note, key, mode)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Once it has its key there is nothing under this name.
        self.folder.discard(&self.staged);
    }
}

impl Hashes {
    /// Those of nothing yet, for an object that must be so.
    pub(super) fn of(expected: &Expected) -> Self {
        Self { sha256: Sha256::new(), md5: expected.md5.map(|_| Md5::new()), bytes: 0 }
    }

    /// How many bytes they are of.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Those with the next bytes.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// What is noted of an object with these bytes, if it is what was expected.
    ///
    /// # Errors
    /// [`LocalError::Length`], [`LocalError::Digest`].
    pub(super) fn finish(self, expected: &Expected) -> Result<Note, LocalError> {
        if let Some(promised) = expected.size.filter(|size| self.bytes != *size) {
            return Err(LocalError::Length { came: self.bytes, promised });
        }
        let sha256 = <[u8; 32]>::from(self.sha256.finalize());
        if expected.sha256.is_some_and(|expected| expected != sha256) {
            return Err(LocalError::Digest("SHA-256"));
        }
        let md5 = self.md5.map(|md5| <[u8; 16]>::from(md5.finalize()));
        if expected.md5.is_some_and(|expected| Some(expected) != md5) {
            return Err(LocalError::Digest("MD5"));
        }
        Ok(Note { sha256, md5, md5_metadata: expected.md5_metadata && md5.is_some() })
    }
}

impl Bounds {
    /// Those of an object that must be so.
    pub(super) fn within(self, expected: &Expected) -> Self {
        Self { most: expected.max_size.map_or(self.most, |most| most.min(self.most)), ..self }
    }

    /// Room for so many bytes.
    ///
    /// # Errors
    /// [`LocalError::TooLarge`], [`LocalError::NoRoom`].
    pub(super) fn admit(self, folder: &Folder, bytes: u64) -> Result<Room, LocalError> {
        let Self { most, keep_free } = self;
        if bytes > most {
            return Err(LocalError::TooLarge { most });
        }
        if folder.free()? < keep_free.saturating_add(bytes) {
            return Err(LocalError::NoRoom);
        }
        Ok(Room { keep_free, next_look: ROOM_EVERY })
    }
}

impl Room {
    /// Whether there is still room, after so many bytes.
    ///
    /// # Errors
    /// [`LocalError::NoRoom`].
    pub(super) fn look(&mut self, folder: &Folder, written: u64) -> Result<(), LocalError> {
        if written >= self.next_look {
            if folder.free()? < self.keep_free {
                return Err(LocalError::NoRoom);
            }
            self.next_look = written.saturating_add(ROOM_EVERY);
        }
        Ok(())
    }
}

/// Gives a file its key, with what is noted of it.
///
/// # Errors
/// [`LocalError`]; it has no key then.
pub(super) fn seal(
    folder: &Folder,
    staged: &Staged,
    note: Note,
    key: &Key,
    mode: WriteMode,
) -> Result<Written, LocalError> {
    note.write(&staged.file)?;
    let facts = Facts::of(&staged.file)?;
    let placed = folder.place(staged, key, mode)?;
    Ok(Written { placed, facts })
}
