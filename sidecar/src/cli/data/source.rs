//! A file of this machine that is uploaded.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::stream;
use indicatif::ProgressBar;
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// How much is read at a time.
const PIECE: u64 = 256 << 10;

/// A file, and what it was when its digests were taken.
pub(super) struct Source {
    file: Arc<File>,
    pub(super) name: String,
    pub(super) size: u64,
    modified: Option<SystemTime>,
    pub(super) md5: [u8; 16],
    pub(super) sha256: [u8; 32],
    failure: Arc<Mutex<Option<String>>>,
}

impl Source {
    /// Opens a file and takes its digests, which moves a bar.
    pub(super) async fn open(path: &Path, bar: &ProgressBar) -> anyhow::Result<Self> {
        let (path, bar) = (path.to_owned(), bar.clone());
        tokio::task::spawn_blocking(move || Self::read(&path, &bar)).await.context("the file could not be read")?
    }

    fn read(path: &Path, bar: &ProgressBar) -> anyhow::Result<Self> {
        // Before it is opened: opening a pipe waits for who writes to it.
        let kind = std::fs::metadata(path).context("can't be read")?;
        if kind.is_dir() {
            bail!("is a folder: name the files in it");
        }
        if !kind.is_file() {
            bail!("is no file");
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.context("its name is not UTF-8: give it another")?.to_owned();
        let file = File::open(path).context("can't be read")?;
        let before = file.metadata().context("can't be read")?;
        bar.set_length(before.len());
        let (mut md5, mut sha256, mut at) = (Md5::new(), Sha256::new(), 0);
        while at < before.len() {
            let piece = piece(&file, at, before.len()).context("can't be read")?;
            md5.update(&piece);
            sha256.update(&piece);
            bar.inc(u64::try_from(piece.len()).unwrap_or_default());
            at += PIECE;
        }
        Ok(Self {
            file: Arc::new(file),
            name,
            size: before.len(),
            modified: modified(&before),
            md5: md5.finalize().into(),
            sha256: sha256.finalize().into(),
            failure: Arc::default(),
        })
    }

    /// The bytes from `start` to before `end`, as a body that moves a bar.
    pub(super) fn body(&self, start: u64, end: u64, bar: &ProgressBar) -> reqwest::Body {
        let state = (Arc::clone(&self.file), Arc::clone(&self.failure), bar.clone());
        let pieces = stream::try_unfold((start, state), move |(at, (file, failure, bar))| async move {
            if at >= end {
                return Ok(None);
            }
            let from = Arc::clone(&file);
            let read = tokio::task::spawn_blocking(move || piece(&from, at, end)).await.map_err(io::Error::other)?;
            let piece = read.inspect_err(|error| {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("can't be read: {error}"));
            })?;
            bar.inc(u64::try_from(piece.len()).unwrap_or_default());
            Ok::<_, io::Error>(Some((piece, (at + PIECE, (file, failure, bar)))))
        });
        reqwest::Body::wrap_stream(pieces)
    }

    /// The MD5 digest of the bytes from `start` to before `end`.
    pub(super) async fn md5_of(&self, start: u64, end: u64) -> io::Result<[u8; 16]> {
        let file = Arc::clone(&self.file);
        let digest = tokio::task::spawn_blocking(move || {
            let (mut md5, mut at) = (Md5::new(), start);
            while at < end {
                md5.update(piece(&file, at, end)?);
                at += PIECE;
            }
            Ok(md5.finalize().into())
        });
        digest.await.map_err(io::Error::other)?
    }

    /// Why what failed can't go well: the file is not what it was, or can't be read.
    pub(super) fn fault(&self) -> Option<String> {
        let now = self.file.metadata().ok();
        if now.is_none_or(|now| now.len() != self.size || modified(&now) != self.modified) {
            return Some("it was changed while it was sent: upload it again".to_owned());
        }
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}

fn piece(file: &File, at: u64, end: u64) -> io::Result<Bytes> {
    let length = usize::try_from(end.saturating_sub(at).min(PIECE)).map_err(io::Error::other)?;
    let mut piece = vec![0; length];
    file.read_exact_at(&mut piece, at)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_once_for_both_digests() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a b");
        for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE] {
            let bytes: Vec<u8> = (0..size).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
            std::fs::write(&path, &bytes).expect("writes");
            let source = Source::open(&path, &ProgressBar::hidden()).await.expect("is read");
            assert_eq!((source.size, source.name.as_str()), (size, "a b"));
            assert_eq!(source.md5, <[u8; 16]>::from(Md5::digest(&bytes)), "{size}");
            assert_eq!(source.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)), "{size}");
            assert_eq!(source.md5_of(size / 3, size).await.expect("is read"), {
                <[u8; 16]>::from(Md5::digest(&bytes[usize::try_from(size / 3).expect("small")..]))
            });
        }
    }

    #[tokio::test]
    async fn a_file_that_is_changed_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "12345").expect("writes");
        let source = Source::open(&path, &ProgressBar::hidden()).await.expect("is read");
        assert_eq!(source.fault(), None);
        std::fs::write(&path, "1234").expect("writes");
        assert!(source.fault().is_some_and(|words| words.contains("changed")));
        let bar = ProgressBar::hidden();
        assert!(Source::open(folder.path(), &bar).await.is_err_and(|error| error.to_string().contains("folder")));
        assert!(Source::open(Path::new("/dev/null"), &bar).await.is_err());
        assert!(Source::open(&folder.path().join("b"), &bar).await.is_err());
    }
}
