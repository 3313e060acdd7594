//! The judge: asks sources and providers, and keeps decisions for a while.
//!
//! Requests that ask the same share one answer, so that many workers cost a platform one call; a
//! question goes on when they have no more time ([`docket`]). A decision is kept under a keyed hash of the
//! question, never under the credential, and is void when the service's policy or the sources change.
//! What could not be decided is not kept.

pub mod docket;
mod inquiry;
mod own;

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use taskgate_core::label::MAX_LABEL;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::{Credential, MAX_CREDENTIAL, MAX_LIFETIME, Refusal, WireVerdict};
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use crate::access::desk::AccessDesk;
use crate::auth::arvados::ArvadosSource;
use crate::auth::callout::Callout;
use crate::auth::determined::DeterminedSource;
use crate::auth::judge::docket::{Answer, Docket};
use crate::auth::judge::inquiry::Inquiry;
use crate::auth::jwt::Jwt;
use crate::auth::settings::{SourceSettings, VerdictSettings};
use crate::auth::source::Source;
use crate::auth::tokens::Tokens;
use crate::auth::ytsaurus::YtsaurusSource;
use crate::clock::SharedClock;
use crate::digest::Digest;
use crate::discovery::inventory::ServiceKey;
use crate::discovery::provider::Provider;
use crate::http::HttpError;
use crate::lifecycle::Tasks;
use crate::registry::published::Published;
use crate::telemetry::metrics::task_proxy::{AuthOutcome, TaskProxyMetrics};
use crate::telemetry::metrics::{Metrics, VerdictLabels};
use crate::telemetry::trace;

/// What decisions are kept in; shared by successive judges.
pub type Decisions = Cache<Digest, Decision>;

/// What decides.
#[derive(Debug)]
pub struct Judge {
    sources: Arc<Sources>,
    deadline: Duration,
    lifetimes: Lifetimes,
    fingerprint: Digest,
    shared: Arc<Shared>,
}

/// The sources, which end when nobody asks them any more.
#[derive(Debug)]
struct Sources {
    list: Vec<Arc<dyn Source>>,
    _stop: DropGuard,
}

/// How long decisions hold.
#[derive(Clone, Copy, Debug)]
struct Lifetimes {
    allow: Duration,
    deny: Duration,
}

/// What outlives a reload.
#[derive(Debug)]
pub struct Shared {
    /// What decisions are kept in.
    pub decisions: Decisions,
    /// What knows sessions of our own; none: there are no such sessions.
    pub access: Option<Arc<AccessDesk>>,
    /// The questions under way.
    pub docket: Arc<Docket>,
    /// Keys the hashes of questions.
    pub cache_key: [u8; 32],
    /// The clock.
    pub clock: SharedClock,
    /// Where decisions are counted.
    pub metrics: Arc<Metrics>,
}

/// A decision, and until when it holds.
#[derive(Clone, Debug)]
pub struct Decision {
    outcome: Outcome,
    /// The holder's name, for the log; empty where it is not known.
    actor: String,
    source: &'static str,
    until: UnixTime,
}

#[derive(Clone, Debug)]
enum Outcome {
    Allow(taskgate_core::identity::WireIdentity, Option<UnixTime>),
    Deny(Refusal),
}

/// Why nothing was decided.
#[derive(Clone, Debug)]
struct Undecided {
    source: &'static str,
    reason: String,
}

/// Makes a store of decisions.
#[must_use]
pub fn decisions(entries: u64) -> Decisions {
    Cache::builder().max_capacity(entries).time_to_live(MAX_LIFETIME).build()
}

