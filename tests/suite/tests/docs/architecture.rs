//! ARCHITECTURE.md names types; each of them must be there.

use std::collections::BTreeSet;

use super::place::{Checked, files, read, repository};

/// `CamelCase` words between backticks, paths taken apart.
fn named_types(text: &str) -> BTreeSet<String> {
    let is_type = |word: &str| {
        word.len() > 2
            && word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.chars().all(|letter| letter.is_ascii_alphanumeric())
            && word.chars().any(|letter| letter.is_ascii_lowercase())
    };
    let quoted = text.split('`').skip(1).step_by(2);
    let words = quoted.flat_map(|code| code.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
    words.filter(|word| is_type(word)).map(str::to_owned).collect()
}

#[test]
fn every_type_that_the_architecture_names_exists() -> Checked {
    let repository = repository()?;
    let mut sources = String::new();
    for folder in ["core", "filter", "sidecar", "tests"] {
        for path in files(&repository.join(folder), ".rs")? {
            sources.push_str(&read(&path)?);
        }
    }
    let words: BTreeSet<&str> =
        sources.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').collect();
    let named = named_types(&read(&repository.join("ARCHITECTURE.md"))?);
    assert!(named.len() > 20, "ARCHITECTURE.md names too few types to be a map: {named:?}");
    let missing: Vec<&String> = named.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not in the sources: {missing:?}");
    Ok(())
}
