//! A case as it is written in `tests/cases/*.json`. `tests/cases/README.md` explains the format.
//!
//! Only the shape is checked here; what names mean is found out in [`crate::script`].

use serde::Deserialize;
use taskgate_core::identity::WireIdentity;
use taskgate_core::service::Protocol;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::{Credential, Refusal, Scheme, VerdictQuery, WireVerdict};

/// A header as it is written: name, value.
pub type Pair = (String, String);

/// One file of cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// What the cases have in common.
    pub about: String,
    /// The cases.
    pub cases: Vec<Case>,
}

/// One case: either a single exchange or several steps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// In kebab-case, unique in the corpus.
    pub name: String,
    /// Why the outcome is what it is, where that is not obvious.
    pub why: Option<String>,
    /// The table it starts with.
    #[serde(default = "standard")]
    pub table: String,
    /// The gate's configuration.
    #[serde(default = "standard")]
    pub gate: String,
    /// What the ingress must be able to do that not every one can.
    #[serde(default)]
    pub needs: Vec<Need>,
    /// What happens, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The single exchange: what the client sends.
    pub request: Option<Vec<Pair>>,
    /// The single exchange: what the sidecar must be asked.
    pub asked: Option<Asked>,
    /// The single exchange: what it answers.
    pub sidecar: Option<AnswerRef>,
    /// The single exchange: what comes of it.
    pub expect: Option<Expect>,
}

/// What not every ingress can do. One that can't is in none of the cases that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Take headers out of a request by the beginning of their names, and not name by name.
    ClearPrefixes,
    /// End a request that was permitted.
    EndStreams,
    /// Send a job another path than the client did.
    RewritePaths,
    /// Tell the gate which addresses failed.
    SeeFailures,
    /// Show every host that a request names: in its target, in `:authority` and in `Host`. Others make
    /// one of them, or answer such a request themselves.
    ShowHosts,
}

fn standard() -> String {
    "standard".into()
}

impl Case {
    /// The steps; a single exchange is one step.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        if self.request.is_none() && self.asked.is_none() && self.sidecar.is_none() && self.expect.is_none() {
            return self.steps.clone();
        }
        let only = Step {
            request: self.request.clone(),
            asked: self.asked.clone(),
            sidecar: self.sidecar.clone(),
            expect: self.expect.clone(),
            ..Step::default()
        };
        self.steps.iter().cloned().chain([only]).collect()
    }
}

/// One step: exactly one of `request`, `wait_ms`, `feed`, `fails` and `ends`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What the client sends.
    pub request: Option<Vec<Pair>>,
    /// What the sidecar must be asked; absent: nothing.
    pub asked: Option<Asked>,
    /// What it answers.
    pub sidecar: Option<AnswerRef>,
    /// What comes of it.
    pub expect: Option<Expect>,
    /// Time passes.
    pub wait_ms: Option<u64>,
    /// The table changes.
    pub feed: Option<Feed>,
    /// A connection to this address fails.
    pub fails: Option<String>,
    /// What was permitted before is looked at: which of the requests so far, counted from 0, end now.
    pub ends: Option<Vec<usize>>,
}

/// An answer of the sidecar: a name in the fixtures, or the body itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum AnswerRef {
    /// A name in the fixtures.
    Named(String),
    /// A well-formed answer.
    Verdict(VerdictText),
}

/// A question to the sidecar, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    service: String,
    credential: AskedCredential,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedCredential {
    scheme: Scheme,
    name: Option<String>,
    value: String,
}

impl Asked {
    /// The service's id.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The question about a service of that epoch.
    #[must_use]
    pub fn query(self, epoch: u32) -> VerdictQuery {
        let AskedCredential { scheme, name, value } = self.credential;
        VerdictQuery { service: self.service, epoch, credential: Credential { scheme, name, value } }
    }
}

/// An answer of the sidecar, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case", deny_unknown_fields)]
pub enum VerdictText {
    /// May use the service.
    Allow {
        /// Login name.
        actor: String,
        /// Mail address.
        email: Option<String>,
        /// Groups.
        #[serde(default)]
        groups: Vec<String>,
        /// The UUID by which Arvados knows the visitor.
        arvados_user_uuid: Option<String>,
        /// How long it holds.
        lifetime_ms: u64,
        /// When the credential ends, in milliseconds since 1970.
        ends_at: Option<UnixTime>,
    },
    /// May not.
    Deny {
        /// Why.
        code: Refusal,
        /// How long it holds.
        lifetime_ms: u64,
    },
    /// Can't be said now.
    Unavailable,
}

impl From<VerdictText> for WireVerdict {
    fn from(text: VerdictText) -> Self {
        match text {
            VerdictText::Allow { actor, email, groups, arvados_user_uuid, lifetime_ms, ends_at } => {
                let identity = WireIdentity { actor, email, groups, arvados_user_uuid };
                Self::Allow { identity, lifetime_ms, ends_at }
            }
            VerdictText::Deny { code, lifetime_ms } => Self::Deny { code, actor: None, lifetime_ms },
            VerdictText::Unavailable => Self::Unavailable,
        }
    }
}

/// A change of the table, as one page of the feed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Rows that are added or changed.
    #[serde(default)]
    pub upserts: Vec<String>,
    /// Ids that go.
    #[serde(default)]
    pub removals: Vec<String>,
    /// Whether the sidecar starts a new life and sends everything again.
    #[serde(default)]
    pub reset: bool,
    /// Whether more is to come.
    #[serde(default)]
    pub more: bool,
    /// New keys and epochs; with them comes the configuration.
    pub control: Option<String>,
    /// Another configuration than the case's, from here on.
    pub gate: Option<String>,
}

/// What must come of a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Expect {
    /// It reaches the job.
    Permit(Permit),
    /// It is sent to the same URL without what was in it.
    Redirect(Redirect),
    /// It is answered in the job's place.
    Refuse(Refuse),
}

/// Where a request is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The target.
    pub location: String,
    /// The `Set-Cookie` lines, sessions in them opened.
    #[serde(default)]
    pub cookies: Vec<String>,
    /// Headers that the reply has, among others.
    #[serde(default)]
    pub headers: Vec<Pair>,
}

/// How a request reaches the job.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// The canonical id of the service whose job gets it.
    pub service: String,
    /// What the proxy must speak to the job.
    pub protocol: Protocol,
    /// The distinct addresses to try in exactly this order. Without it any order will do.
    pub candidates: Option<Vec<String>>,
    /// Addresses that may be tried first.
    pub first: Option<Vec<String>>,
    /// Names of headers that the job does not get.
    #[serde(default)]
    pub without: Vec<String>,
    /// Headers that the job gets beyond those of the request.
    #[serde(default)]
    pub with: Vec<Pair>,
    /// `Set-Cookie` lines of the job's answer.
    #[serde(default)]
    pub job_cookies: Vec<String>,
    /// Those that the visitor gets, sessions in them opened.
    #[serde(default)]
    pub cookies: Vec<String>,
}

/// How a request is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// The denial's code.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// The gRPC status; absent: none.
    pub grpc: Option<u8>,
    /// What the body is.
    #[serde(default)]
    pub body: BodyKind,
    /// Headers that the reply has, among others.
    #[serde(default)]
    pub headers: Vec<Pair>,
    /// Names of headers that the reply must not have.
    #[serde(default)]
    pub absent: Vec<String>,
}

/// What a refusal's body is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyKind {
    /// An error of Connect.
    Connect,
    /// A gRPC status message.
    Grpc,
    /// A page for people.
    Page,
    /// Problem details (RFC 9457).
    #[default]
    Problem,
}
