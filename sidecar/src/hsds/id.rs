//! Ids of objects.
//!
//! The first half of an id is that of the domain's root group. Ids may be chosen by the client, so that
//! a step that is done again makes the same object.

use std::fmt;

use thiserror::Error;

use crate::digest::Digest;

/// What kind of object there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// Committed types.
    Datatypes,
    /// Datasets.
    Datasets,
    /// Groups.
    Groups,
}

/// The id of an object.
///
/// Invariant: prints in the one form that HSDS uses, such as `d-01234567-89abcdef-0123-456789-abcdef`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    collection: Collection,
    number: u128,
}

/// A text that is no id of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no id of a group, dataset or datatype")]
pub struct InvalidObjectId;

impl Collection {
    /// As it stands in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datasets => "datasets",
            Self::Datatypes => "datatypes",
            Self::Groups => "groups",
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Datasets => 'd',
            Self::Datatypes => 't',
            Self::Groups => 'g',
        }
    }

    fn of_letter(letter: &str) -> Option<Self> {
        match letter {
            "d" | "D" => Some(Self::Datasets),
            "t" | "T" => Some(Self::Datatypes),
            "g" | "G" => Some(Self::Groups),
            _ => None,
        }
    }
}

impl ObjectId {
    /// Reads an id, with HSDS's own grouping or another, alone or as references have it:
    /// `datasets/d-…`.
    ///
    /// # Errors
    /// [`InvalidObjectId`].
    pub fn parse(text: &str) -> Result<Self, InvalidObjectId> {
        let (named, id) = match text.split_once('/') {
            Some((collection, id)) => (Some(collection), id),
            None => (None, text),
        };
        let (letter, rest) = id.split_once('-').ok_or(InvalidObjectId)?;
        let collection = Collection::of_letter(letter).ok_or(InvalidObjectId)?;
        if named.is_some_and(|named| named != collection.as_str()) || rest.len() > 40 {
            return Err(InvalidObjectId);
        }
        let digits: String = rest.chars().filter(|digit| *digit != '-').collect();
        let is_number = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(&digits, 16).map_err(|_| InvalidObjectId)?;
        if is_number { Ok(Self { collection, number }) } else { Err(InvalidObjectId) }
    }

    /// An id in the domain of `root` that always comes out the same for the same parts.
    #[must_use]
    pub fn derived(collection: Collection, root: Self, parts: &[&[u8]]) -> Self {
        let digest = Digest::of_parts(parts);
        let mut own = [0; 8];
        for (byte, random) in own.iter_mut().zip(digest.as_bytes()) {
            *byte = *random;
        }
        let number = (root.number >> 64 << 64) | u128::from(u64::from_be_bytes(own));
        Self { collection, number }
    }

    /// What kind of object it is.
    #[must_use]
    pub const fn collection(self) -> Collection {
        self.collection
    }

    /// Whether both are in one domain.
    #[must_use]
    pub const fn is_beside(self, other: Self) -> bool {
        self.number >> 64 == other.number >> 64
    }

    /// As values of references have it: `datasets/d-…`.
    #[must_use]
    pub fn reference(self) -> String {
        format!("{}/{self}", self.collection.as_str())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |shift: u32, bits: u32| (self.number >> shift) & ((1 << bits) - 1);
        write!(
            formatter,
            "{}-{:08x}-{:08x}-{:04x}-{:06x}-{:06x}",
            self.collection.letter(),
            part(96, 32),
            part(64, 32),
            part(48, 16),
            part(24, 24),
            part(0, 24),
        )
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "d-01234567-89abcdef-0123-456789-abcdef";

    #[test]
    fn an_id_has_one_form() {
        for same in [
            TEXT,
            "D-01234567-89ABCDEF-0123-456789-ABCDEF",
            "d-01234567-89ab-cdef-0123-456789abcdef",
            "datasets/d-01234567-89abcdef-0123-456789-abcdef",
        ] {
            assert_eq!(ObjectId::parse(same).map(|id| id.to_string()), Ok(TEXT.into()), "{same}");
        }
        let id = ObjectId::parse(TEXT).expect("an id");
        assert_eq!(id.reference(), format!("datasets/{TEXT}"));
        for wrong in ["", "d-", "x-01234567-89abcdef-0123-456789-abcdef", "d-+1234567-89abcdef-0123-456789-abcdef"] {
            assert_eq!(ObjectId::parse(wrong), Err(InvalidObjectId), "{wrong}");
        }
        assert_eq!(ObjectId::parse(&format!("groups/{TEXT}")), Err(InvalidObjectId));
        assert_eq!(ObjectId::parse(&format!("{TEXT}-0")), Err(InvalidObjectId));
    }

    #[test]
    fn a_derived_id_is_in_its_domain() {
        let root = ObjectId::parse("g-01234567-89abcdef-89ab-cdef01-234567").expect("an id");
        let one = ObjectId::derived(Collection::Datasets, root, &[b"task", b"object"]);
        assert_eq!(one, ObjectId::derived(Collection::Datasets, root, &[b"task", b"object"]));
        assert_ne!(one, ObjectId::derived(Collection::Datasets, root, &[b"tasko", b"bject"]));
        assert!(one.is_beside(root) && one.to_string().starts_with("d-01234567-89abcdef-"));
    }
}
