//! One request through the controller.
//!
//! What the controller answers itself is not shown: its words have addresses of servers inside the cluster, and its
//! statuses are often 500 where somebody may not. What it can't do is said at once: an upgrade, which it accepts
//! and then leaves silent, is 501.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Request, Response, StatusCode, header};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use taskgate_core::identity::Identity;
use taskgate_core::service::AccessLevel;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::api::problem::Problem;
use crate::arvados::lent::Lent;
use crate::arvados::relay::authorship::Authorship;
use crate::arvados::relay::gatehouse::{Gatehouse, visitor};
use crate::arvados::relay::visitor_host::VisitorHost;
use crate::arvados::relay::{Target, Way, headers, path};
use crate::arvados::settings::{ArvadosSettings, ControllerSettings};
use crate::arvados::token::Token;
use crate::arvados::uuid::Uuid;
use crate::config::arvados::ControllerToken;
use crate::http::{HttpError, explain};

/// When it is worth to try again, in seconds.
const RETRY_AFTER_SECS: &str = "5";

/// How long a request waits for a place: a page asks for many things at once.
const WAIT: Duration = Duration::from_secs(1);

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
    /// As many requests as the controller may be busy with.
    places: Arc<Semaphore>,
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
        let builder = settings.cluster.reach.client().timeout(controller.max).http1_only();
        let builder = match &controller.connect {
            Some(place) => builder.dns_resolver(Arc::new(Connect(place.clone()))),
            None => builder,
        };
        let service_token = match controller.token {
            ControllerToken::Service => Some(settings.cluster.token.clone()),
            ControllerToken::Visitor => None,
        };
        let capabilities = Capabilities { websocket: false, sse: false, max_duration: controller.max };
        let places = Arc::new(Semaphore::new(controller.max_requests));
        let http = builder.build().map_err(HttpError::Client)?;
        Ok(Self { http, gatehouse, service_token, lent, places, capabilities })
    }

    /// Answers a request for a service.
    pub async fn answer(&self, way: &Way, request: Request<Incoming>) -> Response<Body> {
        match self.carry(way, request).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    }

    async fn carry(&self, way: &Way, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
        let target = &way.target;
        let (mut head, body) = request.into_parts();
        let visitor = self.admit(target, &head.headers)?;
        self.refuse_impossible(&head.headers)?;
        if visitor.is_none() {
            headers::remove_identity(&mut head.headers);
        }
        let shown = headers::take_token(&mut head.headers);
        let asked = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let (asked, of_query) = path::without_token(asked);
        // What Arvados has open to all needs none, and another program than the controller might see it.
        let token =
            if way.is_open { None } else { Some(self.token(target, visitor.as_ref(), shown.or(of_query)).await?) };
        let is_risky = token.is_some() && self.service_token.is_some() && path::is_of_api(&asked);
        let url = way.origins.url(target, &asked).filter(|_| !is_risky && !path::is_controllers(&asked));
        let url = url.ok_or_else(|| {
            let detail = "the Arvados controller would change this path, or answer it itself";
            Problem::new(StatusCode::BAD_REQUEST, "path-not-carried", detail)
        })?;
        let host = VisitorHost::of(&head.headers);
        headers::prepare(&mut head.headers, token.as_ref());
        if let Some(host) = &host {
            host.tell(&mut head.headers);
        }
        let place = self.place().await?;
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
        let mut reply = self.reply(target, reply.into()).await?;
        if let Some(host) = &host {
            host.lead_back(reply.headers_mut(), &way.origins.authority(target));
        }
        // The controller is busy with it until its last byte is here.
        Ok(reply.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _held = &place;
                frame
            }))
        }))
    }

    /// What the controller can't do is said at once.
    fn refuse_impossible(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if headers.contains_key(header::UPGRADE) && !self.capabilities.websocket {
            return Err(self.refusal(
                StatusCode::NOT_IMPLEMENTED,
                "upgrade-not-supported",
                "this service is reached through the Arvados controller, which carries no WebSocket; register an \
                 address for the port (`taskgate.addr`), which does",
            ));
        }
        if headers::wants_events_alone(headers) && !self.capabilities.sse {
            return Err(self.refusal(
                StatusCode::NOT_IMPLEMENTED,
                "stream-not-supported",
                "this service is reached through the Arvados controller, which holds a reply back until it is whole; \
                 register an address for the port (`taskgate.addr`) for streams of events",
            ));
        }
        Ok(())
    }

    /// A place among the requests that the controller is asked at once.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = tokio::time::timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or_else(|| {
            passing("controller-busy", "as many requests as may are at the Arvados controller; try again in a moment")
        })
    }

    /// The token for a port that Arvados does not have open to all.
    async fn token(&self, target: &Target, visitor: Option<&Identity>, shown: Option<Token>) -> Result<Token, Problem> {
        if let Some(token) = self.service_token.clone().or(shown) {
            return Ok(token);
        }
        let lent = match visitor {
            Some(visitor) => self.lent(target, visitor).await,
            None => None,
        };
        lent.ok_or_else(|| {
            self.refusal(
                StatusCode::FORBIDDEN,
                "arvados-token-required",
                "the way through the Arvados controller needs your Arvados token, since the port is published there \
                 as `private`: open the address with `?arvados_api_token=v2/…` once more, or send \
                 `Authorization: Bearer v2/…`; the service's owner can register an address for the port \
                 (`taskgate.addr`), which needs none",
            )
        })
    }

    /// What a visitor was let in with.
    async fn lent(&self, target: &Target, visitor: &Identity) -> Option<Token> {
        let user = visitor.arvados_user_uuid().and_then(Uuid::parse)?;
        self.lent.as_ref()?.of(&user, target.container.as_str(), self.gatehouse.now()?).await
    }

    /// Who asks, for whom the filter has to vouch; it need not where the service is open to all.
    fn admit(&self, target: &Target, headers: &HeaderMap) -> Result<Option<Identity>, Problem> {
        let service = self.gatehouse.service(&target.key());
        let service = service.ok_or_else(|| passing("service-gone", "the service is not there any more"))?;
        if let Some(visitor) = visitor(&*self.gatehouse, service.id.as_str(), headers) {
            return Ok(Some(visitor));
        }
        if service.entry.policy.access != AccessLevel::Public {
            return Err(Problem::new(StatusCode::FORBIDDEN, "not-vouched", "ask through the gate"));
        }
        // A proxy that has not heard yet that a port is another's now is told so.
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if self.gatehouse.named(host).is_some_and(|named| named.entry.key != service.entry.key) {
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", "that is another service"));
        }
        Ok(None)
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
