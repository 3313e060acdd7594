//! Tokens that visitors showed, for the way through the controller.
//!
//! The gate takes a visitor's token out of a request, and a session has none in it; the controller wants one with
//! each request. So the token that somebody was let in with is remembered here, for that person at that container and
//! nobody and nothing else. All requests of one person go with the token that they showed last; but one that is for
//! less than everything does not take the place of one that is for everything, or whoever holds it could do less with
//! their session than they could before.
//!
//! It is in memory alone, and wiped when it goes: when it ends, when the person is refused, when the container ends.
//! Never: written, shown to anybody but the cluster, or used for a request that the filter does not vouch for as that
//! person's.

use std::time::Duration;

use moka::future::Cache;
use taskgate_core::time::UnixTime;

use crate::arvados::token::Token;
use crate::arvados::uuid::Uuid;

/// The most tokens.
const MAX_TOKENS: u64 = 10_000;
/// How long one is remembered at most: as long as a session lasts by default.
const LIFETIME: Duration = Duration::from_hours(12);

/// Tokens that visitors showed.
#[derive(Clone, Debug)]
pub struct Lent {
    tokens: Cache<(Uuid, Box<str>), Shown>,
}

/// A token that somebody showed.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The token.
    pub token: Token,
    /// Whether it is for everything that its holder may do.
    pub is_for_all: bool,
    /// When it ends, where it does.
    pub ends_at: Option<UnixTime>,
}

impl Default for Lent {
    fn default() -> Self {
        Self { tokens: Cache::builder().max_capacity(MAX_TOKENS).time_to_live(LIFETIME).build() }
    }
}

impl Lent {
    /// Remembers what somebody was let in with.
    pub async fn remember(&self, user: &Uuid, container: &str, shown: Shown) {
        let key = (user.clone(), container.into());
        let is_less = !shown.is_for_all && self.tokens.get(&key).await.is_some_and(|kept| kept.is_for_all);
        if !is_less {
            self.tokens.insert(key, shown).await;
        }
    }

    /// Whether that is what is remembered already.
    pub async fn has(&self, user: &Uuid, container: &str, token: &Token) -> bool {
        let kept = self.tokens.get(&(user.clone(), container.into())).await;
        kept.is_some_and(|kept| kept.token.secret().expose() == token.secret().expose())
    }

    /// Forgets what somebody was let in with: they are not let in any more.
    pub async fn forget(&self, user: &Uuid, container: &str) {
        self.tokens.invalidate(&(user.clone(), container.into())).await;
    }

    /// Forgets what is for containers that are not there any more.
    pub async fn keep(&self, is_there: impl Fn(&str) -> bool) {
        let gone: Vec<_> = self.tokens.iter().filter(|(key, _)| !is_there(&key.1)).map(|(key, _)| key).collect();
        for key in gone {
            self.tokens.invalidate(&*key).await;
        }
    }

    /// What somebody was let in with last, if it is still good at `now`.
    pub async fn of(&self, user: &Uuid, container: &str, now: UnixTime) -> Option<Token> {
        let shown = self.tokens.get(&(user.clone(), container.into())).await?;
        if shown.ends_at.is_some_and(|end| end <= now) {
            self.forget(user, container).await;
            return None;
        }
        Some(shown.token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(number: u8) -> Uuid {
        Uuid::parse(&format!("zzzzz-tpzed-{number:015}")).expect("a name")
    }

    fn shown(secret: &str, is_for_all: bool, ends_at: Option<UnixTime>) -> Shown {
        let token = Token::parse(&format!("v2/zzzzz-gj3su-000000000000001/{secret}")).expect("a token");
        Shown { token, is_for_all, ends_at }
    }

    async fn kept(lent: &Lent, user: u8, container: &str, now: u64) -> Option<String> {
        let token = lent.of(&uuid(user), container, UnixTime::from_millis(now)).await?;
        token.secret().expose().rsplit('/').next().map(ToOwned::to_owned)
    }

    #[tokio::test]
    async fn a_token_is_one_persons_at_one_container() {
        let lent = Lent::default();
        lent.remember(&uuid(1), "a", shown("abc", true, None)).await;
        assert_eq!(kept(&lent, 1, "a", 0).await.as_deref(), Some("abc"));
        assert!(kept(&lent, 1, "b", 0).await.is_none() && kept(&lent, 2, "a", 0).await.is_none());
        assert!(!format!("{lent:?}").contains("abc"));
    }

    #[tokio::test]
    async fn a_token_for_less_does_not_take_the_place_of_one_for_all() {
        let lent = Lent::default();
        for (secret, is_for_all, expected) in
            [("less", false, "less"), ("all", true, "all"), ("less", false, "all"), ("new", true, "new")]
        {
            lent.remember(&uuid(1), "a", shown(secret, is_for_all, None)).await;
            assert_eq!(kept(&lent, 1, "a", 0).await.as_deref(), Some(expected));
        }
    }

    #[tokio::test]
    async fn a_token_is_forgotten_when_it_ends_and_when_its_container_or_its_right_does() {
        let lent = Lent::default();
        lent.remember(&uuid(1), "a", shown("abc", true, Some(UnixTime::from_millis(1_000)))).await;
        assert!(kept(&lent, 1, "a", 999).await.is_some() && kept(&lent, 1, "a", 1_000).await.is_none());
        assert!(kept(&lent, 1, "a", 0).await.is_none(), "it is gone");
        for container in ["a", "b", "c"] {
            lent.remember(&uuid(1), container, shown("abc", true, None)).await;
        }
        lent.forget(&uuid(1), "a").await;
        lent.keep(|container| container != "b").await;
        assert!(kept(&lent, 1, "a", 0).await.is_none() && kept(&lent, 1, "b", 0).await.is_none());
        assert!(kept(&lent, 1, "c", 0).await.is_some());
    }
}
