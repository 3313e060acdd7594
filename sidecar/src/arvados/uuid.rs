//! Names of Arvados' records: `zzzzz-dz642-000000000000001`.

use std::fmt;

/// The bytes of such a name.
const LENGTH: usize = 27;

/// A name of a record.
///
/// Invariant: three parts of 5, 5 and 15 characters of 0-9 and a-z, with `-` between them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(Box<str>);

/// What a name is of, as its middle part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What runs.
    Container,
    /// What somebody asked for.
    ContainerRequest,
    /// A project or a role.
    Group,
    /// Anything else.
    Other,
    /// A person.
    User,
}

impl Uuid {
    /// Reads a name. Upper case is none: Arvados knows no such names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        let is_name = text.len() == LENGTH && text.split('-').map(str::len).eq([5, 5, 15]);
        (is_name && text.split('-').all(is_part)).then(|| Self(text.into()))
    }

    /// What it is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.0.split('-').nth(1) {
            Some("dz642") => Kind::Container,
            Some("j7d0g") => Kind::Group,
            Some("tpzed") => Kind::User,
            Some("xvhdp") => Kind::ContainerRequest,
            _ => Kind::Other,
        }
    }

    /// The UUID of somebody who is called by it, as everybody is whom the cluster named. Only for names that were not
    /// chosen at another source of identities: somebody there may be called like a user of the cluster.
    #[must_use]
    pub fn of_person(name: &str) -> Option<String> {
        Self::parse(name).filter(|uuid| uuid.kind() == Kind::User).map(|uuid| uuid.to_string())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text begins as a name of a record does, in any case, so that people may take it for one.
    #[must_use]
    pub fn is_like_one(text: &str) -> bool {
        text.get(..LENGTH).is_some_and(|start| Self::parse(&start.to_ascii_lowercase()).is_some())
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Uuid({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        let name = Uuid::parse("zzzzz-dz642-0123456789abcde").expect("a name");
        assert_eq!((name.kind(), name.to_string().as_str()), (Kind::Container, "zzzzz-dz642-0123456789abcde"));
        for text in [
            "",
            "zzzzz-dz642-0123456789abcd",
            "zzzzz-dz642-0123456789abcdef",
            "ZZZZZ-DZ642-0123456789ABCDE",
            "zzzzz_dz642_0123456789abcde",
            "zzzz-dz6422-0123456789abcde",
            "zzzzz-dz642-0123456789abcd/",
            "zzzzz-dz642-0123456789abc-e",
        ] {
            assert_eq!(Uuid::parse(text), None, "{text}");
        }
        assert!(Uuid::is_like_one("ZZZZZ-dz642-0123456789abcde-80") && !Uuid::is_like_one("ollama"));
    }
}
