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

/// What looks like the path of a file or a folder, between backticks.
fn named_paths(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let endings = [".rs", ".yaml", ".md", ".toml", ".conf"];
    let roots = ["core/", "filter/", "sidecar/", "tests/", "docs/", "envoy-config", "nginx-config", "forward-auth"];
    let is_path = |code: &&str| {
        let is_plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
        is_plain && (endings.iter().any(|end| code.ends_with(end)) || roots.iter().any(|root| code.starts_with(root)))
    };
    quoted.filter(is_path).collect()
}

#[test]
fn every_file_that_the_architecture_names_exists() -> Checked {
    let repository = repository()?;
    let text = read(&repository.join("ARCHITECTURE.md"))?;
    let named = named_paths(&text);
    assert!(named.len() > 20, "ARCHITECTURE.md names too few files to be a map: {named:?}");
    // A file of a folder that the sentence is about is named from there on.
    let mut all = Vec::new();
    for ending in [".rs", ".yaml", ".md", ".toml", ".conf"] {
        all.extend(files(&repository, ending)?);
    }
    // Those that operators have: no file of ours.
    let theirs = ["taskgate.yaml"];
    let is_there = |name: &&&str| {
        repository.join(name).exists() || all.iter().any(|path| path.ends_with(name)) || theirs.contains(name)
    };
    let missing: Vec<_> = named.iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what is not there: {missing:?}");
    Ok(())
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