impl Judge {
    /// A judge by these settings. Its sources keep themselves up to date until it is dropped.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn new(settings: &VerdictSettings, shared: Arc<Shared>, tasks: &Tasks) -> Result<Self, HttpError> {
        let mut sources: Vec<Arc<dyn Source>> = Vec::with_capacity(settings.sources.len());
        for settings in &settings.sources {
            let clock = Arc::clone(&shared.clock);
            let source: Arc<dyn Source> = match settings {
                SourceSettings::Arvados(settings) => Arc::new(ArvadosSource::new(settings.clone())?),
                SourceSettings::Callout(settings) => Arc::new(Callout::new(settings.clone())?),
                SourceSettings::Determined(settings) => Arc::new(DeterminedSource::new(settings.clone())?),
                SourceSettings::Jwt(settings) => Arc::new(Jwt::new(settings.clone(), clock)?),
                SourceSettings::Peers(rules) => Arc::new(rules.clone()),
                SourceSettings::Tokens(tokens) => Arc::new(Tokens::new(tokens.clone(), clock)),
                SourceSettings::Ytsaurus(settings) => {
                    Arc::new(YtsaurusSource::new(settings.clone(), Arc::clone(&shared.metrics))?)
                }
            };
            sources.push(source);
        }
        Ok(Self::of(sources, settings, shared, tasks))
    }

    /// A judge that asks these sources, whatever the settings say about sources.
    #[must_use]
    pub fn of(sources: Vec<Arc<dyn Source>>, settings: &VerdictSettings, shared: Arc<Shared>, tasks: &Tasks) -> Self {
        let stop = tasks.stop().child_token();
        for source in &sources {
            let (source, stop) = (Arc::clone(source), stop.clone());
            tasks.keep("verdict source", stop.clone(), move |_| {
                let (source, stop) = (Arc::clone(&source), stop.clone());
                async move {
                    tokio::select! {
                        () = source.run(stop.clone()) => {}
                        () = stop.cancelled() => {}
                    }
                }
            });
        }
        Self::with(Arc::new(Sources { list: sources, _stop: stop.drop_guard() }), settings, shared)
    }

    /// A judge by new settings. Where they have the same sources, those go on with what they know.
    ///
    /// # Errors
    /// [`HttpError::Client`].
    pub fn renewed(&self, settings: &VerdictSettings, tasks: &Tasks) -> Result<Self, HttpError> {
        if settings.fingerprint == self.fingerprint {
            Ok(Self::with(Arc::clone(&self.sources), settings, Arc::clone(&self.shared)))
        } else {
            Self::new(settings, Arc::clone(&self.shared), tasks)
        }
    }

    fn with(sources: Arc<Sources>, settings: &VerdictSettings, shared: Arc<Shared>) -> Self {
        Self {
            sources,
            deadline: settings.deadline,
            lifetimes: Lifetimes { allow: settings.allow_lifetime, deny: settings.deny_lifetime },
            fingerprint: settings.fingerprint,
            shared,
        }
    }

    /// How long a yes holds at most.
    #[must_use]
    pub const fn allow_lifetime(&self) -> Duration {
        self.lifetimes.allow
    }

    /// What is answered about a service that is not known; `whole` where every provider has published.
    #[must_use]
    pub fn unknown_service(&self, id: &str, whole: bool) -> WireVerdict {
        let outcome = if whole {
            let until = self.shared.clock.now().after(self.lifetimes.deny);
            let outcome = Outcome::Deny(Refusal::UnknownService);
            Ok(Decision { outcome, actor: String::new(), source: "none", until })
        } else {
            Err(Undecided { source: "none", reason: "not every provider has published yet".into() })
        };
        self.without_asking(id, outcome)
    }

    /// What is answered where the table of whoever asks has another service by that id, or another policy
    /// of it: nothing. They agree again within a moment.
    #[must_use]
    pub fn another_epoch(&self, id: &str) -> WireVerdict {
        let reason = "the question is about another epoch of the service".into();
        self.without_asking(id, Err(Undecided { source: "none", reason }))
    }

    fn without_asking(&self, id: &str, outcome: Result<Decision, Undecided>) -> WireVerdict {
        // It should be an id, but whoever asks wrote it.
        let id: String = id.chars().take(MAX_LABEL).collect();
        self.record(&id, &outcome, false, Duration::ZERO);
        self.wire(outcome)
    }

    /// Decides whether the holder of a credential may use a service.
    pub async fn decide(
        &self,
        service: &Arc<Published>,
        provider: Option<Arc<dyn Provider>>,
        credential: &Credential,
    ) -> WireVerdict {
        let started = Instant::now();
        let key = self.key(service, credential);
        let kept = self.shared.kept(&key).await;
        let cached = kept.is_some();
        let outcome = match kept {
            Some(kept) => Ok(kept),
            None => {
                let inquiry = Inquiry {
                    sources: Arc::clone(&self.sources),
                    lifetimes: self.lifetimes,
                    shared: Arc::clone(&self.shared),
                    service: Arc::clone(service),
                    provider,
                    credential: credential.clone(),
                };
                let asker = self.shared.docket.ask(key, || inquiry.run(key));
                tokio::time::timeout(self.deadline, asker.answer()).await.unwrap_or_else(|_| {
                    Err(Undecided { source: "none", reason: "took longer than `verdicts.deadline_ms`".into() })
                })
            }
        };
        self.record(service.id.as_str(), &outcome, cached, started.elapsed());
        self.wire(outcome)
    }

    /// Says what it has at this moment.
    pub fn tell(&self, metrics: &TaskProxyMetrics) {
        let (under_way, waiting) = self.shared.docket.counts();
        metrics.remember(self.shared.decisions.entry_count(), under_way, waiting);
    }

    fn wire(&self, outcome: Answer) -> WireVerdict {
        let Ok(decision) = outcome else { return WireVerdict::Unavailable };
        let lifetime_ms = millis(decision.until.since(self.shared.clock.now()));
        match decision.outcome {
            Outcome::Allow(identity, ends_at) => WireVerdict::Allow { identity, lifetime_ms, ends_at },
            Outcome::Deny(code) => {
                let actor = Some(decision.actor).filter(|actor| !actor.is_empty());
                WireVerdict::Deny { code, actor, lifetime_ms }
            }
        }
    }

    fn key(&self, service: &Published, credential: &Credential) -> Digest {
        // An id can become another service's, and an epoch has 32 bits: the names are part of it too.
        let ServiceKey { operation, task, service: name } = &*service.entry.key;
        Digest::of_parts(&[
            &self.shared.cache_key,
            self.fingerprint.as_bytes(),
            service.id.as_str().as_bytes(),
            operation.as_bytes(),
            task.as_bytes(),
            name.as_bytes(),
            &service.epoch.to_le_bytes(),
            format!("{:?}", credential.scheme).as_bytes(),
            format!("{:?}", credential.name).as_bytes(),
            credential.value.as_bytes(),
        ])
    }

    /// One line a decision, with the same fields whatever it is.
    fn record(&self, service_id: &str, outcome: &Answer, cached: bool, took: Duration) {
        let (verdict, code, actor, source, reason) = match outcome {
            Ok(Decision { outcome: Outcome::Allow(..), actor, source, .. }) => {
                ("allow", "", actor.as_str(), *source, "")
            }
            Ok(Decision { outcome: Outcome::Deny(code), actor, source, .. }) => {
                ("deny", code_text(*code), actor.as_str(), *source, "")
            }
            Err(undecided) => ("unavailable", "", "", undecided.source, undecided.reason.as_str()),
        };
        let metrics = &self.shared.metrics;
        metrics.verdicts.get_or_create(&VerdictLabels { outcome: verdict, source }).inc();
        metrics.verdict_seconds.observe(took.as_secs_f64());
        if cached {
            metrics.verdict_cache_hits.inc();
        }
        let counted = match outcome {
            Ok(Decision { outcome: Outcome::Allow(..), .. }) => AuthOutcome::Allowed,
            Ok(Decision { outcome: Outcome::Deny(code), source, .. }) => AuthOutcome::Denied(*code, *source != "none"),
            Err(_) => AuthOutcome::Unavailable,
        };
        metrics.task_proxy.answered(counted, cached);
        let duration_ms = took.as_secs_f64() * 1_000.0;
        tracing::info!(
            service.id = service_id,
            actor.id = actor,
            verdict,
            denial.code = code,
            source,
            reason,
            cached,
            duration_ms,
            trace.id = trace::current_id(),
            "verdict"
        );
    }
}

impl Shared {
    /// What is kept and still holds.
    async fn kept(&self, key: &Digest) -> Option<Decision> {
        self.decisions.get(key).await.filter(|kept| kept.until > self.clock.now())
    }
}

/// Whether a credential is short enough to be asked about.
#[must_use]
pub fn is_askable(credential: &Credential) -> bool {
    !credential.value.is_empty() && credential.value.len() <= MAX_CREDENTIAL
}

fn code_text(code: Refusal) -> &'static str {
    match code {
        Refusal::AccessDenied => "access-denied",
        Refusal::CredentialRejected => "credential-rejected",
        Refusal::UnknownService => "unknown-service",
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
