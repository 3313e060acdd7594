//! Where a download goes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use crate::cli::data::download::part::Part;

/// The longest name of a file, in bytes, with room for an ending.
const MAX_NAME: usize = 250;

/// A file that is to be written, and the one beside it that it is written as.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    part: PathBuf,
    may_replace: bool,
}

impl Target {
    /// The file that was asked for, or one of this name.
    pub(super) fn find(output: Option<&Path>, name: &str, may_replace: bool) -> anyhow::Result<Self> {
        let path = match output {
            None => PathBuf::from(tame(name)),
            Some(output) if output.is_dir() => output.join(tame(name)),
            Some(output) => output.to_owned(),
        };
        let own = path.file_name().filter(|_| !path.as_os_str().as_encoded_bytes().ends_with(b"/"));
        let Some(own) = own.map(|name| name.to_string_lossy().into_owned()) else {
            bail!("`{}` is no folder: give the name of a file", path.display());
        };
        if !may_replace && path.symlink_metadata().is_ok() {
            bail!("`{}` is there already: `--force` replaces it, `--output` gives another name", path.display());
        }
        let part = path.with_file_name(format!("{}.part", short(&own)));
        Ok(Self { path, part, may_replace })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is written first.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Gives what is whole its name.
    pub(super) fn finish(&self, part: &Part) -> anyhow::Result<()> {
        part.sync()?;
        let flags = if self.may_replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        let renamed = match rustix::fs::renameat_with(CWD, &self.part, CWD, &self.path, flags) {
            // Not every file system can tell; it was looked at before.
            Err(Errno::INVAL | Errno::NOSYS) if self.path.symlink_metadata().is_err() => {
                std::fs::rename(&self.part, &self.path)
            }
            renamed => renamed.map_err(Into::into),
        };
        renamed.with_context(|| format!("can't write `{}`: it is in `{}`", self.path.display(), self.part.display()))
    }
}

/// A name that is a file's in this folder, whoever gave it: nothing hidden, and no option of a command.
fn tame(name: &str) -> String {
    let is_odd = |letter: char| letter.is_control() || matches!(letter, '/' | '\\');
    let mut name: String = name.chars().map(|letter| if is_odd(letter) { '_' } else { letter }).collect();
    if name.starts_with(['.', '-']) {
        name.replace_range(..1, "_");
    }
    if name.is_empty() { "download".to_owned() } else { short(&name).to_owned() }
}

fn short(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_elsewhere_is_tame() {
        for (name, expected) in [
            ("a b?#%.txt", "a b?#%.txt"),
            ("ü日本", "ü日本"),
            ("", "download"),
            (".", "_"),
            ("..", "_."),
            (".bashrc", "_bashrc"),
            ("-rf", "_rf"),
            ("a/../b", "a_.._b"),
            ("a\\b\n\u{1b}[2J", "a_b__[2J"),
        ] {
            assert_eq!(tame(name), expected, "{name:?}");
        }
        assert_eq!(tame(&"ü".repeat(200)).len(), MAX_NAME);
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let there = folder.path().join("a");
        let find = |output: &Path, force| Target::find(Some(output), "a", force);
        let target = find(folder.path(), false).expect("is free");
        let mut part = Part::open(target.part()).expect("opens");
        part.push(b"new").expect("writes");
        // It came meanwhile.
        std::fs::write(&there, "old").expect("writes");
        assert!(target.finish(&part).is_err());
        drop(part);
        assert_eq!(std::fs::read(&there).expect("reads"), b"old");
        for output in [there.as_path(), folder.path()] {
            assert!(find(output, false).is_err_and(|error| error.to_string().contains("--force")));
        }
        let target = find(&there, true).expect("may be replaced");
        target.finish(&Part::open(target.part()).expect("opens")).expect("is replaced");
        assert_eq!(std::fs::read(&there).expect("reads"), b"new");
        assert!(find(&folder.path().join("no/"), false).is_err());
        // What leads nowhere is there, too.
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).expect("links");
        assert!(find(&folder.path().join("link"), false).is_err());
    }
}
