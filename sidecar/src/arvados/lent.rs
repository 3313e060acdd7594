//! Tokens that visitors showed, for the way through the controller.
//!
//! The gate takes a visitor's token out of a request, and a session has none in it; the controller wants one with
//! each request. So the token that somebody was let in with is remembered here, for that person at that container and
//! nobody and nothing else.
//!
//! It is in memory alone, and wiped when it goes. Never: written, shown to anybody but the cluster, or used for a
//! request that the filter does not vouch for as that person's.

use std::time::Duration;

use moka::future::Cache;

use crate::arvados::token::Token;
use crate::arvados::uuid::Uuid;

/// The most tokens.
const MAX_TOKENS: u64 = 10_000;
/// How long one is remembered: as long as a session lasts by default.
const LIFETIME: Duration = Duration::from_hours(12);

/// Tokens that visitors showed.
#[derive(Clone, Debug)]
pub struct Lent {
    tokens: Cache<(Uuid, Box<str>), Token>,
}

impl Default for Lent {
    fn default() -> Self {
        Self { tokens: Cache::builder().max_capacity(MAX_TOKENS).time_to_live(LIFETIME).build() }
    }
}

impl Lent {
    /// Remembers what somebody was let in with.
    pub async fn remember(&self, user: &Uuid, container: &str, token: Token) {
        self.tokens.insert((user.clone(), container.into()), token).await;
    }

    /// What somebody was let in with last.
    pub async fn of(&self, user: &Uuid, container: &str) -> Option<Token> {
        self.tokens.get(&(user.clone(), container.into())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_one_persons_at_one_container() {
        let uuid = |number: u8| Uuid::parse(&format!("zzzzz-tpzed-{number:015}")).expect("a name");
        let lent = Lent::default();
        let token = Token::parse("v2/zzzzz-gj3su-000000000000001/abc").expect("a token");
        lent.remember(&uuid(1), "a", token).await;
        assert!(lent.of(&uuid(1), "a").await.is_some());
        assert!(lent.of(&uuid(1), "b").await.is_none() && lent.of(&uuid(2), "a").await.is_none());
        assert!(!format!("{lent:?}").contains("abc"));
    }
}
