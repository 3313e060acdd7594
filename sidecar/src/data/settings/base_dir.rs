//! Places for inputs that clients may name.
//!
//! In Flyte a client may name any place that the server's own credentials reach. Here only those count that an
//! operator listed, and what is under them.

use thiserror::Error;

use crate::data::path::Segments;

/// Text that is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no address like `s3://bucket/folder`, without `..` and empty parts")]
pub struct InvalidBaseDir;

/// A place: `scheme://bucket`, and a folder in it.
///
/// Invariant: nothing in it can lead elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseDir {
    scheme: Box<str>,
    path: Segments,
}

impl BaseDir {
    /// Reads a place. Slashes at the end do not count.
    ///
    /// # Errors
    /// [`InvalidBaseDir`].
    pub fn parse(text: &str) -> Result<Self, InvalidBaseDir> {
        let (scheme, path) = text.split_once("://").ok_or(InvalidBaseDir)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
        if !is_scheme {
            return Err(InvalidBaseDir);
        }
        let path = Segments::parse(path.trim_end_matches('/')).map_err(|_| InvalidBaseDir)?;
        Ok(Self { scheme: scheme.into(), path })
    }

    /// Whether this is `other`, or in it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self == other || self.under(other).is_some()
    }

    /// The rest of the path where this is in `other`.
    #[must_use]
    pub fn under(&self, other: &Self) -> Option<&str> {
        let rest = self.path.as_str().strip_prefix(other.path.as_str()).filter(|_| self.scheme == other.scheme)?;
        rest.strip_prefix('/')
    }

    /// The raw address of something in it.
    #[must_use]
    pub fn join(&self, rest: &Segments) -> String {
        format!("{}://{}/{}", self.scheme, self.path.as_str(), rest.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_ends_at_a_slash() {
        let place = |text| BaseDir::parse(text).expect("a place");
        let allowed = place("s3://team/a/");
        for inside in ["s3://team/a", "s3://team/a/", "s3://team/a/b/c"] {
            assert!(place(inside).is_within(&allowed), "{inside}");
        }
        for outside in ["s3://team/ab", "s3://team", "gs://team/a", "s3://other/a", "s3://team/b/a"] {
            assert!(!place(outside).is_within(&allowed), "{outside}");
        }
        assert!(place("s3://team/any").is_within(&place("s3://team")));
        assert!(!place("s3://team-b/any").is_within(&place("s3://team")));
        assert_eq!(allowed.join(&Segments::parse("x/y").expect("segments")), "s3://team/a/x/y");
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_place() {
        for text in [
            "",
            "s3://",
            "s3:///a",
            "team/a",
            "s3://team/../other",
            "s3://team/a/./b",
            "s3://team//a",
            "S3://team",
            "://team",
            "s3://team/a\\b",
            "s3://team/\u{0}",
        ] {
            assert_eq!(BaseDir::parse(text), Err(InvalidBaseDir), "{text:?}");
        }
    }
}
