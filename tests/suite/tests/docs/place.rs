//! The repository's files.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// What a check of a document ends with.
pub(super) type Checked<T = ()> = Result<T, Box<dyn Error>>;

/// The repository's folder.
pub(super) fn repository() -> Checked<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?)
}

/// A file's text.
pub(super) fn read(path: &Path) -> Checked<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Every file below `folder` whose name ends so, build output and hidden folders left out.
pub(super) fn files(folder: &Path, ending: &str) -> Checked<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path, ending)?);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    Ok(found)
}
