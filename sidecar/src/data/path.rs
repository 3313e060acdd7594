//! Paths that cannot leave their project and domain.
//!
//! Nothing here is parsed as a URL, and nothing is escaped: a name with a space, `?`, `#`, `%` or letters of any
//! language is that name in the key. What a name may not have is what could lead elsewhere, or what no store keeps
//! as it is.

use std::fmt;

use thiserror::Error;

/// The longest segment, in bytes: what file systems take.
pub const MAX_SEGMENT: usize = 255;
/// The longest key, in bytes: what S3, GCS and Azure take.
pub const MAX_KEY: usize = 1024;
/// The longest name of a project or domain, in bytes.
pub const MAX_NAME: usize = 63;

/// Text that is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidPath {
    /// A segment is empty: the text is empty, starts or ends with `/`, or has `//` in it.
    #[error("a path may have no empty part")]
    Empty,
    /// A segment is `.` or `..`.
    #[error("a path may have no part `.` or `..`")]
    Dots,
    /// A control character, or a backslash.
    #[error("a path may have no control characters and no `\\`")]
    Character,
    /// A slash where one name is wanted.
    #[error("a name may have no `/`")]
    Slash,
    /// Too long.
    #[error("a path may have {MAX_KEY} bytes, a part of it {MAX_SEGMENT}, and a project or domain {MAX_NAME}")]
    TooLong,
}

/// A project's name.
///
/// Invariant: one segment of at most [`MAX_NAME`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(Box<str>);

/// A domain's name.
///
/// Invariant: one segment of at most [`MAX_NAME`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<str>);

/// One segment or several, with `/` between them.
///
/// Invariant: no segment is empty, `.` or `..`, longer than [`MAX_SEGMENT`], or has a control character or a
/// backslash; at most [`MAX_KEY`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segments(Box<str>);

/// The key of an object in a store. It has the form of [`Segments`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Segments);

impl ProjectName {
    /// Reads a project's name.
    ///
    /// # Errors
    /// [`InvalidPath`].
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        name(text).map(Self)
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DomainName {
    /// Reads a domain's name.
    ///
    /// # Errors
    /// [`InvalidPath`].
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        name(text).map(Self)
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Segments {
    /// Reads segments.
    ///
    /// # Errors
    /// [`InvalidPath`].
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        if text.len() > MAX_KEY {
            return Err(InvalidPath::TooLong);
        }
        text.split('/').try_for_each(segment)?;
        Ok(Self(text.into()))
    }

    /// The text, as it was read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn last(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// [`InvalidPath`].
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        Segments::parse(text).map(Self)
    }

    /// The key of something in a domain of a project, under a prefix where there is one.
    ///
    /// # Errors
    /// [`InvalidPath::TooLong`].
    pub fn within(
        prefix: Option<&Segments>,
        project: &ProjectName,
        domain: &DomainName,
        rest: &[&Segments],
    ) -> Result<Self, InvalidPath> {
        let mut parts: Vec<&str> = prefix.map(Segments::as_str).into_iter().collect();
        parts.extend([project.as_str(), domain.as_str()]);
        parts.extend(rest.iter().map(|part| part.as_str()));
        Self::parse(&parts.join("/"))
    }

    /// The project, the domain and the rest of a key that [`Self::within`] makes with this prefix.
    #[must_use]
    pub fn place(&self, prefix: Option<&Segments>) -> Option<(ProjectName, DomainName, Segments)> {
        let place = prefix.map_or(Some(self.as_str()), |prefix| self.under(prefix))?;
        let (project, rest) = place.split_once('/')?;
        let (domain, rest) = rest.split_once('/')?;
        Some((ProjectName::parse(project).ok()?, DomainName::parse(domain).ok()?, Segments::parse(rest).ok()?))
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name of the object without the way there.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.last()
    }

