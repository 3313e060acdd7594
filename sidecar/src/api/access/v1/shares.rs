//! `/v1/shares`: makes share links, lists them, takes them back.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;

use crate::access::shares::{self, Asker, NewShare, ShareRefusal};
use crate::access::store::{Creator, Share};
use crate::api::access::v1::AccessApi;
use crate::api::body;
use crate::api::problem::Problem;
use crate::app::App;

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareRequest {
    /// The service's id or another label of it.
    pub service: String,
    /// How long the link lives, in seconds.
    pub lifetime_secs: u64,
    /// The path that it is for, with what is below; none: every path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many browsers may use it; none: as many as like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// For whom alone it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What its creator says about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A link, as its creator sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListedShare {
    /// What it is called.
    pub id: String,
    /// The canonical id of the service.
    pub service: String,
    /// Who made it.
    pub creator: String,
    /// The path that it is for.
    pub path: String,
    /// `live`, `used-up`, `expired` or `ended`.
    pub state: String,
    /// When it was made, in milliseconds since 1970.
    pub created_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// How many browsers may use it; none: that is not counted.
    pub uses: Option<u64>,
    /// How many have; none: that is not counted.
    pub used: Option<u64>,
    /// How many still may; none: that is not counted.
    pub uses_left: Option<u64>,
    /// When it was last used, where that is counted.
    pub last_used_at: Option<UnixTime>,
    /// For whom alone it is.
    pub to: Option<String>,
    /// What its creator says about it.
    pub note: String,
    /// When it ended before its time.
    pub ended_at: Option<UnixTime>,
    /// By whom.
    pub ended_by: Option<String>,
    /// Why.
    pub ended_why: Option<String>,
}

/// A link that was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShareAnswer {
    /// The link. It is shown this once.
    pub link: String,
    /// What is kept of it.
    pub share: ListedShare,
}

/// Links.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShareList {
    /// The newest first.
    pub shares: Vec<ListedShare>,
    /// What time it is for them, in milliseconds since 1970.
    pub now: UnixTime,
}

/// Which links are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Those of one service: its id or another label.
    #[serde(default)]
    pub(super) service: Option<String>,
}

pub(super) async fn make(State(api): State<AccessApi>, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    let asker = api.asker(&headers).await?;
    answer_made(&api.app, &asker, body::json(body).await?).await
}

pub(super) async fn list(
    State(api): State<AccessApi>,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ShareList>, Problem> {
    let asker = api.asker(&headers).await?;
    answer_list(&api.app, &asker, query).await
}

pub(super) async fn revoke(
    State(api): State<AccessApi>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<ListedShare>, Problem> {
    let asker = api.asker(&headers).await?;
    answer_revoked(&api.app, &asker, &id).await
}

/// Makes a link and says what came of it.
pub(super) async fn answer_made(app: &App, asker: &Asker, request: ShareRequest) -> Result<Response, Problem> {
    let wanted = NewShare {
        service: request.service,
        lifetime: Duration::from_secs(request.lifetime_secs),
        path: request.path,
        uses: request.uses,
        to: request.to,
        note: request.note,
    };
    let made = shares::make(app, asker, wanted).await?;
    let answer = ShareAnswer { link: made.link, share: listed(&made.share, app.access.now()) };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Lists links.
pub(super) async fn answer_list(
    app: &App,
    asker: &Asker,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ShareList>, Problem> {
    let Query(query) = query.map_err(|_| Problem::malformed("`service` is the only parameter"))?;
    let found = shares::list(app, asker, query.service.as_deref()).await?;
    let now = app.access.now();
    Ok(Json(ShareList { shares: found.iter().map(|share| listed(share, now)).collect(), now }))
}

/// Takes a link back.
pub(super) async fn answer_revoked(app: &App, asker: &Asker, id: &str) -> Result<Json<ListedShare>, Problem> {
    let id = TokenId::parse(id).map_err(|_| ShareRefusal::UnknownShare)?;
    let share = shares::revoke(app, asker, id).await?;
    Ok(Json(listed(&share, app.access.now())))
}

fn listed(share: &Share, now: UnixTime) -> ListedShare {
    let state = match &share.ending {
        Some(_) => "ended",
        None if share.expires_at <= now => "expired",
        None if share.uses.is_some_and(|uses| share.used >= uses) => "used-up",
        None => "live",
    };
    let creator = match &share.creator {
        Creator::Operator => "operator".to_owned(),
        Creator::Person { name, .. } => name.clone(),
    };
    ListedShare {
        id: share.id.to_string(),
        service: share.service.clone(),
        creator,
        path: share.scope.as_str().to_owned(),
        state: state.to_owned(),
        created_at: share.created_at,
        expires_at: share.expires_at,
        uses: share.uses,
        used: share.is_redeemed().then_some(share.used),
        uses_left: share.uses.map(|uses| uses.saturating_sub(share.used)),
        last_used_at: share.last_used_at,
        to: share.addressee.clone(),
        note: share.note.clone(),
        ended_at: share.ending.as_ref().map(|ending| ending.at),
        ended_by: share.ending.as_ref().map(|ending| ending.by.clone()),
        ended_why: share.ending.as_ref().map(|ending| ending.why.clone()),
    }
}
