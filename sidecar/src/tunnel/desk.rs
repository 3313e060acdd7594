//! Where tunnels come in: who is vouched for gets a connection to a job of the service that was permitted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use taskgate_core::identity::Identity;
use taskgate_core::service::Protocol;
use taskgate_core::visitor::{VISITOR_HEADER, is_tunnel, tunnel_to};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::activity::OpenStream;
use crate::api::problem::Problem;
use crate::app::App;
use crate::data::caller::gate::{one, said};
use crate::lifecycle::Tasks;
use crate::telemetry::metrics::tunnels::EndLabels;
use crate::tunnel::bridge::{self, Counts, Ending, Kind};
use crate::tunnel::dial::Dialler;
use crate::tunnel::frame::{self, Side};
use crate::tunnel::handshake::Wish;
use crate::tunnel::places::{Place, Places};
use crate::tunnel::settings::TunnelSettings;
use crate::tunnel::watch::{self, Right};

/// Finds a request in every log.
const REQUEST_ID: &str = "x-request-id";
/// The most characters of it in the log.
const MAX_REQUEST_ID: usize = 128;

/// Where tunnels come in.
#[derive(Debug)]
pub struct TunnelDesk {
    app: Arc<App>,
    tasks: Tasks,
    dialler: Dialler,
    places: Arc<Places>,
    most_per_service: usize,
    pings: Duration,
}

/// A tunnel that is about to be open.
struct Tunnel {
    right: Right,
    job: TcpStream,
    address: String,
    kind: Kind,
    request_id: String,
    _place: Place,
    _open: OpenStream,
}

/// Whether a request says that it is a tunnel. It may lie.
#[must_use]
pub fn claims_to_be_one(headers: &HeaderMap) -> bool {
    headers.get_all(VISITOR_HEADER).iter().any(|value| is_tunnel(value.as_bytes()))
}

impl TunnelDesk {
    /// A desk within those bounds, whose tunnels end with `tasks`.
    #[must_use]
    pub fn new(settings: &TunnelSettings, app: Arc<App>, tasks: Tasks) -> Arc<Self> {
        let dialler = Dialler::new(Arc::clone(&app.clock), settings.connect_timeout);
        let places = Places::new(settings.max_open, settings.max_open_per_visitor);
        let (most_per_service, pings) = (settings.max_open_per_service, settings.pings);
        Arc::new(Self { app, tasks, dialler, places, most_per_service, pings })
    }

    /// Answers a request that [says that it is a tunnel](claims_to_be_one).
    pub async fn answer(self: Arc<Self>, mut request: Request) -> Response {
        match self.open(&mut request).await {
            Ok((tunnel, wish, upgrade)) => {
                let desk = Arc::clone(&self);
                self.tasks.spawn("tunnel", async move { desk.run(tunnel, upgrade).await });
                wish.granted()
            }
            Err(problem) => {
                self.app.metrics.tunnels.refused.inc();
                tracing::debug!(problem = problem.code(), "a tunnel was refused");
                let mut response = problem.into_response();
                // What a client sends after a refused upgrade is not read as another request.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                response
            }
        }
    }

