//! Uploads that can be resumed: bytes come in as many requests as the client likes, in order, and what came stays,
//! whatever becomes of the request, of the client or of this process.
//!
//! One signed URL leads to one upload, whose id is in it, so nobody else's bytes get between. All there is of an
//! upload is its file: as long as that is, so far has the client come. When the last byte is there, it is checked
//! and given its key as an object that is put whole would be. It still has the upload's id in its note: a client that
//! did not hear that it was done can ask.

mod chunk;
mod registry;
mod resuming;
mod state;
mod ticket;

use thiserror::Error;

use crate::data::store::WriteMode;
use crate::data::store::local::error::LocalError;
use crate::data::store::local::folder::UploadFile;
use crate::data::store::local::note::Facts;
use crate::data::store::local::{LocalStore, Opened};

pub(super) use crate::data::store::local::resume::registry::Registry;
pub(super) use crate::data::store::local::resume::state::State;
pub(super) use crate::data::store::local::resume::ticket::ResumeId;

pub use crate::data::store::local::resume::chunk::{ChunkDigest, InvalidChunkDigest};
pub use crate::data::store::local::resume::registry::Turn;
pub use crate::data::store::local::resume::resuming::Resuming;
pub use crate::data::store::local::resume::ticket::Ticket;

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes are there.
    pub offset: u64,
    /// How many there will be.
    pub length: u64,
    /// What is known of the object, once it is there.
    pub object: Option<Facts>,
}

/// What a request says of the bytes that it brings.
#[derive(Debug)]
pub struct Chunk {
    /// Where they begin.
    pub offset: u64,
    /// How many there are, where that is known.
    pub length: Option<u64>,
    /// The digest that they have. Without it, what came of a request that broke off stays.
    pub digest: Option<ChunkDigest>,
}

/// Why an upload does not go on.
#[derive(Debug, Error)]
pub enum ResumeError {
    /// Somebody else is at it.
    #[error("another request is writing to this upload")]
    Busy,
    /// The bytes of a request are not those that it promised; none of them was kept.
    #[error("the bytes do not have the checksum that was promised")]
    Checksum,
    /// It is complete.
    #[error("this upload is complete; ask for another URL to upload again")]
    Done,
    /// It is one of another length.
    #[error("this upload was created with {length} bytes")]
    Length {
        /// How many bytes it has.
        length: u64,
    },
    /// Nobody created it, or it was given up.
    #[error("there is no such upload")]
    Missing,
    /// The bytes do not follow those that are there.
    #[error("the upload goes on at byte {offset}")]
    Offset {
        /// Where it goes on.
        offset: u64,
    },
    /// What can go wrong with any object.
    #[error(transparent)]
    Store(#[from] LocalError),
}

/// What there is of an upload.
enum Found {
    Done(Progress),
    Going(Box<Resuming>),
    Nothing,
}

impl LocalStore {
    /// The right to write to an upload, where no other request has it.
    #[must_use]
    pub fn try_turn(&self, ticket: &Ticket) -> Option<Turn> {
        self.uploads.try_take(ticket.id)
    }

    /// The same; a request that has it is asked to end. None where that takes too long.
    pub async fn turn(&self, ticket: &Ticket) -> Option<Turn> {
        self.uploads.take(ticket.id).await
    }

    /// Creates an upload, or finds the one that was created with as many bytes. It blocks.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub fn create_upload(&self, ticket: &Ticket, length: u64, turn: &Turn) -> Result<Progress, ResumeError> {
        if let Some(promised) = ticket.expected.size.filter(|size| *size != length) {
            return Err(LocalError::Length { came: length, promised }.into());
        }
        let made = match self.find(ticket, turn)? {
            Found::Done(_) => return Err(ResumeError::Done),
            Found::Going(upload) => upload,
            Found::Nothing => {
                self.bounds.within(&ticket.expected).admit(&self.folder, length)?;
                // The last word on that is spoken at the end; this spares the client the way there.
                if ticket.mode == WriteMode::Create && self.object(&ticket.key)?.is_some() {
                    return Err(LocalError::Exists.into());
                }
                self.folder.make_upload(&State::new(ticket, length)?)?;
                match self.find(ticket, turn)? {
                    Found::Going(upload) => upload,
                    // Another process was faster, in whatever it did.
                    Found::Done(_) | Found::Nothing => return Err(ResumeError::Busy),
                }
            }
        };
        if made.length() == length { made.settle() } else { Err(ResumeError::Length { length: made.length() }) }
    }

    /// How far an upload is. It blocks.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub fn upload_progress(&self, ticket: &Ticket, turn: &Turn) -> Result<Progress, ResumeError> {
        match self.find(ticket, turn)? {
            Found::Done(progress) => Ok(progress),
            Found::Going(upload) => upload.settle(),
            Found::Nothing => Err(ResumeError::Missing),
        }
    }

    /// Goes on with an upload. It blocks.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub fn resume_upload(&self, ticket: &Ticket, chunk: Chunk, turn: &Turn) -> Result<Resuming, ResumeError> {
        match self.find(ticket, turn)? {
            Found::Done(_) => Err(ResumeError::Done),
            Found::Going(upload) => upload.begin(chunk, self.bounds),
            Found::Nothing => Err(ResumeError::Missing),
        }
    }

    /// Gives an upload up: what came of it goes. It blocks.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub fn discard_upload(&self, ticket: &Ticket, turn: &Turn) -> Result<(), ResumeError> {
        match self.find(ticket, turn)? {
            Found::Done(_) => Err(ResumeError::Done),
            Found::Going(upload) => {
                upload.discard();
                Ok(())
            }
            Found::Nothing => Err(ResumeError::Missing),
        }
    }

    fn find(&self, ticket: &Ticket, turn: &Turn) -> Result<Found, ResumeError> {
        match self.folder.open_upload(ticket.id)? {
            UploadFile::Busy => Err(ResumeError::Busy),
            UploadFile::Here(staged, state) => {
                let upload = Resuming::open(&self.folder, ticket, staged, state, turn)?;
                Ok(Found::Going(Box::new(upload)))
            }
            UploadFile::Missing => match self.object(&ticket.key)? {
                Some(Opened { file, facts }) if State::read(&file).is_some_and(|state| state.id == ticket.id) => {
                    let size = facts.size;
                    Ok(Found::Done(Progress { offset: size, length: size, object: Some(facts) }))
                }
                _ => Ok(Found::Nothing),
            },
        }
    }
}

#[cfg(test)]
mod tests;
