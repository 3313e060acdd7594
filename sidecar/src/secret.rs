//! Text that never shows itself.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::digest::Digest;

/// A secret text: a password, a token, a key in its text form.
///
/// Invariant: it has no `Display`, its `Debug` is `****`, and its memory is wiped when it goes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(from = "String")]
#[schemars(with = "String")]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is the secret, in a time that tells neither where they differ nor how
    /// long the secret is.
    #[must_use]
    pub fn matches(&self, presented: &[u8]) -> bool {
        let (own, other) = (Digest::of(self.0.as_bytes()), Digest::of(presented));
        own.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_itself_alone_and_does_not_show() {
        let secret = SecretText::from("hunter2".to_owned());
        assert!(secret.matches(b"hunter2"));
        assert!(!secret.matches(b"hunter") && !secret.matches(b"hunter22") && !secret.matches(b""));
        assert_eq!(format!("{secret:?}"), "****");
    }
}
