//! Why somebody may use a service, or may not: a request is decided here as a worker would, by the very same code.
//!
//! There is a gate in this process, fed with the pages that workers get; it is made when somebody asks first. The
//! request shows a session of whoever is asked about, which has not been looked at yet, so the gate asks, and the judge
//! answers. What nobody sees is done with the outcome: nothing is sent to a job.
//!
//! Who may not know of a service is told of it what they would be told by the gate, and nothing else.

mod parts;
mod replica;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskgate_core::address;
use taskgate_core::denial::Denial;
use taskgate_core::gate::{Decision, Gate, Question, Step as GateStep};
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::key::{KeyRing, Secret};
use taskgate_core::request::Request;
use taskgate_core::session::Claims;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;
use taskgate_core::verdict::{VerdictAnswer, WireVerdict};
use thiserror::Error;

use crate::access::explain::parts::Parts;
use crate::access::rights;
use crate::app::App;
use crate::arvados::uuid::Uuid;
use crate::auth::actor::Actor;
use crate::random;
use crate::registry::published::Published;

pub use replica::Explainer;

/// How long the session lasts that is made to ask with.
const LIFETIME: Duration = Duration::from_secs(60);
/// The step that says where a request goes.
const UPSTREAM: &str = "upstream";

/// What is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// The URL that is visited.
    pub url: String,
    /// Who visits it; none: somebody who shows nothing.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Their groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The method; none: `GET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Other headers, as in `accept: text/html`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
}

/// How a request is decided, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainAnswer {
    /// `permit`, `redirect` or `refuse`.
    pub outcome: String,
    /// The rule that lets in, or the denial's code.
    pub code: String,
    /// The status that the visitor gets; none where that is the job's to say.
    pub status: Option<u16>,
    /// The service's id, where there is one.
    pub service: Option<String>,
    /// Who the visitor is known as.
    pub actor: Option<String>,
    /// What was looked at, in order.
    pub steps: Vec<Step>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What: `visitor`, a step of the gate ([`taskgate_core::notes::Note::code`]), `verdict`, `upstream`, `outcome`.
    pub step: String,
    /// What it came to.
    pub found: String,
}

/// Why nothing is explained.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unexplained {
    /// The question makes no sense; what to write instead.
    #[error("{0}")]
    Invalid(String),
    /// The gate can't be made.
    #[error("{0}")]
    Unavailable(String),
}

/// Explains a request of anybody.
///
/// # Errors
/// [`Unexplained`].
pub async fn explain(app: &App, request: &ExplainRequest) -> Result<ExplainAnswer, Unexplained> {
    explain_as(app, request, visitor(request)?).await
}

async fn explain_as(
    app: &App,
    request: &ExplainRequest,
    identity: Option<WireIdentity>,
) -> Result<ExplainAnswer, Unexplained> {
    let parts = Parts::read(request)?;
    let now = app.access.now();
    let mut steps = Steps::default();
    steps.add("visitor", visitor_text(identity.as_ref()));

    // One at a time has the gate, but nobody while a platform is asked.
    let mut explainer = app.access.explainer().await;
    let gate = explainer.fresh(app, now).await?;
    let named = resolve(gate, &parts.lines(None));
    let cookie = match (&named, &identity) {
        (Some((id, epoch)), Some(identity)) => Some(session_cookie(gate, id, *epoch, identity, now)?),
        _ => None,
    };
    let lines = parts.lines(cookie.as_deref());
    let (step, notes) = gate.explain(&read(&lines), now);
    for note in &notes {
        steps.add(note.code(), note.to_string());
    }
    drop(explainer);
    let decision = match step {
        GateStep::Done(decision) => decision,
        GateStep::Ask(question) => {
            let Question { key, query, pending } = *question;
            let answer = judged(app, &query, &mut steps).await;
            let mut explainer = app.access.explainer().await;
            let gate = explainer.fresh(app, now).await?;
            let learned = gate.learn(key, answer, now);
            gate.on_verdict(pending, &learned)
        }
    };
    Ok(steps.conclude(&decision, named.map(|(id, _)| id)))
}

/// Explains a request to somebody: one's own to everybody, another's to who may manage the service.
///
/// # Errors
/// [`Unexplained`]; or none where the asker may not hear of that.
pub async fn explain_to(
    app: &App,
    asker: &Actor,
    request: ExplainRequest,
) -> Result<Option<ExplainAnswer>, Unexplained> {
    let is_own = request.actor.as_deref().is_none_or(|name| name == asker.name());
    let service = Parts::read(&request)?.label(app).and_then(|label| app.registry.service(&label));
    let manages = match &service {
        Some(service) => rights::may_share(app, service, asker).await == crate::discovery::policy::Authorisation::Allow,
        None => false,
    };
    if manages {
        return explain(app, &request).await.map(Some);
    }
    if !is_own {
        return Ok(None);
    }
    // As the asker is, whatever groups the question says.
    let answer = explain_as(app, &request, Some(asker.clone().into_identity())).await?;
    Ok(Some(if is_hidden(&answer) { hidden(answer) } else { without_addresses(answer) }))
}

/// The same without where jobs are, which is for who manages the service.
fn without_addresses(answer: ExplainAnswer) -> ExplainAnswer {
    let steps = answer.steps.into_iter().filter(|step| step.step != UPSTREAM).collect();
    ExplainAnswer { steps, ..answer }
}

/// Whether the visitor may not know that there is a service.
fn is_hidden(answer: &ExplainAnswer) -> bool {
    answer.code == Denial::UnknownService.code()
}

