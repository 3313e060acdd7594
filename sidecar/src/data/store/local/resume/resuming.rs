//! An upload that goes on.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::data::store::local::error::LocalError;
use crate::data::store::local::folder::{Folder, Staged};
use crate::data::store::local::resume::chunk::ChunkDigest;
use crate::data::store::local::resume::registry::Turn;
use crate::data::store::local::resume::state::State;
use crate::data::store::local::resume::ticket::Ticket;
use crate::data::store::local::resume::{Chunk, Progress, ResumeError};
use crate::data::store::local::write::{Bounds, Expected, Hashes, Room, Written, seal};

/// How much of a file is read at a time.
const PIECE: usize = 256 << 10;

/// An upload that goes on. What it is given stays when this goes; bytes that have a digest stay when they were all
/// there and it was right.
///
/// Its methods block: they are for a thread that may.
#[derive(Debug)]
pub struct Resuming {
    folder: Arc<Folder>,
    ticket: Ticket,
    staged: Staged,
    state: State,
    offset: u64,
    hashes: Hashes,
    chunk: Option<Begun>,
    // The last to go: whose turn is next finds the file free.
    turn: Turn,
}

/// A request's bytes.
#[derive(Debug)]
struct Begun {
    from: u64,
    digest: Option<ChunkDigest>,
    room: Room,
}

impl Resuming {
    /// Takes up what is there.
    pub(super) fn open(
        folder: &Arc<Folder>,
        ticket: &Ticket,
        staged: Staged,
        mut state: State,
        turn: &Turn,
    ) -> Result<Self, LocalError> {
        // A process that ended could not take back what it had no digest of.
        if let Some(from) = state.doubtful_from.take() {
            staged.file.set_len(from)?;
            state.write(&staged.file)?;
        }
        let offset = staged.file.metadata()?.len();
        let hashes = turn.hashes(&state).unwrap_or_else(|| Hashes::of(&ticket.expected));
        let (folder, ticket, turn) = (Arc::clone(folder), ticket.clone(), turn.clone());
        Ok(Self { folder, ticket, staged, state, offset, hashes, chunk: None, turn })
    }

    pub(super) const fn length(&self) -> u64 {
        self.state.length
    }

    /// Begins with a request's bytes.
    pub(super) fn begin(mut self, chunk: Chunk, bounds: Bounds) -> Result<Self, ResumeError> {
        let Chunk { offset, length, digest } = chunk;
        if offset != self.offset {
            return Err(ResumeError::Offset { offset: self.offset });
        }
        let left = self.state.length.saturating_sub(offset);
        if length.is_some_and(|length| length > left) {
            return Err(self.too_long(offset.saturating_add(length.unwrap_or_default())).into());
        }
        let room = bounds.admit(&self.folder, left)?;
        if digest.is_some() {
            self.state.doubtful_from = Some(offset);
            self.state.write(&self.staged.file)?;
        }
        self.chunk = Some(Begun { from: offset, digest, room });
        Ok(self)
    }

    /// Writes what came next. Where it is more than was promised, nothing of the request's bytes stays.
    ///
    /// # Errors
    /// [`LocalError::Length`], [`LocalError::NoRoom`], and what the file system refuses.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LocalError> {
        let end = self.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if end > self.state.length {
            let error = self.too_long(end);
            self.roll_back()?;
            return Err(error);
        }
        // Digests that are remembered no more are made up for before anything is added.
        self.catch_up()?;
        if let Some(Begun { from, digest, room }) = &mut self.chunk {
            room.look(&self.folder, end - *from)?;
            if let Some(digest) = digest {
                digest.add(bytes);
            }
        }
        self.staged.file.write_all_at(bytes, self.offset).map_err(LocalError::of_write)?;
        self.hashes.add(bytes);
        self.offset = end;
        Ok(())
    }

    /// Ends a request's bytes; `whole` where all of them came. With the last byte of the upload it becomes an object.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub fn end(mut self, whole: bool) -> Result<Progress, ResumeError> {
        let digest = self.chunk.as_mut().and_then(|chunk| chunk.digest.take());
        if let Some(digest) = digest {
            let is_right = digest.holds();
            if !whole || !is_right {
                self.roll_back()?;
                return if whole { Err(ResumeError::Checksum) } else { Ok(self.progress()) };
            }
            self.state.doubtful_from = None;
            self.state.write(&self.staged.file)?;
        }
        if self.offset < self.state.length {
            self.folder.keep(&self.staged)?;
            self.turn.remember(&self.state, self.hashes.clone());
        }
        self.settle()
    }

    /// How far it is. Where all is there, it becomes an object: whoever is told that nothing is missing asks no more.
    pub(super) fn settle(mut self) -> Result<Progress, ResumeError> {
        if self.offset < self.state.length { Ok(self.progress()) } else { Ok(self.finish()?) }
    }

    /// Throws all of it away.
    pub(super) fn discard(self) {
        self.folder.discard(&self.staged);
        self.turn.forget();
    }

    fn finish(&mut self) -> Result<Progress, LocalError> {
        self.catch_up()?;
        let Ticket { key, expected, mode, .. } = &self.ticket;
        let expected = Expected { size: Some(self.state.length), ..expected.clone() };
        let sealed = self.hashes.clone().finish(&expected);
        match sealed.and_then(|note| seal(&self.folder, &self.staged, note, key, *mode)) {
            Ok(Written { facts, .. }) => {
                self.turn.forget();
                Ok(Progress { object: Some(facts), ..self.progress() })
            }
            Err(error) => {
                // What can't become the object takes no room.
                if !matches!(error, LocalError::Io(_) | LocalError::NoRoom) {
                    self.folder.discard(&self.staged);
                    self.turn.forget();
                }
                Err(error)
            }
        }
    }

    /// Reads what is there and has not gone into the digests.
    fn catch_up(&mut self) -> Result<(), LocalError> {
        if self.hashes.bytes() == self.offset {
            return Ok(());
        }
        if self.hashes.bytes() > self.offset {
            self.hashes = Hashes::of(&self.ticket.expected);
        }
        let mut piece = vec![0; PIECE];
        while self.hashes.bytes() < self.offset {
            let left = usize::try_from(self.offset - self.hashes.bytes()).unwrap_or(PIECE).min(PIECE);
            let piece = piece.get_mut(..left).unwrap_or_default();
            self.staged.file.read_exact_at(piece, self.hashes.bytes())?;
            self.hashes.add(piece);
        }
        Ok(())
    }

    /// Takes back the bytes of the request.
    fn roll_back(&mut self) -> Result<(), LocalError> {
        let Some(Begun { from, .. }) = self.chunk.take() else { return Ok(()) };
        self.staged.file.set_len(from)?;
        self.offset = from;
        if self.state.doubtful_from.take().is_some() {
            self.state.write(&self.staged.file)?;
        }
        Ok(())
    }

    const fn progress(&self) -> Progress {
        Progress { offset: self.offset, length: self.state.length, object: None }
    }

    const fn too_long(&self, came: u64) -> LocalError {
        LocalError::Length { came, promised: self.state.length }
    }
}

impl Drop for Resuming {
    fn drop(&mut self) {
        if self.state.doubtful_from.is_some() {
            // Where this fails, it is done when the upload is opened next.
            let _ = self.roll_back();
        }
    }
}
