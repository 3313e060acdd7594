//! The corpus: every case of every file, loaded.

use std::fs;
use std::path::{Path, PathBuf};

use crate::case::{Case, CaseFile};
use crate::fixture::Fixtures;
use crate::script::Script;

/// Every case, and what they refer to.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What cases refer to.
    pub fixtures: Fixtures,
    /// The cases, with the name of their file.
    pub cases: Vec<(String, Case)>,
}

/// The name of the file that holds no cases.
const FIXTURES: &str = "fixtures.json";

impl Corpus {
    /// Loads `tests/cases`.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub fn load() -> Result<Self, String> {
        Self::load_from(&directory())
    }

    fn load_from(directory: &Path) -> Result<Self, String> {
        let fixtures: Fixtures = read(&directory.join(FIXTURES))?;
        let entries = fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.retain(|path| !path.ends_with(FIXTURES));
        paths.sort();
        let mut cases = Vec::new();
        for path in paths {
            let file: CaseFile = read(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            cases.extend(file.cases.into_iter().map(|case| (name.clone(), case)));
        }
        Ok(Self { fixtures, cases })
    }

    /// Every case, ready to run.
    ///
    /// # Errors
    /// The case and what is wrong with it.
    pub fn scripts(&self) -> Result<Vec<Script>, String> {
        let script = |(file, case): &(String, Case)| {
            Script::of(case, &self.fixtures).map_err(|error| format!("{file}: {}: {error}", case.name))
        };
        self.cases.iter().map(script).collect()
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}
