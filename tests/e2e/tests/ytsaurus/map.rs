//! The README's map of weaknesses names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use taskgate_test_kit::environment;

use crate::support::Outcome;

/// Every row of the map has a test, but for the one that only a measurement can show.
const MEASURED: &str = "A9";

fn functions(directory: &Path, found: &mut BTreeSet<String>) -> Outcome {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            functions(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let names =
                text.lines().filter_map(|line| line.trim_start().trim_start_matches("async ").strip_prefix("fn "));
            found.extend(names.filter_map(|rest| rest.split('(').next()).map(ToOwned::to_owned));
        }
    }
    Ok(())
}

#[test]
fn the_tests_that_the_map_names_are_there() -> Outcome {
    let repository = environment::repository();
    let mut known = BTreeSet::new();
    for package in ["core", "sidecar", "tests/e2e"] {
        for directory in ["src", "tests"] {
            let directory = repository.join(package).join(directory);
            if directory.exists() {
                functions(&directory, &mut known)?;
            }
        }
    }
    let readme = fs::read_to_string(repository.join("tests/e2e/README.md"))?;
    let mut rows = BTreeSet::new();
    for row in readme.lines().filter(|line| line.starts_with("| S") || line.starts_with("| A")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, id, _, tests, _] = cells.as_slice() else { anyhow::bail!("not three cells: {row}") };
        let names: Vec<&str> =
            tests.split('`').skip(1).step_by(2).filter_map(|name| name.rsplit("::").next()).collect();
        assert!(!names.is_empty() || *id == MEASURED, "{row}");
        for name in names {
            assert!(known.contains(name), "{id}: there is no test `{name}`");
        }
        assert!(rows.insert((*id).to_owned()), "{id} twice");
    }
    assert_eq!(rows.len(), 10 + 21);
    Ok(())
}
