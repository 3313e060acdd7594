//! Share links: making, finding and ending them.
//!
//! A link of which nothing has to be remembered carries a sealed token that workers believe without asking. One that is
//! counted, or for one person, leads to the sidecar with a random code, of which a digest is kept ([`redeem`]).
//!
//! Who makes one must be able to manage the service, and it ends when they no longer can ([`watch`]).
//!
//! [`redeem`]: crate::access::redeem
//! [`watch`]: crate::access::watch

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use taskgate_core::config::GateConfig;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::service::{AccessLevel, Protocol};
use taskgate_core::share::{PathScope, SHARE_PARAMETER, ShareClaims};
use taskgate_core::token::TokenId;
use taskgate_core::visitor::OWN_PROVIDER;
use thiserror::Error;
use url::Url;

use crate::access::rights;
use crate::access::store::{AccessStoreError, Added, Bounds, Creator, Ending, Selection, Share};
use crate::app::App;
use crate::auth::actor::Actor;
use crate::digest::Digest;
use crate::discovery::policy::Authorisation;
use crate::random;
use crate::registry::published::Published;

/// Where links lead to the sidecar. The code is in the query, which is in no log of requests.
pub const SHARE_PATH: &str = "/.taskgate/share";
/// The most characters of a note.
pub const MAX_NOTE: usize = 200;
/// The most uses that can be counted.
pub const MAX_USES: u64 = 1_000_000;
/// How many links there may be.
const BOUNDS: Bounds = Bounds { live: 100, of_creator: 1_000, all: 9_000 };
/// What of a path is written as it is in a query.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is wanted.
#[derive(Clone, Debug)]
pub struct NewShare {
    /// The service's id or another label of it.
    pub service: String,
    /// How long the link lives.
    pub lifetime: Duration,
    /// The path that it is for, with what is below; none: every path.
    pub path: Option<String>,
    /// How many browsers may use it; none: that is not counted.
    pub uses: Option<u64>,
    /// For whom alone it is.
    pub to: Option<String>,
    /// What its creator says about it.
    pub note: String,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Asker {
    /// Somebody at the internal listener, who may do everything.
    Operator,
    /// Somebody with an accepted credential.
    Person(Actor),
}

/// A link that was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What is kept of it.
    pub share: Share,
    /// The link itself. It is shown this once.
    pub link: String,
}

