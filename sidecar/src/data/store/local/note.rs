//! What is kept of an object beside its bytes: digests, in an extended attribute of its file.
//!
//! The attribute is set before the file gets its name, so bytes and digests change at one moment. It says for
//! which size and time of change it holds: a file that somebody else wrote to has no digests, rather than wrong
//! ones.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
use taskgate_core::time::UnixTime;

use crate::data::store::local::error::LocalError;

/// The attribute's name.
const NAME: &str = "user.taskgate";
/// What an attribute starts with that this release can read.
const FORMAT: &str = "1";
/// The most bytes of one.
const MOST: usize = 256;

/// Digests of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its SHA-256 digest.
    pub sha256: [u8; 32],
    /// Its MD5 digest, where one was made.
    pub md5: Option<[u8; 16]>,
    /// Whether the MD5 digest is metadata that clients asked for (`flyteContentMD5`).
    pub md5_metadata: bool,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its size in bytes.
    pub size: u64,
    /// When it was last changed.
    pub modified: UnixTime,
    /// Its digests, where they were kept and still hold.
    pub note: Option<Note>,
    /// Its strong entity tag, with its quotes.
    pub etag: String,
}

impl Facts {
    /// What is known of a file.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn of(file: &File) -> Result<Self, LocalError> {
        let metadata = file.metadata()?;
        let note = Note::read(file, &metadata);
        let etag = match &note {
            Some(note) => format!("\"{}\"", URL_SAFE_NO_PAD.encode(note.sha256)),
            // Every write through this store gives another file; other programs change at least its time.
            None => format!("\"f-{:x}-{}-{:x}\"", metadata.ino(), stamp(&metadata), metadata.size()),
        };
        let modified = u64::try_from(stamp(&metadata) / 1_000_000).unwrap_or_default();
        Ok(Self { size: metadata.size(), modified: UnixTime::from_millis(modified), note, etag })
    }
}

impl Note {
    /// Writes it to a file, which must not change any more.
    ///
    /// # Errors
    /// [`LocalError`].
    pub(super) fn write(&self, file: &File) -> Result<(), LocalError> {
        let metadata = file.metadata()?;
        let text = format!(
            "{FORMAT} {} {} {} {} {}",
            metadata.size(),
            stamp(&metadata),
            URL_SAFE_NO_PAD.encode(self.sha256),
            self.md5.map_or_else(|| "-".to_owned(), |digest| URL_SAFE_NO_PAD.encode(digest)),
            u8::from(self.md5_metadata),
        );
        fsetxattr(file, NAME, text.as_bytes(), XattrFlags::empty()).map_err(|error| LocalError::of_write(error.into()))
    }

    /// Reads the one of a file; none where there is none that holds.
    fn read(file: &File, metadata: &Metadata) -> Option<Self> {
        let mut buffer = [0; MOST];
        let length = fgetxattr(file, NAME, &mut buffer[..]).ok()?;
        let text = std::str::from_utf8(buffer.get(..length)?).ok()?;
        let mut parts = text.split(' ');
        let holds = parts.next() == Some(FORMAT)
            && parts.next()?.parse() == Ok(metadata.size())
            && parts.next()?.parse() == Ok(stamp(metadata));
        let sha256 = digest(parts.next()?)?;
        let md5 = match parts.next()? {
            "-" => None,
            text => Some(digest(text)?),
        };
        let md5_metadata = parts.next()? == "1";
        (holds && parts.next().is_none()).then_some(Self { sha256, md5, md5_metadata })
    }
}

fn digest<const COUNT: usize>(text: &str) -> Option<[u8; COUNT]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// When a file was changed, in nanoseconds.
fn stamp(metadata: &Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_note_holds_until_the_file_changes() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut file = File::create(directory.path().join("a")).expect("a file");
        file.write_all(b"abc").expect("writes");
        assert_eq!(Facts::of(&file).expect("facts").note, None);
        for md5 in [None, Some([7; 16])] {
            let note = Note { sha256: *crate::digest::Digest::of(b"abc").as_bytes(), md5, md5_metadata: md5.is_some() };
            note.write(&file).expect("writes");
            let facts = Facts::of(&file).expect("facts");
            assert_eq!((facts.note, facts.size), (Some(note), 3));
            assert_eq!(facts.etag, "\"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0\"");
        }
        file.write_all(b"d").expect("writes");
        let facts = Facts::of(&file).expect("facts");
        assert_eq!((facts.note, facts.size), (None, 4));
        assert!(facts.etag.starts_with("\"f-"), "{}", facts.etag);
    }

    #[test]
    fn what_is_no_note_is_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = File::create(directory.path().join("a")).expect("a file");
        let stamp = stamp(&file.metadata().expect("metadata"));
        let digest = URL_SAFE_NO_PAD.encode([1; 32]);
        let read = |text: &str| {
            fsetxattr(&file, NAME, text.as_bytes(), XattrFlags::empty()).expect("sets");
            Facts::of(&file).expect("facts").note
        };
        assert!(read(&format!("1 0 {stamp} {digest} - 0")).is_some());
        for text in [
            String::new(),
            format!("2 0 {stamp} {digest} - 0"),
            format!("1 1 {stamp} {digest} - 0"),
            format!("1 0 {} {digest} - 0", stamp + 1),
            format!("1 0 {stamp} {digest} x 0"),
            format!("1 0 {stamp} {digest} - 0 0"),
            format!("1 0 {stamp} {digest} -"),
            format!("1 0 {stamp} aaaa - 0"),
            "x".repeat(400),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
    }
}
