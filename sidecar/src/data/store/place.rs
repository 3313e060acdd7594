//! Where a store's objects are: addresses and keys, each made of the other.

use crate::data::path::{Key, Segments};

/// The objects under a prefix of a bucket or container.
///
/// Invariant: every base ends with a `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    base: String,
    aliases: Vec<String>,
    prefix: Option<Segments>,
}

impl Place {
    /// A place with this base (`s3://bucket/`), whose addresses may be written with others too.
    pub(crate) fn new(base: String, aliases: Vec<String>, prefix: Option<Segments>) -> Self {
        Self { base, aliases, prefix }
    }

    /// What the store calls the object.
    pub(crate) fn name(&self, key: &Key) -> String {
        self.prefix.as_ref().map_or_else(|| key.as_str().to_owned(), |prefix| format!("{}/{key}", prefix.as_str()))
    }

    /// What the names of all objects under these segments start with.
    pub(crate) fn under(&self, segments: &Segments) -> String {
        let prefix = self.prefix.as_ref().map(|prefix| format!("{}/", prefix.as_str()));
        format!("{}{}/", prefix.unwrap_or_default(), segments.as_str())
    }

    /// The raw address of an object.
    pub(crate) fn uri(&self, key: &Key) -> String {
        format!("{}{}", self.base, self.name(key))
    }

    /// The key of such an address; none where it is of another place.
    pub(crate) fn key(&self, uri: &str) -> Option<Key> {
        let rest = std::iter::once(&self.base).chain(&self.aliases).find_map(|base| uri.strip_prefix(base.as_str()))?;
        self.key_of(rest)
    }

    /// The key of what the store calls so; none where it is of another place.
    pub(crate) fn key_of(&self, name: &str) -> Option<Key> {
        let name = Key::parse(name).ok()?;
        match &self.prefix {
            None => Some(name),
            Some(prefix) => Key::parse(name.under(prefix)?).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_raw_and_reads_back() {
        let prefix = Segments::parse("tenant/a").expect("segments");
        let place = Place::new("s3://b/".to_owned(), vec!["s3a://b/".to_owned()], Some(prefix));
        let key = Key::parse("p/dev/foo bar ü #1?%2e.txt").expect("a key");
        assert_eq!(place.uri(&key), "s3://b/tenant/a/p/dev/foo bar ü #1?%2e.txt");
        assert_eq!(place.key(&place.uri(&key)), Some(key.clone()));
        assert_eq!(place.under(&Segments::parse("up/s").expect("segments")), "tenant/a/up/s/");
        assert_eq!(place.key("s3a://b/tenant/a/p/dev/foo bar ü #1?%2e.txt"), Some(key));
        for other in ["s3://c/tenant/a/x", "s3://b/tenant/ab/x", "s3://b/x", "s3://b/tenant/a/../b/x", "tenant/a/x"] {
            assert_eq!(place.key(other), None, "{other}");
        }
    }
}
