//! What runs a case, and what it reports.

use core::net::SocketAddr;

use taskgate_core::verdict::VerdictQuery;

use crate::script::Script;

/// One form of the product that cases are run against.
///
/// A runner starts afresh for every script, plays its events in order, answers what the product asks
/// of the sidecar as the script says, and reports one [`Observed`] for each request, and which requests ended at each look. It judges nothing.
pub trait Runner {
    /// Whether this form of the product can be in the script's situation at all.
    fn supports(&self, script: &Script) -> bool;

    /// Plays a script.
    ///
    /// # Errors
    /// What keeps it from being played; that is a defect of the case or the runner.
    fn run(&mut self, script: &Script) -> Result<Seen, RunError>;
}

/// Why a script could not be played.
pub type RunError = String;

/// What was seen of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of each request.
    pub observed: Vec<Observed>,
    /// Which requests ended at each look.
    pub ended: Vec<Vec<usize>>,
}

/// What was seen of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// What the sidecar was asked.
    pub asked: Vec<VerdictQuery>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Neither: it hangs, or the product failed.
    Broken(String),
    /// It reaches a job.
    Permit(Permitted),
    /// It is sent elsewhere.
    Redirect(Refused),
    /// It is answered in the job's place.
    Refuse(Refused),
}

/// A request that reaches a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted {
    /// The addresses the proxy will try, in order.
    pub candidates: Vec<SocketAddr>,
    /// Whether it will speak HTTP/2 to the job, and not HTTP/1.1.
    pub http2: bool,
    /// Every header the job gets; those that carry the two above are not among them.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The `Set-Cookie` lines of the answer that the visitor gets.
    pub cookies: Vec<String>,
}

/// A request that was answered in the job's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// gRPC status.
    pub grpc: Option<u8>,
    /// Headers of the reply.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its body; for gRPC the status message.
    pub body: Vec<u8>,
}