    async fn open(&self, request: &mut Request) -> Result<(Tunnel, Wish, OnUpgrade), Problem> {
        let headers = request.headers();
        let right = self.right(headers).ok_or_else(|| {
            Problem::new(StatusCode::FORBIDDEN, "not-vouched", "tunnels are reached through the gateway alone")
        })?;
        let wish =
            Wish::of(request).ok_or_else(|| Problem::malformed("a tunnel begins as a WebSocket of version 13"))?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| Problem::malformed("this connection can't become a WebSocket"))?;
        let gone = || unavailable("service-gone", "the service is not there any more");
        let service = self.app.registry.service(&right.service).ok_or_else(gone)?;
        if service.id.as_str() != right.service || service.entry.protocol != Protocol::Tcp {
            return Err(gone());
        }
        let full = || unavailable("too-many-tunnels", "as many tunnels are open as may be; close one, or try again");
        let place = self.places.take(right.visitor.as_ref()).ok_or_else(full)?;
        let open = self.app.activity.open(&right.service, self.most_per_service).ok_or_else(full)?;
        let (job, address) = self.dialler.dial(&service.entry.endpoints).await.map_err(|error| {
            tracing::warn!(%error, service.id = right.service, "no job was reached for a tunnel");
            Problem::new(StatusCode::BAD_GATEWAY, "no-job-reached", "no job of the service takes connections now")
        })?;
        let kind = Kind { side: Side::Server, is_ours: wish.is_ours, pings: self.pings };
        let request_id = one(request.headers(), REQUEST_ID).unwrap_or_default();
        let request_id = request_id.chars().take(MAX_REQUEST_ID).collect();
        let right = Right { epoch: service.epoch, ..right };
        let address = address.to_string();
        Ok((Tunnel { right, job, address, kind, request_id, _place: place, _open: open }, wish, upgrade))
    }

    /// What the gate vouches for; none where it does not.
    fn right(&self, headers: &HeaderMap) -> Option<Right> {
        let text = one(headers, VISITOR_HEADER)?;
        // Whoever is named has to be who was vouched for, and where nobody was, nobody may be named.
        let visitor = said(headers).map(Identity::try_from).transpose().ok()?;
        let vouched = tunnel_to(&self.app.control.ring(), text, visitor.as_ref(), self.app.clock.now())?;
        // It began when it was vouched for: what was ended since is ended, whenever this is shown.
        let service = vouched.service.to_owned();
        Some(Right { service, epoch: 0, visitor, began: vouched.at, term: vouched.term })
    }

    async fn run(&self, mut tunnel: Tunnel, upgrade: OnUpgrade) {
        let started = Instant::now();
        let counts = Counts::default();
        let metrics = &self.app.metrics.tunnels;
        let ending = match upgrade.await {
            Ok(socket) => {
                metrics.open.inc();
                let stop = async {
                    tokio::select! {
                        why = watch::until_over(&self.app, tunnel.right.clone()) => (frame::POLICY, why),
                        () = self.tasks.stop().cancelled() => (frame::GOING_AWAY, "the gateway is restarted"),
                    }
                };
                let job = tunnel.job.split();
                let ending = bridge::run(TokioIo::new(socket), tunnel.kind, job, &counts, stop).await;
                metrics.open.dec();
                ending
            }
            Err(error) => Ending::Gone(error.to_string()),
        };
        if ending != Ending::Complete {
            // A job must not take what was broken off for all there is.
            let _ = tunnel.job.set_zero_linger();
        }
        let (received, sent) = (counts.received.load(Ordering::Relaxed), counts.sent.load(Ordering::Relaxed));
        metrics.received.inc_by(received);
        metrics.sent.inc_by(sent);
        metrics.ended.get_or_create(&EndLabels { by: by(&ending) }).inc();
        let Tunnel { right, address, request_id, .. } = &tunnel;
        tracing::info!(
            audit = true,
            event = "tunnel-ended",
            service.id = right.service,
            actor.id = right.visitor.as_ref().map_or("", Identity::actor),
            upstream.addr = address,
            tunnel.ended_by = by(&ending),
            tunnel.received_bytes = received,
            tunnel.sent_bytes = sent,
            duration_ms = started.elapsed().as_secs_f64() * 1_000.0,
            request.id = request_id,
            "tunnel ended"
        );
        tracing::debug!(request.id = request_id, ending = ?ending, "how the tunnel ended");
    }
}

/// Who ended it.
fn by(ending: &Ending) -> &'static str {
    match ending {
        Ending::Complete => "both",
        Ending::Closed(..) | Ending::Gone(_) => "client",
        Ending::Local(_) => "job",
        Ending::Stopped => "gateway",
    }
}

fn unavailable(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).with_header(header::RETRY_AFTER, "5")
}
