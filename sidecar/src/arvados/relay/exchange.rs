//! One request through the controller.
//!
//! What the controller answers itself is not shown: its words have addresses of servers inside the cluster, and its
//! statuses are often 500 where somebody may not. What it can't do is said at once: an upgrade, which it accepts
//! and then leaves silent, is 501.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse as _;
use hyper::body::{Body as _, Incoming};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, StatusCode, header};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use taskgate_core::identity::Identity;
use taskgate_core::service::AccessLevel;

use crate::api::problem::Problem;
use crate::arvados::client::http_client;
use crate::arvados::lent::Lent;
use crate::arvados::relay::Target;
use crate::arvados::relay::authorship::Authorship;
use crate::arvados::relay::gatehouse::{Gatehouse, visitor};
use crate::arvados::relay::headers;
use crate::arvados::relay::origin::Origins;
use crate::arvados::settings::{ArvadosSettings, ControllerSettings};
use crate::arvados::token::{TOKEN_NAME, Token};
use crate::arvados::uuid::Uuid;
use crate::config::arvados::ControllerToken;
use crate::http::{HttpError, explain};

/// When it is worth to try again, in seconds.
const RETRY_AFTER_SECS: &str = "5";

/// What a way to a service can do, as programs can read it in refusals and people in the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether connections can be upgraded.
    pub websocket: bool,
    /// Whether parts of a reply come when the job sends them.
    pub sse: bool,
    /// How long a request may take.
    pub max_duration: Duration,
}

/// Sends requests through the controller.
#[derive(Debug)]
pub struct Exchange {
    http: Client,
    gatehouse: Arc<dyn Gatehouse>,
    /// The token for all, where the operator chose that.
    service_token: Option<Token>,
    /// Else those that visitors were let in with.
    lent: Option<Lent>,
    capabilities: Capabilities,
}

/// Leads every name to one place.
#[derive(Debug)]
struct Connect(String);

