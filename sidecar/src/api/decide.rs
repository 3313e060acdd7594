//! What ingresses without the filter ask: `/v1/decide`, `/v1/reply`, and Envoy's `ext_authz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::uri::PathAndQuery;
use axum::response::Response;
use axum::routing::any;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use serde::Deserialize;
use taskgate_core::denial::Denial;
use taskgate_core::edit::RequestEdits;
use taskgate_core::gate::Decision;
use taskgate_core::reply::Reply;

use crate::api::guard;
use crate::api::problem::{self, Problem};
use crate::decide::check::Checks;
use crate::decide::destination::Destination;
use crate::decide::dialect::Dialect;
use crate::decide::office::{Office, refuse};
use crate::decide::original::{Original, Unsaid};
use crate::decide::{answer, passed};

/// What stands before the client's path in Envoy's question over HTTP.
const PASSED_ON: &str = "/v1/ext_authz";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DecideQuery {
    #[serde(default, rename = "for")]
    dialect: Dialect,
    /// A label of the service that the ingress will go to, where it has chosen that by itself.
    service: Option<String>,
    /// Whether that is where tunnels end, and not the service's own servers.
    #[serde(default)]
    tunnel: YesNo,
    /// Whether that is the sidecar, for paths below `/.taskgate/`, and not the service's own servers.
    #[serde(default)]
    own: YesNo,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum YesNo {
    #[default]
    No,
    Yes,
}

impl DecideQuery {
    /// Where the ingress takes what is permitted, if it has chosen that by itself; none: nowhere that there is.
    const fn chosen(&self) -> Option<Destination> {
        match (self.tunnel, self.own) {
            (YesNo::No, YesNo::No) => Some(Destination::Service),
            (YesNo::Yes, YesNo::No) => Some(Destination::Tunnel),
            (YesNo::No, YesNo::Yes) => Some(Destination::OwnPath),
            (YesNo::Yes, YesNo::Yes) => None,
        }
    }
}

/// The routes.
pub fn router(office: &Arc<Office>) -> Router {
    let app = office.app();
    let routes = Router::new()
        .route("/v1/decide", any(decide))
        .route("/v1/reply", any(reply))
        .route(&format!("{PASSED_ON}/{{*path}}"), any(check))
        .route(&format!("{PASSED_ON}/"), any(check))
        .with_state(Arc::clone(office))
        .route_service(
            "/envoy.service.auth.v3.Authorization/{method}",
            AuthorizationServer::new(Checks(Arc::clone(office))),
        )
        .fallback(problem::not_found);
    let guarded =
        guard::secret_of(routes, app, "forward_auth.secret", |live| live.forward_auth.as_ref()?.secret.as_ref());
    guard::net(guarded, app)
}

/// What an ingress does with a request.
async fn decide(
    State(office): State<Arc<Office>>,
    query: Result<Query<DecideQuery>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let malformed = || {
        Problem::malformed(
            "`for` is one of caddy, generic, haproxy, nginx and traefik; `service` a label; one of `tunnel` and `own` may be yes; there is nothing else",
        )
    };
    let Query(query) = query.map_err(|_| malformed())?;
    let chosen = query.chosen().ok_or_else(malformed)?;
    let DecideQuery { dialect, service, .. } = query;
    // Where the ingress goes is chosen already: by its own rules, by the service that it names, or for what is the
    // sidecar's own.
    let has_chosen = service.is_some() || !dialect.chooses_upstream() || chosen != Destination::Service;
    let original = Original::forwarded(request.headers()).map_err(unsaid)?;
    let permit = |edits: &mut RequestEdits| {
        // What was decided about is where the request goes: also where the ingress goes by a rule of its own.
        if service.as_deref().is_some_and(|label| !office.is_named(edits.standing.service(), label)) {
            return Err(Denial::ConflictingAddress);
        }
        let destination = Destination::of(edits);
        if has_chosen && destination != chosen {
            return Err(destination.instead_of(chosen));
        }
        // The group is the service's own servers; with the sidecar's address what is for the sidecar gets there.
        let group = office.group(edits.standing.service()).filter(|_| destination == Destination::Service);
        answer::permit(edits, group.as_deref(), original.header(":path").unwrap_or_default(), dialect)
    };
    Ok(respond(office.decide(&original, dialect, dialect.rewrites_path(), permit).await, dialect))
}

/// The whole reply to a request that was refused, for ingresses that are told of 401 and 403 alone.
async fn reply(State(office): State<Arc<Office>>, request: Request) -> Result<Response, Problem> {
    let original = Original::forwarded(request.headers()).map_err(unsaid)?;
    let decision = office.silently(&original, true).await;
    Ok(match decision {
        Decision::Redirect(reply) | Decision::Refuse(_, reply) => answer::whole(*reply),
        // Since it was refused something has changed, or it was refused for the size of its headers.
        Decision::Permit(edits) => {
            let mut edits = *edits;
            let uri = original.header(":path").unwrap_or_default();
            let denial = answer::permit(&mut edits, None, uri, Dialect::Nginx).err();
            let denial = denial.unwrap_or(Denial::VerdictUnavailable);
            answer::whole(refuse(&original, denial, edits.audit))
        }
    })
}

/// What Envoy does with a request.
async fn check(State(office): State<Arc<Office>>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let path = path.strip_prefix(PASSED_ON).unwrap_or_default();
    let original = Original::passed_on(&parts, path).map_err(unsaid)?;
    let dialect = Dialect::Envoy;
    Ok(respond(office.decide(&original, dialect, dialect.rewrites_path(), passed::permit).await, dialect))
}

fn respond(told: Result<Response, Box<Reply>>, dialect: Dialect) -> Response {
    told.unwrap_or_else(|reply| answer::refuse(*reply, dialect))
}

fn unsaid(unsaid: Unsaid) -> Problem {
    Problem::malformed(unsaid.to_string())
}
