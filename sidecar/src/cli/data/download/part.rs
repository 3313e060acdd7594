//! What is there of a file that is not there whole.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use md5::{Digest as _, Md5};
use rustix::fs::OFlags;
use sha2::Sha256;

/// How much is read at a time.
const PIECE: usize = 256 << 10;

/// The beginning of a file, with its digests so far. Nobody else writes it meanwhile.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    md5: Md5,
    sha256: Sha256,
}

impl Part {
    /// Opens what is there, or begins.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).context("no such flags")?;
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(path);
        let file = options.with_context(|| format!("can't write `{shown}`"))?;
        if !file.metadata().with_context(|| format!("can't read `{shown}`"))?.is_file() {
            bail!("can't write `{shown}`: it is no file");
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("`{shown}` is being written by another download"),
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("can't lock `{shown}`")),
        }
        let mut part = Self { path: path.to_owned(), file, length: 0, md5: Md5::new(), sha256: Sha256::new() };
        part.read().with_context(|| format!("can't read `{shown}`"))?;
        Ok(part)
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let read = self.file.read(&mut piece)?;
            let bytes = piece.get(..read).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            self.count(bytes);
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha256.update(bytes);
        self.length = self.length.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.file.write_all(bytes).with_context(|| format!("can't write `{}`", self.path.display()))?;
        self.count(bytes);
        Ok(())
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) -> anyhow::Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.with_context(|| format!("can't write `{}`", self.path.display()))?;
        (self.length, self.md5, self.sha256) = (0, Md5::new(), Sha256::new());
        Ok(())
    }

    /// Brings it to the disk.
    pub(super) fn sync(&self) -> anyhow::Result<()> {
        self.file.sync_all().with_context(|| format!("can't write `{}`", self.path.display()))
    }

    /// Takes it away where there is nothing in it to go on with.
    pub(super) fn leave(self) {
        if self.length == 0 {
            // What stays is empty.
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Their MD5 digest.
    pub(super) fn md5(&self) -> [u8; 16] {
        self.md5.clone().finalize().into()
    }

    /// Their SHA-256 digest.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.part");
        let mut part = Part::open(&path).expect("opens");
        part.push(b"hel").expect("writes");
        assert!(Part::open(&path).is_err(), "another writes it");
        drop(part);
        let mut part = Part::open(&path).expect("opens");
        assert_eq!(part.length(), 3);
        part.push(b"lo").expect("writes");
        assert_eq!(part.md5(), <[u8; 16]>::from(Md5::digest("hello")));
        assert_eq!(part.sha256(), <[u8; 32]>::from(Sha256::digest("hello")));
        assert_eq!(std::fs::read(&path).expect("reads"), b"hello");
        part.reset().expect("begins anew");
        part.push(b"x").expect("writes");
        assert_eq!((part.length(), std::fs::read(&path).expect("reads")), (1, b"x".to_vec()));
    }

    #[test]
    fn a_part_is_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&file, "precious").expect("writes");
        std::os::unix::fs::symlink(&file, &link).expect("links");
        assert!(Part::open(&link).is_err() && Part::open(folder.path()).is_err());
        assert_eq!(std::fs::read(&file).expect("reads"), b"precious");
    }
}