impl Resolve for Connect {
    fn resolve(&self, _name: Name) -> Resolving {
        let place = self.0.clone();
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host(place).await?.collect();
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

impl Exchange {
    /// What sends requests through that controller.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(
        settings: &ArvadosSettings,
        controller: &ControllerSettings,
        gatehouse: Arc<dyn Gatehouse>,
        lent: Option<Lent>,
    ) -> Result<Self, HttpError> {
        let builder = http_client(&settings.cluster).timeout(controller.max).http1_only();
        let builder = match &controller.connect {
            Some(place) => builder.dns_resolver(Arc::new(Connect(place.clone()))),
            None => builder,
        };
        let service_token = match controller.token {
            ControllerToken::Service => Some(settings.cluster.token.clone()),
            ControllerToken::Visitor => None,
        };
        let capabilities = Capabilities { websocket: false, sse: false, max_duration: controller.max };
        Ok(Self { http: builder.build().map_err(HttpError::Client)?, gatehouse, service_token, lent, capabilities })
    }

    /// Answers a request for a service.
    pub async fn answer(&self, origins: &Origins, target: &Target, request: Request<Incoming>) -> Response<Body> {
        match self.carry(origins, target, request).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    }

    async fn carry(
        &self,
        origins: &Origins,
        target: &Target,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Problem> {
        let (mut head, body) = request.into_parts();
        let visitor = self.admit(target, &head.headers)?;
        if head.headers.contains_key(header::UPGRADE) && !self.capabilities.websocket {
            return Err(self.refusal(
                StatusCode::NOT_IMPLEMENTED,
                "upgrade-not-supported",
                "this service is reached through the Arvados controller, which carries no WebSocket; register an \
                 address for the port (`taskgate.addr`), which does",
            ));
        }
        if headers::wants_events_alone(&head.headers) && !self.capabilities.sse {
            return Err(self.refusal(
                StatusCode::NOT_IMPLEMENTED,
                "stream-not-supported",
                "this service is reached through the Arvados controller, which holds a reply back until it is whole; \
                 register an address for the port (`taskgate.addr`) for streams of events",
            ));
        }
        let shown = headers::take_token(&mut head.headers);
        let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let (path, of_query) = without_token(path);
        let token = match &visitor {
            None => None,
            Some(visitor) => match self.service_token.clone().or(shown).or(of_query) {
                Some(token) => Some(token),
                None => self.lent(target, visitor).await,
            },
        };
        if token.is_none() && visitor.is_some() {
            return Err(self.refusal(
                StatusCode::FORBIDDEN,
                "arvados-token-required",
                "the way through the Arvados controller needs your Arvados token: open the address with \
                 `?arvados_api_token=v2/…` once more, or send `Authorization: Bearer v2/…`",
            ));
        }
        headers::prepare(&mut head.headers, token.as_ref());
        let url = origins.url(target, &path).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "path-not-carried", "the Arvados controller would change this path")
        })?;
        let mut asked = self.http.request(head.method, url).headers(head.headers);
        if !body.is_end_stream() {
            asked = asked.body(reqwest::Body::wrap(body));
        }
        let reply = asked.send().await.map_err(|error| {
            tracing::warn!(service.operation = %target.container, error = explain(&error), "the controller failed");
            if error.is_timeout() {
                Problem::new(StatusCode::GATEWAY_TIMEOUT, "upstream-timeout", "the job took too long to answer")
            } else {
                Problem::new(StatusCode::BAD_GATEWAY, "upstream-failed", "the Arvados controller can't be reached")
            }
        })?;
        self.reply(target, reply.into()).await
    }

    /// What a visitor was let in with.
    async fn lent(&self, target: &Target, visitor: &Identity) -> Option<Token> {
        let user = visitor.arvados_user_uuid().and_then(Uuid::parse)?;
        self.lent.as_ref()?.of(&user, target.container.as_str()).await
    }

    /// Who asks, for whom the filter has to vouch; none where the service is open to all.
    fn admit(&self, target: &Target, headers: &hyper::HeaderMap) -> Result<Option<Identity>, Problem> {
        let service = self.gatehouse.service(&target.key());
        let service = service.ok_or_else(|| passing("service-gone", "the service is not there any more"))?;
        if service.entry.policy.access == AccessLevel::Public {
            // Nobody vouches for these. A proxy that has not heard yet that a port is another's now is told so.
            let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            if self.gatehouse.named(host).is_some_and(|named| named.entry.key != service.entry.key) {
                return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", "that is another service"));
            }
            return Ok(None);
        }
        if let Some(visitor) = visitor(&*self.gatehouse, service.id.as_str(), headers) {
            return Ok(Some(visitor));
        }
        Err(Problem::new(StatusCode::FORBIDDEN, "not-vouched", "ask through the gate"))
    }

    async fn reply(&self, target: &Target, reply: Response<reqwest::Body>) -> Result<Response<Body>, Problem> {
        match Authorship::of(reply.map(Body::new)).await {
            Authorship::Job(mut response) => {
                headers::clean(response.headers_mut());
                Ok(response)
            }
            Authorship::Cluster(status) => {
                let status_said = status.as_u16();
                tracing::info!(service.operation = %target.container, status = status_said, "the cluster refused");
                Err(self.clusters(status))
            }
        }
    }

    /// What the cluster's own answer means for who asked.
    fn clusters(&self, status: StatusCode) -> Problem {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.refusal(
                StatusCode::FORBIDDEN,
                "arvados-refused",
                "Arvados lets who submitted the container and administrators through its controller and nobody else; \
                 the service's owner can register an address for the port (`taskgate.addr`)",
            ),
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::SERVICE_UNAVAILABLE => {
                passing("service-starting", "the container can't be reached yet, or any more; try again in a moment")
            }
            _ => Problem::new(
                StatusCode::BAD_GATEWAY,
                "upstream-failed",
                "the Arvados controller did not reach the job, or did not accept your token",
            ),
        }
    }

    fn refusal(&self, status: StatusCode, code: &'static str, detail: &'static str) -> Problem {
        let Capabilities { websocket, sse, max_duration } = self.capabilities;
        let capabilities =
            serde_json::json!({"websocket": websocket, "sse": sse, "max_duration_secs": max_duration.as_secs()});
        Problem::new(status, code, detail).with("capabilities", capabilities)
    }
}

/// What may be otherwise in a moment.
fn passing(code: &'static str, detail: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).with_header(header::RETRY_AFTER, RETRY_AFTER_SECS)
}

/// A path and query without tokens, and the token. A query is left byte by byte as it came, but for those.
fn without_token(path_and_query: &str) -> (String, Option<Token>) {
    let Some((path, query)) = path_and_query.split_once('?') else { return (path_and_query.to_owned(), None) };
    let mut token = None;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let shown = pair.split_once('=').filter(|(name, _)| *name == TOKEN_NAME || *name == "api_token");
            let found = shown.and_then(|(name, value)| {
                let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
                // A program may have an `api_token` of its own.
                Token::parse_v2(&value).map(|token| (name, token))
            });
            let is_arvados = shown.is_some_and(|(name, _)| name == TOKEN_NAME);
            if let Some((_, found)) = &found {
                token.get_or_insert_with(|| found.clone());
            }
            found.is_none() && !is_arvados
        })
        .collect();
    let path = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    (path, token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_out_of_queries_and_nothing_else_changes() {
        let v2 = "v2%2Fzzzzz-gj3su-000000000000001%2Fabc";
        for (asked, expected, has_token) in [
            ("/a?x=1&y&z=%20+", "/a?x=1&y&z=%20+", false),
            (&format!("/a?x=1&api_token={v2}&y"), "/a?x=1&y", true),
            (&format!("/a?arvados_api_token={v2}"), "/a", true),
            ("/a?api_token=jobs-own", "/a?api_token=jobs-own", false),
            ("/a?arvados_api_token=bad", "/a", false),
            ("/a", "/a", false),
        ] {
            let (path, token) = without_token(asked);
            assert_eq!((path.as_str(), token.is_some()), (expected, has_token), "{asked}");
        }
    }
}
