//! The feed that carries the table from the sidecar to each worker: its pages and their wire form.
//!
//! Every change of the sidecar's table has a number. A reader asks for what came after the number it
//! is at and gets a page: the rows that changed since (as they are now) and the ids that went. A
//! new reader starts at 0 and so gets the whole table, a page at a time: no callback of a worker
//! ever handles more than one page. Epochs tell one life of a sidecar from the next: numbers of
//! different epochs are never compared.
//!
//! The sidecar remembers so many removals and no more. A reader that has not seen one that is forgotten
//! must start anew, or it would keep a row for ever. That counts from where the reader *began*: a
//! removal from before it is of a row that it never got. So whoever begins comes to the end, however
//! much was forgotten before.

use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::GateConfig;
use crate::key::KeyId;
use crate::revocation::Revocation;

/// The version of the wire form; a reader refuses any other.
pub const FORMAT: u8 = 6;
/// The most rows a page holds: a worker serves nobody while it takes them, which is about a millisecond.
pub const PAGE_ROWS: usize = 150;
/// The header that marks an answer as the sidecar's own, and not a proxy's.
pub const ANSWER_HEADER: &str = "x-taskgate-answer";
/// The value of [`ANSWER_HEADER`] on a page.
pub const TABLE_ANSWER: &str = "table-v1";

/// Where a reader is in the feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Which life of the sidecar; 0: none yet.
    pub epoch: u64,
    /// The last change seen in that life.
    pub number: u64,
    /// The last change there was when the reader began at 0. Not kept in mirrors: only whole tables are, and
    /// those are beyond where they began.
    #[serde(skip)]
    pub began: u64,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPage<'a> {
    /// The sidecar's life.
    pub epoch: u64,
    /// The page continues from this number.
    pub from: u64,
    /// And ends at this one.
    pub to: u64,
    /// The last change there was when the page was made.
    pub last: u64,
    /// The reader starts anew: rows it has that do not come again until `complete` are gone.
    pub reset: bool,
    /// There was nothing further when the page was made.
    pub complete: bool,
    /// Rows added or changed, packed.
    #[serde(borrow)]
    pub upserts: Vec<&'a [u8]>,
    /// Ids removed.
    #[serde(borrow)]
    pub removals: Vec<&'a str>,
    /// Keys and epochs, where they differ from what the reader said it has.
    pub control: Option<Control>,
}

/// What rides with the table: configuration, keys, and the epoch that voids verdicts.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Rises whenever anything here changes. Compared within one epoch alone.
    pub number: u64,
    /// Keys the worker's verdict cache, so that credentials are not found in its memory.
    pub cache_key: [u8; 32],
    /// The ring that sealed tokens open with, current key first.
    pub keys: Vec<(KeyId, [u8; 32])>,
    /// Verdicts from before a change of this number are void.
    pub verdict_epoch: u64,
    /// What was ended before its time.
    pub revocations: Vec<Revocation>,
    /// What the gate decides by. It has one place, the sidecar's configuration.
    pub gate: GateConfig,
}

impl fmt::Debug for Control {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&KeyId> = self.keys.iter().map(|(id, _)| id).collect();
        formatter
            .debug_struct("Control")
            .field("number", &self.number)
            .field("keys", &ids)
            .field("verdict_epoch", &self.verdict_epoch)
            .field("revocations", &self.revocations.len())
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

/// Why bytes are no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidPage {
    /// Not decodable, or bytes left over.
    #[error("page can't be read")]
    Encoding,
    /// Another version of the wire form.
    #[error("page has another format version; filter and sidecar must be of the same release")]
    Format,
}

impl<'a> FeedPage<'a> {
    /// The wire form.
    ///
    /// # Errors
    /// [`InvalidPage::Encoding`]; with the memory to hold it, that does not happen.
    pub fn encode(&self) -> Result<Vec<u8>, InvalidPage> {
        let mut bytes = postcard::to_allocvec(&(FORMAT, self)).map_err(|_| InvalidPage::Encoding)?;
        let sum = sum_of(&bytes);
        bytes.extend_from_slice(&sum);
        Ok(bytes)
    }

    /// Reads the wire form; rows and ids borrow from `bytes`.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, InvalidPage> {
        match bytes.split_first() {
            Some((&FORMAT, _)) => {
                let (page, sum) = bytes.split_last_chunk().ok_or(InvalidPage::Encoding)?;
                if sum_of(page) != *sum {
                    return Err(InvalidPage::Encoding);
                }
                match postcard::take_from_bytes(page.get(1..).unwrap_or_default()) {
                    Ok((page, [])) => Ok(page),
                    _ => Err(InvalidPage::Encoding),
                }
            }
            Some(_) => Err(InvalidPage::Format),
            None => Err(InvalidPage::Encoding),
        }
    }
}

/// What stands at a page's end, so that a page that was damaged on its way is none: a bit of an address that turned
/// over would send visitors to somebody else's job. It keeps out accidents, and nobody who means harm. (FNV-1a: no
/// change of one byte goes unseen.)
#[must_use]
pub fn sum_of(bytes: &[u8]) -> [u8; 8] {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> FeedPage<'static> {
        FeedPage {
            epoch: 7,
            from: 3,
            to: 9,
            last: 9,
            reset: false,
            complete: true,
            upserts: vec![b"row"],
            removals: vec!["ae5cf6f5"],
            control: Some(Control {
                number: 1,
                cache_key: [1; 32],
                keys: vec![(KeyId::parse("k1").expect("a key id"), [2; 32])],
                verdict_epoch: 4,
                revocations: vec![],
                gate: GateConfig::for_domain("tasks.example.test"),
            }),
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let bytes = page().encode().expect("encodes");
        assert_eq!(FeedPage::decode(&bytes), Ok(page()));
    }

    #[test]
    fn refuses_cut_long_and_foreign_bytes() {
        let bytes = page().encode().expect("encodes");
        for end in 0..bytes.len() {
            assert_eq!(FeedPage::decode(&bytes[..end]), Err(InvalidPage::Encoding), "cut at {end}");
        }
        let mut long = bytes.clone();
        long.push(0);
        assert_eq!(FeedPage::decode(&long), Err(InvalidPage::Encoding));
        for bit in 8..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FeedPage::decode(&damaged), Err(InvalidPage::Encoding), "bit {bit}");
        }
        let mut foreign = bytes;
        foreign[0] = 9;
        assert_eq!(FeedPage::decode(&foreign), Err(InvalidPage::Format));
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", page());
        assert!(!text.contains("2, 2, 2") && !text.contains("1, 1, 1"), "{text}");
    }
}
