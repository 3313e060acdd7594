//! The folder of a local store: `objects` has each object as a file under its raw key, `staging` what is not done,
//! `uploads` what is not done and outlasts the process.
//!
//! Every way through it goes one name at a time from an open directory and follows no symbolic link: whatever
//! somebody put there, nothing outside is read or written.

mod uploads;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock, fstatvfs, fsync, linkat, mkdirat,
    openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use crate::data::path::Key;
use crate::data::store::WriteMode;
use crate::data::store::local::error::LocalError;
use crate::random;

pub(super) use crate::data::store::local::folder::uploads::UploadFile;

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
// A file that is no file, such as a pipe, must not make opening wait.
const READ: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);
const FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP);
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR).union(Mode::RGRP);
/// How often a name is tried anew whose folder went while it was looked at.
const ATTEMPTS: usize = 16;

/// The folder of a local store.
#[derive(Debug)]
pub(super) struct Folder {
    objects: OwnedFd,
    staging: OwnedFd,
    uploads: OwnedFd,
    durable: bool,
    /// Folders of keys are made and entered under a shared lock, and cleared away when they are empty under an
    /// exclusive one. Another process may still take one away; then it is tried anew.
    folders: RwLock<()>,
}

/// A file that has no key yet. When the process ends it is free for [`Folder::collect`]: whoever has one holds its
/// lock.
#[derive(Debug)]
pub(super) struct Staged {
    shelf: Shelf,
    name: String,
    pub(super) file: File,
}

/// Where a file is that has no key yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shelf {
    /// It goes with the process that writes it.
    Staging,
    /// It stays for as long as its upload may be resumed.
    Uploads,
}

/// What was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// Nothing.
    Created,
    /// Another object, which is gone.
    Replaced,
}

impl Folder {
    /// Opens a store's folder, and makes it where it is not there.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn open(path: &Path, durable: bool) -> Result<Self, LocalError> {
        std::fs::create_dir_all(path)?;
        let root = openat(CWD, path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let below = |name| open_directory(&root, name, true, durable);
        let (objects, staging, uploads) = (below("objects")?, below("staging")?, below("uploads")?);
        Ok(Self { objects, staging, uploads, durable, folders: RwLock::new(()) })
    }

    /// Opens an object; none where there is none.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn read(&self, key: &Key) -> Result<Option<File>, LocalError> {
        let opened = self
            .parent(key, false)
            .and_then(|(parent, name)| openat(&parent, name, READ | OFlags::RDONLY, Mode::empty()));
        match opened {
            Ok(descriptor) => {
                let file = File::from(descriptor);
                Ok(file.metadata()?.is_file().then_some(file))
            }
            // A link is no object, nor is what is below an object; NXIO is a socket.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::NAMETOOLONG) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A new file without a key.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn stage(&self) -> Result<Staged, LocalError> {
        loop {
            let random: [u8; 16] = random::bytes().map_err(|error| LocalError::Io(std::io::Error::other(error)))?;
            let name = format!("{:032x}", u128::from_le_bytes(random));
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | DIRECTORY.difference(OFlags::DIRECTORY);
            let descriptor =
                openat(&self.staging, &name, flags, FILE_MODE).map_err(|error| LocalError::of_write(error.into()))?;
            let staged = Staged { shelf: Shelf::Staging, name, file: File::from(descriptor) };
            // Between the two calls somebody who collects may have taken it for an orphan.
            if is_locked(&staged.file)? && staged.file.metadata()?.nlink() == 1 {
                return Ok(staged);
            }
        }
    }

    /// Gives a file its key, in one step. On failure it is still without one.
    ///
    /// # Errors
    /// [`LocalError::Exists`], [`LocalError::Taken`], and what the file system refuses.
    pub(super) fn place(&self, staged: &Staged, key: &Key, mode: WriteMode) -> Result<Placed, LocalError> {
        if self.durable {
            staged.file.sync_all().map_err(LocalError::of_write)?;
        }
        // Nothing that the lock guards is left half done by a panic.
        let _entered = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS {
            let placed = self.parent(key, true).and_then(|(parent, name)| {
                let placed = match self.create(staged, &parent, name) {
                    Err(Errno::EXIST) if mode == WriteMode::Replace => {
                        let shelf = self.shelf(staged.shelf);
                        renameat(shelf, &staged.name, &parent, name).map(|()| Placed::Replaced)
                    }
                    Err(Errno::EXIST) if is_folder(&parent, name) => Err(Errno::ISDIR),
                    created => created.map(|()| Placed::Created),
                }?;
                if self.durable {
                    fsync(&parent)?;
                }
                Ok(placed)
            });
            match placed {
                // The folder was empty for a moment, and another process deleted it.
                Err(Errno::NOENT) => {}
                Err(Errno::EXIST) if mode == WriteMode::Create => return Err(LocalError::Exists),
                placed => return placed.map_err(taken),
            }
        }
        Err(Errno::NOENT.into())
    }

