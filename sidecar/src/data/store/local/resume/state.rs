//! What is noted of an upload beside its bytes, in an extended attribute of its file. How far it is, is not among
//! that: it is the file's size.

use std::fs::File;
use std::time::Duration;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use taskgate_core::time::UnixTime;

use crate::data::store::local::error::LocalError;
use crate::data::store::local::resume::ticket::{ResumeId, Ticket};
use crate::random;

/// The attribute's name.
const NAME: &str = "user.taskgate.upload";
/// What an attribute starts with that this release can read.
const FORMAT: &str = "1";
/// The most bytes of one.
const MOST: usize = 256;
/// How long a file stays that nobody may write to any more: clocks differ.
const LEEWAY: Duration = Duration::from_secs(600);

/// What is noted of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data::store::local) struct State {
    pub(in crate::data::store::local) id: ResumeId,
    /// What sets it apart from another one with that id that was given up.
    pub(super) life: u64,
    /// How many bytes it will have.
    pub(super) length: u64,
    pub(super) expires: UnixTime,
    /// Where bytes begin that count only once all of their request are there.
    pub(super) doubtful_from: Option<u64>,
}

impl State {
    /// That of a new upload.
    ///
    /// # Errors
    /// There is no randomness.
    pub(super) fn new(ticket: &Ticket, length: u64) -> Result<Self, LocalError> {
        let life = random::non_zero().map_err(|error| LocalError::Io(std::io::Error::other(error)))?;
        Ok(Self { id: ticket.id, life, length, expires: ticket.expires, doubtful_from: None })
    }

    /// Whether nobody may write to it any more.
    pub(in crate::data::store::local) fn is_over(&self, now: UnixTime) -> bool {
        now >= self.expires.after(LEEWAY)
    }

    /// Notes it.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(in crate::data::store::local) fn write(&self, file: &File) -> Result<(), LocalError> {
        let Self { id, life, length, expires, doubtful_from } = self;
        let (id, expires) = (id.name(), expires.as_millis());
        let from = doubtful_from.map_or_else(|| "-".to_owned(), |from| from.to_string());
        let text = format!("{FORMAT} {id} {life} {length} {expires} {from}");
        fsetxattr(file, NAME, text.as_bytes(), XattrFlags::empty()).map_err(|error| LocalError::of_write(error.into()))
    }

    /// Reads what is noted; none where that is nothing that makes sense.
    pub(in crate::data::store::local) fn read(file: &File) -> Option<Self> {
        let mut buffer = [0; MOST];
        let length = fgetxattr(file, NAME, &mut buffer[..]).ok()?;
        let text = std::str::from_utf8(buffer.get(..length)?).ok()?;
        let [FORMAT, id, life, length, expires, from] = text.split(' ').collect::<Vec<_>>()[..] else { return None };
        Some(Self {
            id: ResumeId::parse(id)?,
            life: life.parse().ok()?,
            length: length.parse().ok()?,
            expires: UnixTime::from_millis(expires.parse().ok()?),
            doubtful_from: if from == "-" { None } else { Some(from.parse().ok()?) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(doubtful_from: Option<u64>) -> State {
        let id = ResumeId::parse("000102030405060708090a0b0c0d0e0f").expect("an id");
        State { id, life: 7, length: u64::MAX, expires: UnixTime::from_millis(5), doubtful_from }
    }

    #[test]
    fn what_is_noted_comes_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = File::create(directory.path().join("a")).expect("a file");
        assert_eq!(State::read(&file), None);
        for state in [state(None), state(Some(0)), state(Some(u64::MAX))] {
            state.write(&file).expect("writes");
            assert_eq!(State::read(&file), Some(state));
        }
        let id = "000102030405060708090a0b0c0d0e0f";
        for text in [
            String::new(),
            format!("2 {id} 7 5 5 -"),
            format!("1 {id} 7 5 5"),
            format!("1 {id} 7 5 5 - -"),
            format!("1 {} 7 5 5 -", id.to_uppercase()),
            format!("1 {id}0 7 5 5 -"),
            format!("1 {id} 7 -5 5 -"),
            format!("1 {id} 7 5 5 x"),
            "x".repeat(MOST + 1),
        ] {
            fsetxattr(&file, NAME, text.as_bytes(), XattrFlags::empty()).expect("sets");
            assert_eq!(State::read(&file), None, "{text}");
        }
    }

    #[test]
    fn it_is_over_a_while_after_its_end() {
        let leeway = 600_000;
        assert!(!state(None).is_over(UnixTime::from_millis(4 + leeway)));
        assert!(state(None).is_over(UnixTime::from_millis(5 + leeway)));
    }
}
