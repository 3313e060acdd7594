//! A list of headers as a proxy keeps it: names in lower case, bytes as values, duplicates allowed.
//!
//! Why: tests compare what a filter left behind, so the list offers both raw bytes and text.
//! Never applies what only one flavour of host does; see `abi::headers` for that.

pub(crate) mod pairs;

/// Headers in the order a filter sees them. Invariant: names are in lower case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value of `name`.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The first value of `name` when it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// All values of `name`, in order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let name = name.to_ascii_lowercase().into_bytes();
        self.0.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value.as_slice())
    }

    /// Whether `name` is there at all.
    pub fn contains(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Every name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many headers there are, duplicates counted.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same list with one more header at its end.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.add(name.as_ref(), value.as_ref());
        self
    }

    /// Adds a header; pseudo-headers stay in front of the others.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        let place = match name.first() {
            Some(b':') => self.0.iter().take_while(|(key, _)| key.first() == Some(&b':')).count(),
            _ => self.0.len(),
        };
        self.0.insert(place, (name, value.to_vec()));
    }

    /// Removes all headers of that name and says whether there were any.
    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        let name = name.to_ascii_lowercase();
        let before = self.0.len();
        self.0.retain(|(key, _)| *key != name);
        before != self.0.len()
    }

    /// Leaves exactly one header of that name, in the place of the first.
    pub(crate) fn replace(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        let place = self.0.iter().position(|(key, _)| *key == name);
        self.remove(&name);
        match place {
            Some(place) => self.0.insert(place, (name, value.to_vec())),
            None => self.add(&name, value),
        }
    }

    /// Replaces only the first header of that name, or adds one.
    pub(crate) fn replace_first(&mut self, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = value.to_vec(),
            None => self.add(&name, value),
        }
    }

    /// Drops what NGINX reads as nothing: names with anything but letters, digits and hyphens.
    pub(crate) fn drop_invalid(&mut self) {
        let is_valid = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
        self.0.retain(|(name, _)| name.first() == Some(&b':') || name.iter().all(is_valid));
    }

    /// The size in bytes as a proxy counts it: names plus values.
    pub(crate) fn byte_size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines = self.0.iter().map(|(name, value)| {
            (String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned())
        });
        formatter.debug_map().entries(lines).finish()
    }
}

impl<Name: AsRef<[u8]>, Value: AsRef<[u8]>> FromIterator<(Name, Value)> for Headers {
    fn from_iter<Pairs: IntoIterator<Item = (Name, Value)>>(pairs: Pairs) -> Self {
        let mut headers = Self::new();
        for (name, value) in pairs {
            headers.add(name.as_ref(), value.as_ref());
        }
        headers
    }
}

impl<Name: AsRef<[u8]>, Value: AsRef<[u8]>> From<Vec<(Name, Value)>> for Headers {
    fn from(pairs: Vec<(Name, Value)>) -> Self {
        pairs.into_iter().collect()
    }
}

impl<Name: AsRef<[u8]>, Value: AsRef<[u8]>, const COUNT: usize> From<[(Name, Value); COUNT]> for Headers {
    fn from(pairs: [(Name, Value); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}