    /// The rest of the key where it is under these segments.
    #[must_use]
    pub fn under(&self, base: &Segments) -> Option<&str> {
        self.as_str().strip_prefix(base.as_str())?.strip_prefix('/')
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

fn name(text: &str) -> Result<Box<str>, InvalidPath> {
    if text.contains('/') {
        return Err(InvalidPath::Slash);
    }
    if text.len() > MAX_NAME {
        return Err(InvalidPath::TooLong);
    }
    segment(text)?;
    Ok(text.into())
}

fn segment(text: &str) -> Result<(), InvalidPath> {
    match text {
        "" => Err(InvalidPath::Empty),
        "." | ".." => Err(InvalidPath::Dots),
        _ if text.len() > MAX_SEGMENT => Err(InvalidPath::TooLong),
        _ if text.chars().any(|letter| letter.is_control() || letter == '\\') => Err(InvalidPath::Character),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(project: &str, rest: &str) -> Result<Key, InvalidPath> {
        let (project, domain) = (ProjectName::parse(project)?, DomainName::parse("dev")?);
        Key::within(Some(&Segments::parse("uploads")?), &project, &domain, &[&Segments::parse(rest)?])
    }

    #[test]
    fn odd_names_stay_as_they_are() {
        for name in ["foo bar.txt", "q?x=1#frag.txt", "100%.txt", "%2e%2e/%2e%2e/x", "ü/日本", "a/b=c&d", "...", "~"]
        {
            assert_eq!(key("p", name).expect("a key").as_str(), format!("uploads/p/dev/{name}"));
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_path() {
        for (rest, why) in [
            ("../../../other/evil.txt", InvalidPath::Dots),
            ("a/../../../../x", InvalidPath::Dots),
            ("a/./b", InvalidPath::Dots),
            ("/etc/passwd", InvalidPath::Empty),
            ("a//b", InvalidPath::Empty),
            ("a/", InvalidPath::Empty),
            ("", InvalidPath::Empty),
            ("a\\..\\b", InvalidPath::Character),
            ("a\0b", InvalidPath::Character),
            ("a\nb", InvalidPath::Character),
            ("a\u{85}b", InvalidPath::Character),
        ] {
            assert_eq!(key("p", rest), Err(why), "{rest:?}");
        }
        assert_eq!(key("p", &"x".repeat(256)), Err(InvalidPath::TooLong));
        assert_eq!(key("p", &vec!["x".repeat(250); 5].join("/")), Err(InvalidPath::TooLong));
    }

    #[test]
    fn a_project_is_one_short_name() {
        for (name, why) in [
            ("gs://evil", InvalidPath::Slash),
            ("a/b", InvalidPath::Slash),
            ("..", InvalidPath::Dots),
            ("", InvalidPath::Empty),
            ("\u{7f}", InvalidPath::Character),
        ] {
            assert_eq!(ProjectName::parse(name), Err(why));
            assert_eq!(DomainName::parse(name), Err(why));
        }
        assert_eq!(ProjectName::parse(&"x".repeat(64)), Err(InvalidPath::TooLong));
    }

    #[test]
    fn a_base_ends_at_a_slash() {
        let base = Segments::parse("team/a").expect("segments");
        assert_eq!(Key::parse("team/a/x/y").expect("a key").under(&base), Some("x/y"));
        assert_eq!(Key::parse("team/ab/x").expect("a key").under(&base), None);
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_project_and_domain(project in ".{0,20}", domain in ".{0,20}", rest in "([a/.%\\\\ ]|\\PC|\\p{Cc}){0,40}") {
            let (Ok(project), Ok(domain), Ok(rest)) = (ProjectName::parse(&project), DomainName::parse(&domain), Segments::parse(&rest)) else {
                return Ok(());
            };
            let key = Key::within(None, &project, &domain, &[&rest]).expect("short enough");
            let mut depth = Vec::new();
            for part in key.as_str().split('/') {
                match part {
                    ".." => { depth.pop(); }
                    "" | "." => {}
                    part => depth.push(part),
                }
            }
            prop_assert!(depth.len() >= 3 && depth[0] == project.as_str() && depth[1] == domain.as_str());
            prop_assert_eq!(key.place(None), Some((project, domain, rest)));
        }
    }
}
