//! YAML documents (and JSON, where speed counts), with errors that say where.

use std::fmt;

use serde::de::DeserializeOwned;
use thiserror::Error;

/// The most events one document may have: some millions of values.
const MAX_EVENTS: usize = 60_000_000;

/// A document that does not hold what it should. The message never quotes the document beyond the
/// value that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct InvalidYaml {
    key: String,
    place: Option<(u64, u64)>,
    reason: String,
}

impl InvalidYaml {
    /// Which key is wrong, as in `verdicts.sources[0].jwt.issuer`; empty where the document as a
    /// whole is.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl InvalidYaml {
    fn in_json(key: String, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let reason = text.rfind(" at line ").and_then(|at| text.get(..at)).unwrap_or(&text).to_owned();
        let place = u64::try_from(error.line()).ok().zip(u64::try_from(error.column()).ok());
        Self { key, place, reason }
    }
}

impl fmt::Display for InvalidYaml {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(formatter, "`{}`: ", self.key)?;
        }
        formatter.write_str(&self.reason)?;
        match self.place {
            Some((line, column)) => write!(formatter, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// Reads one document.
///
/// # Errors
/// [`InvalidYaml`].
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, InvalidYaml> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_events: MAX_EVENTS, max_nodes: MAX_EVENTS },
        with_snippet: false,
    };
    let mut key = String::new();
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |document| {
        serde_path_to_error::deserialize(document).map_err(|error| {
            key = path_text(error.path());
            error.into_inner()
        })
    })
    .map_err(|error| {
        let place = error.location().map(|location| (location.line(), location.column()));
        InvalidYaml { key, place, reason: reason(&error) }
    })
}

/// Reads one JSON document.
///
/// # Errors
/// [`InvalidYaml`].
pub fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, InvalidYaml> {
    let mut document = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut document).map_err(|error| {
        let key = path_text(error.path());
        InvalidYaml::in_json(key, error.inner())
    })?;
    document.end().map_err(|error| InvalidYaml::in_json(String::new(), &error))?;
    Ok(value)
}

/// Reads one value that was read before, so that it can be wrong on its own.
///
/// # Errors
/// [`InvalidYaml`], with no line.
pub fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, InvalidYaml> {
    serde_path_to_error::deserialize(value).map_err(|error| InvalidYaml {
        key: path_text(error.path()),
        place: None,
        reason: error.inner().to_string(),
    })
}

fn path_text(path: &serde_path_to_error::Path) -> String {
    let text = path.to_string();
    if text == "." { String::new() } else { text }
}

/// The error's own words, without the place, which is told apart.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    match text.rfind(" at line ") {
        Some(at) => text.get(..at).unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(rename = "list")]
        _list: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(rename = "number")]
        _number: u8,
    }

    #[test]
    fn says_which_key_and_where() {
        let error = parse::<Outer>("list:\n- number: 1\n- number: many\n").expect_err("is wrong");
        assert_eq!(error.key(), "list[1].number");
        let text = error.to_string();
        assert!(text.starts_with("`list[1].number`: ") && text.contains("(line 3, column 11)"), "{text}");
    }

    #[test]
    fn unknown_keys_and_broken_documents_are_errors() {
        let unknown = parse::<Outer>("list: []\nlisst: []\n").expect_err("is wrong").to_string();
        assert!(unknown.contains("lisst") && unknown.contains("line 2"), "{unknown}");
        assert!(parse::<Outer>("list: [").is_err());
        assert!(parse::<Outer>("").is_err());
    }
}
