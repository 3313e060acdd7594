//! What came of trying a store.

use std::fmt;

/// What came of trying a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the configuration calls it.
    pub store: String,
    /// What was tried, in order.
    pub steps: Vec<(Step, Outcome)>,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What time it is there.
    Clock,
    /// A second upload under a name is refused.
    Create,
    /// The sidecar deletes an object.
    Delete,
    /// An upload of other bytes than were signed is refused.
    Digest,
    /// A client gets an object with a signed URL.
    Get,
    /// The sidecar looks at an object that a client put.
    Head,
    /// The sidecar does not write over an object.
    Keep,
    /// An upload of more bytes than were signed is refused.
    Length,
    /// The sidecar is told that there is no such object.
    Look,
    /// A client gets an object with a signed URL, where clients reach the store.
    Public,
    /// A client puts an object with a signed URL.
    Put,
    /// The sidecar reads an object.
    Read,
    /// The sidecar writes an object.
    Write,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went well.
    Passed,
    /// It went well enough, or could not be tried; why.
    Warned(String),
    /// It did not go well; why, and what to do.
    Failed(String),
}

impl Report {
    /// One of which nothing is known yet.
    pub(super) fn new(store: &str) -> Self {
        Self { store: store.to_owned(), steps: Vec::new() }
    }

    pub(super) fn add(&mut self, step: Step, outcome: Outcome) {
        self.steps.push((step, outcome));
    }

    pub(super) fn has(&self, step: Step) -> bool {
        self.steps.iter().any(|(own, _)| *own == step)
    }

    /// Says in every failure where the store is.
    pub(super) fn at(&mut self, place: &str) {
        for (_, outcome) in &mut self.steps {
            if let Outcome::Failed(reason) = outcome {
                reason.push_str(&format!(", in `{place}`"));
            }
        }
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.steps.iter().all(|(_, outcome)| !matches!(outcome, Outcome::Failed(_)))
    }
}

impl Step {
    /// What is wrong with a store that takes what it should refuse.
    pub(super) const fn if_taken(self) -> &'static str {
        match self {
            Self::Digest => {
                "it takes other bytes than were signed: it does not look at Content-MD5, so uploads are not what their \
                 names say"
            }
            Self::Length => "it takes more bytes than were signed: `upload.maxSize` does not hold",
            Self::Create => {
                "it replaces what may only be created: files that were uploaded under a name are not safe from each \
                 other"
            }
            Self::Keep => "it writes over what is there where it may not: runs are not safe from each other",
            _ => "it takes what it should refuse",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Clock => "have the same time",
            Self::Create => "refuse a second upload under a name",
            Self::Delete => "delete an object",
            Self::Digest => "refuse other bytes than were signed",
            Self::Get => "get an object with a signed URL",
            Self::Head => "look at an object",
            Self::Keep => "not write over an object",
            Self::Length => "refuse more bytes than were signed",
            Self::Look => "look for an object that is not there",
            Self::Public => "get an object at the public endpoint",
            Self::Put => "put an object with a signed URL",
            Self::Read => "read an object",
            Self::Write => "write an object",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => formatter.write_str("ok"),
            Self::Warned(reason) => write!(formatter, "warning: {reason}"),
            Self::Failed(reason) => write!(formatter, "FAILED: {reason}"),
        }
    }
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}