/// The same as of a service that is not there.
fn hidden(answer: ExplainAnswer) -> ExplainAnswer {
    let mut steps = Steps::default();
    steps.add("service", "no service has that name, or you may not know of it");
    let last = answer.steps.last().filter(|step| step.step == "outcome").cloned();
    steps.0.extend(last);
    ExplainAnswer { service: None, actor: None, steps: steps.0, ..answer }
}

fn visitor(request: &ExplainRequest) -> Result<Option<WireIdentity>, Unexplained> {
    let Some(actor) = request.actor.clone() else { return Ok(None) };
    let arvados_user_uuid = Uuid::of_person(&actor);
    let identity = WireIdentity { actor, groups: request.groups.clone(), arvados_user_uuid, ..WireIdentity::default() };
    Identity::try_from(identity.clone()).map_err(|error| Unexplained::Invalid(error.to_string()))?;
    Ok(Some(identity))
}

fn visitor_text(identity: Option<&WireIdentity>) -> String {
    match identity {
        Some(identity) if identity.groups.is_empty() => identity.actor.clone(),
        Some(identity) => format!("{}, of {}", identity.actor, identity.groups.join(", ")),
        None => "somebody who shows nothing but what is in the URL and the headers".to_owned(),
    }
}

fn read(lines: &[(Vec<u8>, Vec<u8>)]) -> Request<'_> {
    Request::read(lines.iter().map(|(name, value)| (&**name, &**value)))
}

/// The service that a request names, by id and epoch.
fn resolve(gate: &Gate, lines: &[(Vec<u8>, Vec<u8>)]) -> Option<(String, u32)> {
    let domains = gate.control()?.gate.domains().ok()?;
    let resolved = address::resolve(&read(lines), &domains, gate.table()).ok()?;
    Some((resolved.service.id.to_owned(), resolved.service.epoch))
}

/// The session that asks: of another epoch and long not looked at, so that nothing is believed without a question.
fn session_cookie(
    gate: &Gate,
    service: &str,
    epoch: u32,
    identity: &WireIdentity,
    now: UnixTime,
) -> Result<String, Unexplained> {
    let unavailable = |reason: &str| Unexplained::Unavailable(reason.to_owned());
    let control = gate.control().ok_or_else(|| unavailable("the table has not arrived yet"))?;
    let ring = KeyRing::new(control.keys.iter().map(|(id, key)| (id.clone(), Secret::new(*key))));
    let id = TokenId::new(random::non_zero().map_err(|_| unavailable("there are no random bytes"))?);
    let claims = Claims::new(id, service, epoch.wrapping_add(1), identity.clone(), now, now.after(LIFETIME));
    let claims = Claims { checked_at: UnixTime::from_millis(0), ..claims };
    let token = claims.seal(&ring).map_err(|error| unavailable(&error.to_string()))?;
    Ok(format!("{}={token}", control.gate.session_cookie_name()))
}

/// What the judge says, as it says it to workers.
async fn judged(app: &App, query: &taskgate_core::verdict::VerdictQuery, steps: &mut Steps) -> VerdictAnswer {
    let service = app.registry.service(&query.service).filter(|service| service.epoch == query.epoch);
    let Some(service) = service else {
        steps.add("verdict", "none: the service has just changed; ask again");
        return VerdictAnswer::Unavailable;
    };
    let provider = rights::provider_of(app, &service);
    let wire = app.judge.load_full().decide(&service, provider, &query.credential).await;
    steps.add("verdict", verdict_text(&wire, &service));
    VerdictAnswer::from(wire)
}

fn verdict_text(wire: &WireVerdict, service: &Published) -> String {
    let provider = &service.provider;
    match wire {
        WireVerdict::Allow { identity, .. } => format!("yes, as {}: provider {provider} says so", identity.actor),
        WireVerdict::Deny { code, actor, .. } => {
            let code = Denial::from(*code).code();
            let actor = actor.as_deref().unwrap_or("nobody that is known");
            format!("no ({code}), as {actor}: provider {provider} or a source says so")
        }
        WireVerdict::Unavailable => {
            format!("none: provider {provider} or a source can't say now; see the sidecar's log")
        }
    }
}

/// What was looked at so far.
#[derive(Debug, Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn add(&mut self, step: &str, found: impl Into<String>) {
        self.0.push(Step { step: step.to_owned(), found: found.into() });
    }

    fn conclude(mut self, decision: &Decision, service: Option<String>) -> ExplainAnswer {
        let (outcome, code, status, actor) = match decision {
            Decision::Permit(edits) => {
                let audit = &edits.audit;
                let code = audit.rule.map_or("permit", taskgate_core::audit::Rule::code);
                self.add(UPSTREAM, format!("{:?} to {}", edits.upstream.protocol, edits.upstream.candidates[0]));
                self.add("outcome", format!("let in by the rule `{code}`"));
                ("permit", code, None, audit.actor.clone())
            }
            Decision::Redirect(reply) => {
                let code = reply.audit.rule.map_or("redirect", taskgate_core::audit::Rule::code);
                self.add("outcome", format!("sent on to the same URL with status {}", reply.status));
                ("redirect", code, Some(reply.status), reply.audit.actor.clone())
            }
            Decision::Refuse(denial, reply) => {
                self.add("outcome", format!("refused: `{}`, status {}", denial.code(), reply.status));
                ("refuse", denial.code(), Some(reply.status), reply.audit.actor.clone())
            }
        };
        ExplainAnswer {
            outcome: outcome.to_owned(),
            code: code.to_owned(),
            status,
            service,
            actor: actor.map(Into::into),
            steps: self.0,
        }
    }
}
