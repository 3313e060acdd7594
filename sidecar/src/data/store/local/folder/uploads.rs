//! The files of uploads that can be resumed: each is named by its upload, and lies there from the request that
//! creates it until it is given its key, given up, or too old.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fsync, openat, statat, unlinkat};
use rustix::io::Errno;
use taskgate_core::time::UnixTime;

use crate::data::store::local::error::LocalError;
use crate::data::store::local::folder::{Folder, READ, Shelf, Staged, is_locked};
use crate::data::store::local::resume::{ResumeId, State};

/// The file of an upload.
#[derive(Debug)]
pub(in crate::data::store::local) enum UploadFile {
    /// Another process is at it.
    Busy,
    /// Here it is, and what was noted in it.
    Here(Staged, State),
    /// There is none.
    Missing,
}

impl Folder {
    /// Makes the file of an upload, with its note from the first moment on; false where there is one.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(in crate::data::store::local) fn make_upload(&self, state: &State) -> Result<bool, LocalError> {
        let staged = self.stage()?;
        let made =
            state.write(&staged.file).and_then(|()| match self.create(&staged, &self.uploads, &state.id.name()) {
                Ok(()) => Ok(true),
                Err(Errno::EXIST) => Ok(false),
                Err(error) => Err(LocalError::of_write(error.into())),
            });
        if !matches!(made, Ok(true)) {
            self.discard(&staged);
        } else if self.durable {
            fsync(&self.uploads)?;
        }
        made
    }

    /// Opens the file of an upload, for this process alone.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(in crate::data::store::local) fn open_upload(&self, id: ResumeId) -> Result<UploadFile, LocalError> {
        let name = id.name();
        let file = match openat(&self.uploads, &name, READ | OFlags::RDWR, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::ISDIR) => return Ok(UploadFile::Missing),
            Err(error) => return Err(error.into()),
        };
        if !is_locked(&file)? {
            return Ok(UploadFile::Busy);
        }
        // Who had the lock before may have made an object of it, or have thrown it away.
        let is_there = statat(&self.uploads, &name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|state| state.st_ino == file.metadata().map_or(0, |metadata| metadata.ino()));
        match State::read(&file).filter(|state| is_there && state.id == id) {
            Some(state) => Ok(UploadFile::Here(Staged { shelf: Shelf::Uploads, name, file }, state)),
            None => Ok(UploadFile::Missing),
        }
    }

    /// Deletes the files of uploads that nobody writes to and nobody may resume any more; how many there were.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(in crate::data::store::local) fn collect_uploads(&self, now: UnixTime) -> Result<usize, LocalError> {
        let mut collected = 0;
        for entry in Dir::read_from(&self.uploads)? {
            let entry = entry?;
            let Ok(file) = openat(&self.uploads, entry.file_name(), READ | OFlags::RDONLY, Mode::empty()) else {
                continue;
            };
            let file = File::from(file);
            let is_over = file.metadata()?.is_file() && State::read(&file).is_none_or(|state| state.is_over(now));
            // Whoever comes to have it between the two calls has a file that is deleted, as after this one.
            if is_over && is_locked(&file)? && unlinkat(&self.uploads, entry.file_name(), AtFlags::empty()).is_ok() {
                collected += 1;
            }
        }
        Ok(collected)
    }
}