/// Why something is not done with a link.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShareRefusal {
    /// Something in the question makes no sense; what to write instead.
    #[error("{0}")]
    Invalid(String),
    /// The asker may use the service, but not let others use it.
    #[error("only who can manage the service, or owns it, may share it")]
    NotAllowed,
    /// Nobody can use the service by a link.
    #[error("{0}")]
    NotShareable(&'static str),
    /// There are too many links.
    #[error("there are too many links {0}; revoke some, or wait until they end (`taskgate share list`)")]
    TooMany(&'static str),
    /// Can't be said or done now.
    #[error("{0}")]
    Unavailable(String),
    /// There is no such service, or the asker may not know of it.
    #[error("no service has this label, or you may not know of it")]
    UnknownService,
    /// There is no such link, or the asker may not know of it.
    #[error("there is no such link; see `taskgate share list`")]
    UnknownShare,
}

/// Makes a link.
///
/// # Errors
/// [`ShareRefusal`].
pub async fn make(app: &App, asker: &Asker, wanted: NewShare) -> Result<Made, ShareRefusal> {
    let service = app.registry.service(&wanted.service).ok_or(ShareRefusal::UnknownService)?;
    check_right(app, &service, asker).await?;
    match (service.entry.policy.access, service.entry.protocol) {
        _ if *service.provider == *OWN_PROVIDER => {
            return Err(ShareRefusal::NotShareable("this service can't be shared"));
        }
        (AccessLevel::Nobody, _) => return Err(ShareRefusal::NotShareable("the service is closed to everybody")),
        (AccessLevel::Public, _) => {
            return Err(ShareRefusal::NotShareable("the service is public: everybody can use its plain address"));
        }
        (_, Protocol::Tcp) => return Err(ShareRefusal::NotShareable("the service is not spoken to over HTTP")),
        _ => {}
    }
    if app.access.is_everybody_ended() {
        let reason = "everybody's sessions were ended a moment ago; try again in a few seconds";
        return Err(ShareRefusal::Unavailable(reason.into()));
    }
    let share = share_of(app, &service, asker, wanted)?;
    let control = app.access.control();
    let origin = origin_of(&control.gate, service.id.as_str()).ok_or_else(no_address)?;
    let (share, link) = if share.is_redeemed() {
        if control.gate.issuer.is_empty() {
            let reason = "links that are counted or for one person need the section `access` in the configuration";
            return Err(ShareRefusal::NotShareable(reason));
        }
        let (code, text) = code(share.id)?;
        let link = format!("{origin}{SHARE_PATH}?code={text}&to={}", utf8_percent_encode(share.scope.as_str(), PATH));
        (Share { code: Some(code), ..share }, link)
    } else {
        let claims = ShareClaims {
            id: share.id,
            service: share.service.clone(),
            origin: share.origin,
            scope: share.scope.clone(),
            issued_at: share.created_at,
            expires_at: share.expires_at,
        };
        let token = claims.seal(&app.access.ring()).map_err(|error| ShareRefusal::Unavailable(error.to_string()))?;
        let link = format!("{origin}{}?{SHARE_PARAMETER}={token}", share.scope.as_str());
        (share, link)
    };
    app.access.warn_where_nothing_is_kept();
    match app.access.store().add(&share, BOUNDS, app.access.now()).await? {
        Added::TooMany(kind) => return Err(ShareRefusal::TooMany(kind)),
        Added::Added => {}
    }
    tracing::info!(
        audit = true,
        event = "share-made",
        actor.id = asker.name(),
        service.id = share.service,
        share.id = %share.id,
        share.path = share.scope.as_str(),
        share.uses = share.uses,
        share.to = share.addressee,
        share.expires_at_ms = share.expires_at.as_millis(),
        access.level = service.entry.policy.access.code(),
        "share link made"
    );
    Ok(Made { share, link })
}

/// The links that an asker may see: an operator all, everybody else their own, and those of a service that they may
/// share.
///
/// # Errors
/// [`ShareRefusal`].
pub async fn list(app: &App, asker: &Asker, service: Option<&str>) -> Result<Vec<Share>, ShareRefusal> {
    let service = match service {
        Some(label) => Some(app.registry.service(label).ok_or(ShareRefusal::UnknownService)?),
        None => None,
    };
    let creator = match (asker, &service) {
        (Asker::Operator, _) => None,
        (Asker::Person(actor), None) => Some(actor.name().to_owned()),
        (Asker::Person(actor), Some(service)) => match check_right(app, service, asker).await {
            Ok(()) => None,
            Err(ShareRefusal::NotAllowed) => Some(actor.name().to_owned()),
            Err(refusal) => return Err(refusal),
        },
    };
    let origin = service.as_ref().map(|service| service.entry.origin());
    let selection = Selection { service: service.map(|service| service.id.to_string()), creator };
    let mut shares = app.access.store().shares(&selection).await?;
    if let (Asker::Person(actor), Some(origin)) = (asker, origin) {
        // Those of another owner's time are not for who shares it now.
        shares.retain(|share| share.origin == origin || share.creator.name() == actor.name());
    }
    Ok(shares)
}

/// Ends a link, and every session that it gave: at once, everywhere. Its creator may, and who may share the service.
///
/// # Errors
/// [`ShareRefusal`].
pub async fn revoke(app: &App, asker: &Asker, id: TokenId) -> Result<Share, ShareRefusal> {
    let share = app.access.store().share(id).await?.ok_or(ShareRefusal::UnknownShare)?;
    if let Asker::Person(actor) = asker
        && share.creator.name() != actor.name()
    {
        let service = app.registry.service(&share.service).ok_or(ShareRefusal::UnknownShare)?;
        match check_right(app, &service, asker).await {
            Ok(()) if service.entry.origin() == share.origin => {}
            Err(unavailable @ ShareRefusal::Unavailable(_)) => return Err(unavailable),
            _ => return Err(ShareRefusal::UnknownShare),
        }
    }
    end(app, &share, asker.name(), "revoked").await?;
    Ok(app.access.store().share(id).await?.unwrap_or(share))
}

/// Ends a link.
pub(super) async fn end(app: &App, share: &Share, by: &str, why: &str) -> Result<(), AccessStoreError> {
    let ending = Ending { at: app.access.now(), by: by.to_owned(), why: why.to_owned() };
    app.access.end_share(share, &ending).await?;
    tracing::info!(
        audit = true,
        event = "share-ended",
        actor.id = by,
        service.id = share.service,
        share.id = %share.id,
        reason = why,
        "share link ended"
    );
    Ok(())
}

async fn check_right(app: &App, service: &Published, asker: &Asker) -> Result<(), ShareRefusal> {
    let Asker::Person(actor) = asker else { return Ok(()) };
    match rights::may_share(app, service, actor).await {
        Authorisation::Allow => Ok(()),
        Authorisation::AccessDenied => Err(ShareRefusal::NotAllowed),
        Authorisation::UnknownService => Err(ShareRefusal::UnknownService),
        Authorisation::Unavailable(reason) => {
            tracing::info!(service.id = service.id.as_str(), reason, "who may share a service can't be said now");
            Err(ShareRefusal::Unavailable("who may share it can't be said now; try again in a while".into()))
        }
    }
}

/// What is to be kept, where all of it makes sense.
fn share_of(app: &App, service: &Published, asker: &Asker, wanted: NewShare) -> Result<Share, ShareRefusal> {
    let longest = app.access.settings().max_share_lifetime;
    if wanted.lifetime.is_zero() || wanted.lifetime > longest {
        let detail = format!("a link lives 1 to {} seconds (`access.shares.max_lifetime_secs`)", longest.as_secs());
        return Err(ShareRefusal::Invalid(detail));
    }
    if wanted.uses.is_some_and(|uses| !(1..=MAX_USES).contains(&uses)) {
        return Err(ShareRefusal::Invalid(format!("a link may be used 1 to {MAX_USES} times")));
    }
    if wanted.note.chars().count() > MAX_NOTE || wanted.note.chars().any(char::is_control) {
        return Err(ShareRefusal::Invalid(format!("a note is one line of at most {MAX_NOTE} characters")));
    }
    let nameable =
        |name: &String| Identity::try_from(WireIdentity { actor: name.clone(), ..WireIdentity::default() }).is_ok();
    if !wanted.to.iter().all(nameable) {
        return Err(ShareRefusal::Invalid("whom a link is for is a login name".into()));
    }
    let scope = match &wanted.path {
        None => PathScope::everything(),
        Some(path) => PathScope::parse(path).map_err(|error| ShareRefusal::Invalid(format!("the path {error}")))?,
    };
    let number = random::non_zero().map_err(|error| ShareRefusal::Unavailable(error.to_string()))?;
    let now = app.access.now();
    let creator = match asker {
        Asker::Operator => Creator::Operator,
        Asker::Person(actor) => Creator::Person { name: actor.name().to_owned(), groups: actor.groups().to_vec() },
    };
    Ok(Share {
        id: TokenId::new(number),
        service: service.id.to_string(),
        origin: service.entry.origin(),
        creator,
        scope,
        created_at: now,
        expires_at: now.after(wanted.lifetime),
        uses: wanted.uses,
        used: 0,
        last_used_at: None,
        addressee: wanted.to,
        note: wanted.note,
        code: None,
        ending: None,
    })
}

/// A new code of a link: what is kept of it, and its text.
fn code(id: TokenId) -> Result<(Digest, String), ShareRefusal> {
    let secret: [u8; 24] = random::bytes().map_err(|error| ShareRefusal::Unavailable(error.to_string()))?;
    let text = format!("{id}.{}", URL_SAFE_NO_PAD.encode(secret));
    Ok((Digest::of(text.as_bytes()), text))
}

/// The origin under which browsers know a service: as that of the pages for sign-in, with the service's label.
#[must_use]
pub fn origin_of(gate: &GateConfig, label: &str) -> Option<String> {
    let base = gate.base_domains.first()?.trim_matches('.');
    let issuer = Url::parse(&gate.issuer).ok();
    let scheme = if gate.plain_http { "http" } else { "https" };
    let port = issuer.as_ref().and_then(Url::port).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{label}.{base}{port}"))
}

fn no_address() -> ShareRefusal {
    ShareRefusal::Unavailable("there is no base domain under which services have addresses".into())
}

impl Asker {
    /// The name in audits.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => "operator",
            Self::Person(actor) => actor.name(),
        }
    }
}

impl From<AccessStoreError> for ShareRefusal {
    fn from(error: AccessStoreError) -> Self {
        tracing::error!(%error, "the store of share links can't be used");
        Self::Unavailable("links can't be looked at or kept now; try again in a while".into())
    }
}
