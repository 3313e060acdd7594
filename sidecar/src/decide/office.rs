//! Where ingresses are answered: the engine, joined to this sidecar's table and judge.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use taskgate_core::audit::{Audit, Rule};
use taskgate_core::denial::Denial;
use taskgate_core::edit::RequestEdits;
use taskgate_core::gate::Decision;
use taskgate_core::reply::{self, Reply};
use taskgate_core::service::AccessLevel;
use taskgate_core::time::{Moment, SteadyClock};
use taskgate_core::verdict::VerdictAnswer;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::decide::dialect::Dialect;
use crate::decide::engine::Engine;
use crate::decide::original::Original;
use crate::lifecycle::Tasks;
use crate::random::NoRandomness;
use crate::tasks::audit::TARGET;
use crate::telemetry::metrics::DecisionLabels;
use crate::telemetry::trace;

/// How long the gates wait for news before they ask again: an empty answer confirms the table.
const WAIT: Duration = Duration::from_secs(5);
/// How long to wait after a page that was not taken, or that made a gate begin anew.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a verdict may take: less than an ingress waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most characters of a path in the log.
const MAX_LOGGED: usize = 1_024;
/// Finds a request in every log.
const REQUEST_ID: &str = "x-request-id";

/// Where ingresses are answered.
#[derive(Debug)]
pub struct Office {
    app: Arc<App>,
    engine: Engine,
    clock: Mutex<SteadyClock>,
}

impl Office {
    /// An office whose gates follow the table until the tasks end.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn open(app: Arc<App>, tasks: &Tasks) -> Result<Arc<Self>, NoRandomness> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let clock = Mutex::new(SteadyClock::new(Some(app.clock.now())));
        let office = Arc::new(Self { app, engine: Engine::new(processors)?, clock });
        for gate in 0..office.engine.gates() {
            let (office, stop) = (Arc::clone(&office), tasks.stop().clone());
            tasks.spawn("forward-auth table", async move { office.follow(gate, &stop).await });
        }
        Ok(office)
    }

    /// The app.
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Decides about a request, and says in the log and the metrics what became of it. `rewrites_path` is whether its
    /// path can be changed; `permit` makes what the ingress is told of a permit, which may still be a refusal.
    ///
    /// # Errors
    /// What the client gets in place of the job's answer.
    pub async fn decide<T>(
        &self,
        original: &Original,
        dialect: Dialect,
        rewrites_path: bool,
        permit: impl FnOnce(&mut RequestEdits) -> Result<T, Denial>,
    ) -> Result<T, Box<Reply>> {
        let started = Instant::now();
        let (outcome, told) = match self.silently(original, rewrites_path).await {
            Decision::Permit(mut edits) => match permit(&mut edits) {
                Ok(told) => ("permit", Ok((told, edits.audit))),
                Err(denial) => ("refuse", Err(Box::new(refuse(original, denial, edits.audit)))),
            },
            Decision::Redirect(reply) => ("redirect", Err(reply)),
            Decision::Refuse(_, reply) => ("refuse", Err(reply)),
        };
        let (audit, status) = match &told {
            Ok((_, audit)) => (audit, None),
            Err(reply) => (&reply.audit, Some(reply.status)),
        };
        let labels = DecisionLabels { ingress: dialect.code(), outcome };
        self.app.metrics.decisions.get_or_create(&labels).inc();
        record(original, &labels, audit, status, started.elapsed());
        told.map(|(told, _)| told)
    }

    /// Decides about a request that was decided about before.
    pub async fn silently(&self, original: &Original, rewrites_path: bool) -> Decision {
        let ask = async |query| {
            let verdict = tokio::time::timeout(PATIENCE, self.app.verdict(&query)).await;
            verdict.map_or(VerdictAnswer::Unavailable, VerdictAnswer::from)
        };
        self.engine.decide(&original.request(), rewrites_path, self.now(), ask).await
    }

    /// Whether a label names a service.
    #[must_use]
    pub fn is_named(&self, service: &str, label: &str) -> bool {
        self.app.registry.service(label).is_some_and(|named| named.id.as_str() == service)
    }

    /// The ingress's own name for where a service's requests go.
    #[must_use]
    pub fn group(&self, service: &str) -> Option<String> {
        let live = self.app.live.load();
        let rules = live.forward_auth.as_ref().filter(|rules| rules.has_groups())?;
        self.app.registry.service(service).and_then(|service| rules.group(&service).map(str::to_owned))
    }

    fn now(&self) -> Moment {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.read(Some(self.app.clock.now()))
    }

    async fn follow(&self, gate: usize, stop: &CancellationToken) {
        // The table of a start is empty at first, and the next page begins it: once is no sign of anything.
        let mut began_again = false;
        while !stop.is_cancelled() {
            let ask = self.engine.ask(gate);
            let page = self.app.feed.next_page(ask, WAIT, stop).await;
            let taken = page.map_err(|error| error.to_string()).and_then(|page| {
                let taken = self.engine.take(gate, &page.bytes, self.now().steady);
                taken.map_err(|error| error.to_string()).map(|_| page.begins_again(ask))
            });
            // Either may come again at once, and for ever.
            let has_to_pause = match taken {
                Ok(begins_again) => std::mem::replace(&mut began_again, begins_again) && begins_again,
                Err(error) => {
                    tracing::error!(error, "forward-auth did not take a page of the table; what it knew goes on");
                    true
                }
            };
            if has_to_pause {
                tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    () = stop.cancelled() => {}
                }
            }
            // Others have their turn: at first there may be many pages.
            tokio::task::yield_now().await;
        }
    }
}

/// The line of the audit about a request.
fn record(original: &Original, labels: &DecisionLabels, audit: &Audit, status: Option<u16>, took: Duration) {
    let Audit { service, level, rule, actor, denial } = audit;
    let path = text(original.header(":path"));
    tracing::event!(
        target: TARGET,
        tracing::Level::INFO,
        ingress = labels.ingress,
        outcome = labels.outcome,
        http.method = text(original.header(":method")),
        http.authority = text(original.header(":authority")),
        // Queries can hold credentials.
        http.path = path.split('?').next().unwrap_or_default(),
        http.status = status,
        actor.id = actor.as_deref().unwrap_or_default(),
        service.id = service.as_deref().unwrap_or_default(),
        access.level = level.map_or("", AccessLevel::code),
        access.rule = rule.map_or("", Rule::code),
        denial.code = denial.map_or("", Denial::code),
        request.id = text(original.header(REQUEST_ID)),
        trace.id = trace::current_id(),
        decision_ms = took.as_secs_f64() * 1_000.0,
        "decision"
    );
}

/// The decision to refuse a request that was permitted, since the ingress can't be told what to do with it.
#[must_use]
pub fn refuse(original: &Original, denial: Denial, audit: Audit) -> Reply {
    let client = reply::Client::of(&original.request());
    reply::reply(denial, client).audited(Audit { rule: None, denial: Some(denial), ..audit })
}

fn text(value: Option<&[u8]>) -> String {
    String::from_utf8_lossy(value.unwrap_or_default()).chars().take(MAX_LOGGED).collect()
}