    /// Deletes an object, if it is there, and the folders that are empty then.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn delete(&self, key: &Key) -> Result<(), LocalError> {
        let _alone = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        let mut rest = key.as_str();
        let mut flags = AtFlags::empty();
        loop {
            let deleted = self.parent_of(rest, false).and_then(|(parent, name)| {
                // A folder is no object, whatever the file system thinks of unlinking one.
                if flags.is_empty() && is_folder(&parent, name) {
                    return Err(Errno::NOENT);
                }
                unlinkat(&parent, name, flags)?;
                if self.durable { fsync(&parent) } else { Ok(()) }
            });
            match deleted {
                Ok(()) => {}
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => return Ok(()),
                Err(error) if flags.is_empty() => return Err(error.into()),
                // The folder has other objects.
                Err(_) => return Ok(()),
            }
            let Some((folder, _)) = rest.rsplit_once('/') else { return Ok(()) };
            (rest, flags) = (folder, AtFlags::REMOVEDIR);
        }
    }

    /// Deletes files without a key that nobody writes to: what a crash left behind. How many there were.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn collect(&self) -> Result<usize, LocalError> {
        let mut collected = 0;
        for entry in Dir::read_from(&self.staging)? {
            let entry = entry?;
            let Ok(file) = openat(&self.staging, entry.file_name(), READ | OFlags::RDONLY, Mode::empty()) else {
                continue;
            };
            let file = File::from(file);
            let is_orphan = file.metadata()?.is_file() && is_locked(&file)?;
            if is_orphan && unlinkat(&self.staging, entry.file_name(), AtFlags::empty()).is_ok() {
                collected += 1;
            }
        }
        Ok(collected)
    }

    /// Brings a file that stays without a key to the disk, where that is asked for.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn keep(&self, staged: &Staged) -> Result<(), LocalError> {
        if self.durable { staged.file.sync_data().map_err(LocalError::of_write) } else { Ok(()) }
    }

    /// Takes a file back that has no key.
    pub(super) fn discard(&self, staged: &Staged) {
        // Where this fails it is collected later.
        let _ = unlinkat(self.shelf(staged.shelf), &staged.name, AtFlags::empty());
    }

    const fn shelf(&self, shelf: Shelf) -> &OwnedFd {
        match shelf {
            Shelf::Staging => &self.staging,
            Shelf::Uploads => &self.uploads,
        }
    }

    /// How many bytes can still be written.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn free(&self) -> Result<u64, LocalError> {
        let state = fstatvfs(&self.staging)?;
        Ok(state.f_bavail.saturating_mul(state.f_frsize))
    }

    /// Gives a file a name that nothing has.
    fn create(&self, staged: &Staged, parent: &OwnedFd, name: &str) -> Result<(), Errno> {
        let shelf = self.shelf(staged.shelf);
        match renameat_with(shelf, &staged.name, parent, name, RenameFlags::NOREPLACE) {
            // Not every file system has that; links are as good, but leave the old name.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(shelf, &staged.name, parent, name, AtFlags::empty())?;
                self.discard(staged);
                Ok(())
            }
            done => done,
        }
    }

    fn parent<'k>(&self, key: &'k Key, make: bool) -> Result<(OwnedFd, &'k str), Errno> {
        self.parent_of(key.as_str(), make)
    }

    /// The directory that something is in, and its name there.
    fn parent_of<'k>(&self, path: &'k str, make: bool) -> Result<(OwnedFd, &'k str), Errno> {
        let mut directory = fcntl_dupfd_cloexec(&self.objects, 0)?;
        let Some((folders, name)) = path.rsplit_once('/') else { return Ok((directory, path)) };
        for folder in folders.split('/') {
            directory = open_directory(&directory, folder, make, self.durable)?;
        }
        Ok((directory, name))
    }
}

fn open_directory(parent: &OwnedFd, name: &str, make: bool, durable: bool) -> Result<OwnedFd, Errno> {
    let open = || openat(parent, name, DIRECTORY, Mode::empty());
    match open() {
        Err(Errno::NOENT) if make => {
            match mkdirat(parent, name, FOLDER_MODE) {
                Ok(()) if durable => fsync(parent)?,
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
            open()
        }
        opened => opened,
    }
}

/// Takes a file's lock; whether nobody else has it.
fn is_locked(file: impl AsFd) -> Result<bool, Errno> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_folder(parent: impl AsFd, name: &str) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|state| FileType::from_raw_mode(state.st_mode) == FileType::Directory)
}

/// What a refusal of a name means.
fn taken(error: Errno) -> LocalError {
    match error {
        Errno::EXIST | Errno::ISDIR | Errno::NOTDIR | Errno::NOTEMPTY | Errno::LOOP => LocalError::Taken,
        Errno::NAMETOOLONG => LocalError::NameTooLong,
        error => LocalError::of_write(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_names_are_told_apart() {
        for error in [Errno::EXIST, Errno::ISDIR, Errno::NOTDIR, Errno::NOTEMPTY, Errno::LOOP] {
            assert!(matches!(taken(error), LocalError::Taken), "{error}");
        }
        assert!(matches!(taken(Errno::NAMETOOLONG), LocalError::NameTooLong));
        assert!(matches!(taken(Errno::NOSPC), LocalError::NoRoom));
        assert!(matches!(taken(Errno::ACCESS), LocalError::Io(_)));
    }
}
