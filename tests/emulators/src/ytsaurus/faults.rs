//! Answers that go wrong on demand.

use std::time::Duration;

use super::error::ClusterError;

/// How answers go wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// An error with that status, instead of doing anything.
    Refuse {
        /// The status of the answer; 400 is what failed commands have.
        status: u16,
        /// What it says.
        error: ClusterError,
    },
    /// 503 with `Retry-After`, instead of doing anything.
    Unavailable {
        /// What `Retry-After` says, in seconds.
        retry_after_secs: u64,
    },
    /// The connection closes, and nothing was done.
    Close,
    /// The command is done, and the connection closes without an answer.
    LoseAnswer,
    /// The answer comes later.
    Delay(Duration),
    /// The answer breaks off in the middle of its body.
    Truncate,
    /// The status is 200, the body breaks off, and the error is in the trailers.
    Trailers(ClusterError),
    /// No answer ever comes.
    Hang,
}

/// What happens to one call.
#[derive(Debug, Default)]
pub(super) struct Mishap {
    /// How long everything takes longer.
    pub(super) delay: Duration,
    /// What goes wrong then.
    pub(super) fault: Option<Fault>,
}

/// The faults that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Planned>);

#[derive(Debug)]
struct Planned {
    /// Of all, if none.
    command: Option<String>,
    remaining: u64,
    fault: Fault,
}

// === impl Faults ===

impl Faults {
    /// The next so many calls of a command, or of any, go wrong.
    pub(super) fn plan(&mut self, command: Option<&str>, count: u64, fault: Fault) {
        self.0.push(Planned { command: command.map(str::to_owned), remaining: count, fault });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to a call of that command. Delays add to other faults; of those the first one counts.
    pub(super) fn take(&mut self, command: &str) -> Mishap {
        let mut mishap = Mishap::default();
        let applies = |planned: &Planned| match &planned.command {
            Some(name) => name == command,
            // Items of a batch are not calls.
            None => !command.contains('/'),
        };
        for planned in self.0.iter_mut().filter(|planned| applies(planned)) {
            match &planned.fault {
                Fault::Delay(delay) => mishap.delay += *delay,
                fault if mishap.fault.is_none() => mishap.fault = Some(fault.clone()),
                _ => continue,
            }
            planned.remaining = planned.remaining.saturating_sub(1);
        }
        self.0.retain(|planned| planned.remaining > 0);
        mishap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn happen_as_often_as_planned() {
        let mut faults = Faults::default();
        faults.plan(Some("get"), 2, Fault::Close);
        faults.plan(None, 1, Fault::Delay(Duration::from_millis(5)));
        faults.plan(Some("execute_batch/get"), 1, Fault::Hang);
        assert_eq!(faults.take("list").delay, Duration::from_millis(5));
        assert_eq!(faults.take("get").fault, Some(Fault::Close));
        assert_eq!(faults.take("execute_batch/get").fault, Some(Fault::Hang));
        assert_eq!(faults.take("get").fault, Some(Fault::Close));
        assert_eq!(faults.take("get").fault, None);
    }

    #[test]
    fn one_at_a_time() {
        let mut faults = Faults::default();
        faults.plan(None, 1, Fault::Close);
        faults.plan(None, 1, Fault::Hang);
        assert_eq!(faults.take("get").fault, Some(Fault::Close));
        assert_eq!(faults.take("get").fault, Some(Fault::Hang));
    }
}
