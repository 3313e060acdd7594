//! Using a link that is counted, or for one person: a session for a code.
//!
//! One use is one browser: what the session is good for afterwards is not counted. A code counts nothing until somebody
//! asks for a session with it, so what looks at links on the way (previews in chats, scanners of mail) uses none up.

use taskgate_core::identity::WireIdentity;
use taskgate_core::session::{Claims, SharedAccess};
use taskgate_core::share;
use taskgate_core::token::TokenId;
use thiserror::Error;

use crate::access::store::{AccessStoreError, Share};
use crate::app::App;
use crate::digest::Digest;
use crate::random;
use crate::registry::published::Published;

/// Why a code gives no session.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unredeemed {
    /// It is over, or there never was one.
    #[error("the link has ended or was taken back, or is not whole")]
    Over,
    /// It is for somebody else.
    #[error("the link is for somebody else")]
    OtherPerson,
    /// It is for one person, and nobody has said who asks.
    #[error("the link is for one person: sign in first")]
    SignInFirst,
    /// That can't be said now.
    #[error("links can't be looked at now; try again in a while")]
    Unavailable,
    /// As many have used it as may.
    #[error("the link was used as often as it may be")]
    UsedUp,
}

/// The link with that code, for that service.
///
/// # Errors
/// [`Unredeemed::Over`] and [`Unredeemed::Unavailable`].
pub async fn find(app: &App, code: &str, service: &Published) -> Result<Share, Unredeemed> {
    let id = code.split_once('.').and_then(|(id, _)| TokenId::parse(id).ok()).ok_or(Unredeemed::Over)?;
    let share = live(app, id, service).await?;
    let digest = Digest::of(code.as_bytes());
    let is_code = share.code.as_ref().is_some_and(|kept| kept.matches(&digest));
    if is_code { Ok(share) } else { Err(Unredeemed::Over) }
}

/// A session for a code, which counts as a use. `visitor` is who asks, where that is known.
///
/// # Errors
/// [`Unredeemed`]; then no use was counted.
pub async fn redeem(
    app: &App,
    code: &str,
    service: &Published,
    visitor: Option<WireIdentity>,
) -> Result<Claims, Unredeemed> {
    let share = find(app, code, service).await?;
    let identity = match (&share.addressee, visitor) {
        (None, _) => share::visitor(share.id),
        (Some(_), None) => return Err(Unredeemed::SignInFirst),
        (Some(_), Some(visitor)) => visitor,
    };
    session(app, share, service, identity).await
}

async fn live(app: &App, id: TokenId, service: &Published) -> Result<Share, Unredeemed> {
    let share = app.access.store().share(id).await?.ok_or(Unredeemed::Over)?;
    let is_here = share.service == service.id.as_str() && share.origin == service.entry.origin();
    let is_good = is_here && share.is_redeemed() && share.is_live(app.access.now());
    if is_good { Ok(share) } else { Err(Unredeemed::Over) }
}

async fn session(app: &App, share: Share, service: &Published, identity: WireIdentity) -> Result<Claims, Unredeemed> {
    if share.addressee.as_ref().is_some_and(|name| *name != identity.actor) {
        return Err(Unredeemed::OtherPerson);
    }
    let (id, now) = (random::non_zero().map_err(|_| Unredeemed::Unavailable)?, app.access.now());
    let (service_id, actor) = (share.service.as_str(), identity.actor.clone());
    let claims = Claims::new(TokenId::new(id), service_id, service.epoch, identity, now, share.expires_at);
    let shared = Some(SharedAccess { id: share.id, scope: share.scope.clone() });
    // No use is lost by a session that no browser would keep.
    let claims = fitted(app, Claims { share: shared, ..claims })?;
    if !app.access.store().redeem(share.id, now).await? {
        return Err(Unredeemed::UsedUp);
    }
    tracing::info!(
        audit = true,
        event = "share-redeemed",
        actor.id = actor,
        service.id = share.service,
        share.id = %share.id,
        share.used = share.used.saturating_add(1),
        share.uses = share.uses,
        "share link used"
    );
    Ok(claims)
}

/// The claims with as many groups as a cookie has room for.
fn fitted(app: &App, mut claims: Claims) -> Result<Claims, Unredeemed> {
    let longest = app.live.load().site.as_ref().map_or(usize::MAX, |site| site.longest_session());
    let ring = app.access.ring();
    while !claims.seal(&ring).is_ok_and(|token| token.len() <= longest) {
        if claims.identity.groups.is_empty() {
            return Err(Unredeemed::Unavailable);
        }
        claims.identity.groups.truncate(claims.identity.groups.len() / 2);
    }
    Ok(claims)
}

impl From<AccessStoreError> for Unredeemed {
    fn from(error: AccessStoreError) -> Self {
        tracing::error!(%error, "the store of share links can't be used");
        Self::Unavailable
    }
}
