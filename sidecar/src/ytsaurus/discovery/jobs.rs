//! The running jobs of operations, listed in batches.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use taskgate_core::service::MAX_ENDPOINTS;
use tokio::time::Instant;

use crate::ytsaurus::client::Client;
use crate::ytsaurus::client::error::{CallError, code};
use crate::ytsaurus::commands::jobs::{JobsPage, ListJobs, PAGE};
use crate::ytsaurus::discovery::RoundError;
use crate::ytsaurus::discovery::annotation::{Annotation, Wanted};
use crate::ytsaurus::discovery::job::{self, Job};
use crate::ytsaurus::discovery::operation::Offer;
use crate::ytsaurus::settings::YtsaurusSettings;
use crate::ytsaurus::text;

/// The most pages of one operation: more jobs than that are never looked at.
const MAX_PAGES: usize = 20;
/// The most reasons of one operation.
const MAX_REASONS: usize = 20;
/// How long a job counts after it was listed last. Its user can make it end and its listing fail, and from
/// then on its node may give its ports to anybody.
const MAX_REMEMBERED: Duration = Duration::from_secs(300);

/// The running jobs of operations.
#[derive(Debug, Default)]
pub struct Jobs {
    /// When they were listed.
    listed: Option<Instant>,
    operations: HashMap<String, OperationJobs>,
    /// Operations that are over.
    pub gone: HashSet<String>,
}

#[derive(Debug, Default)]
struct OperationJobs {
    jobs: Vec<Job>,
    reasons: Vec<String>,
    failure: Option<String>,
    /// Whether that may have been otherwise a moment later.
    is_unanswered: bool,
    /// Whether it is the operation that can't be listed, not the cluster that can't list.
    is_closed: bool,
}

/// Lists the running jobs of operations.
///
/// # Errors
/// [`RoundError::Jobs`], where those of no operation could be listed.
pub async fn list_jobs(
    client: &Client,
    operations: &[&str],
    settings: &YtsaurusSettings,
    deadline: Instant,
) -> Result<Jobs, RoundError> {
    let mut jobs = Jobs { listed: Some(Instant::now()), ..Jobs::default() };
    let mut asked: Vec<ListJobs> =
        operations.iter().map(|operation| ListJobs { operation: (*operation).to_owned(), offset: 0 }).collect();
    for page in 0..MAX_PAGES {
        let (more, failure) = list_page(client, &asked, settings, deadline, &mut jobs).await;
        if let (0, Some(error)) = (page, failure) {
            return Err(RoundError::Jobs(error.to_string()));
        }
        if page == 0 && jobs.are_all_closed(asked.len()) {
            let reason = "every operation refuses it: give the robot the right to read operations".to_owned();
            return Err(RoundError::Jobs(reason));
        }
        asked = more;
        if asked.is_empty() {
            break;
        }
    }
    for of_operation in jobs.operations.values_mut() {
        of_operation.sort();
    }
    Ok(jobs)
}

/// Lists one page of each operation: what is asked for next, and why no batch at all had an answer.
async fn list_page(
    client: &Client,
    asked: &[ListJobs],
    settings: &YtsaurusSettings,
    deadline: Instant,
    jobs: &mut Jobs,
) -> (Vec<ListJobs>, Option<CallError>) {
    let answers = client.batches(asked, settings.batch_commands, deadline);
    futures_util::pin_mut!(answers);
    let (mut more, mut failure, mut answered) = (Vec::new(), None, false);
    while let Some((batch, answer)) = answers.next().await {
        match answer {
            Ok(pages) => {
                answered = true;
                for (command, page) in batch.iter().zip(pages) {
                    more.extend(jobs.take(command, page, settings.network.as_deref()));
                }
            }
            Err(error) => {
                for command in batch {
                    jobs.fail(&command.operation, &error);
                }
                failure = Some(error);
            }
        }
    }
    (more, failure.filter(|_| !answered))
}

/// Jobs keep their order from round to round: one that replaces another has its number.
fn order(job: &Job) -> (&str, u64, &str) {
    (&job.task, job.cookie.unwrap_or(u64::MAX), &job.id)
}

impl Jobs {
    /// An operation's jobs, by task and number.
    #[must_use]
    pub fn of(&self, operation: &str) -> &[Job] {
        self.operations.get(operation).map_or(&[], |of_operation| of_operation.jobs.as_slice())
    }

    /// All jobs.
    pub fn all(&self) -> impl Iterator<Item = &Job> {
        self.operations.values().flat_map(|of_operation| &of_operation.jobs)
    }

    /// All jobs with their operations.
    pub fn with_operations(&self) -> impl Iterator<Item = (&str, &Job)> {
        self.operations
            .iter()
            .flat_map(|(id, of_operation)| of_operation.jobs.iter().map(move |job| (id.as_str(), job)))
    }

    /// Why an operation's jobs could not be listed.
    #[must_use]
    pub fn failure(&self, operation: &str) -> Option<&str> {
        self.operations.get(operation).and_then(|of_operation| of_operation.failure.as_deref())
    }

    /// Whether that is a matter of the moment.
    #[must_use]
    pub fn is_unanswered(&self, operation: &str) -> bool {
        self.operations.get(operation).is_some_and(|of_operation| of_operation.is_unanswered)
    }

    /// Whether all of several operations can't be listed. One user can see to it for his own; when it is
    /// everybody's, the robot has lost its right, and what was known stays.
    fn are_all_closed(&self, asked: usize) -> bool {
        asked > 1 && self.operations.values().filter(|of_operation| of_operation.is_closed).count() == asked
    }

    /// What is wrong with an operation's jobs.
    #[must_use]
    pub fn reasons(&self, operation: &str) -> &[String] {
        self.operations.get(operation).map_or(&[], |of_operation| of_operation.reasons.as_slice())
    }

    /// Where not all jobs of an operation could be listed, those that it had before stay for a while, unless
    /// another job took their place. Where it is the operation's own doing, none stays.
    pub fn fall_back(&mut self, before: &Self) {
        let (Some(listed_now), Some(listed_before)) = (self.listed, before.listed) else { return };
        let may_stay = |now: &OperationJobs| now.failure.is_some() && !now.is_closed;
        for (operation, now) in self.operations.iter_mut().filter(|(_, now)| may_stay(now)) {
            let Some(before) = before.operations.get(operation) else { continue };
            let listed: HashSet<&str> = now.jobs.iter().map(|job| job.id.as_str()).collect();
            let places: HashSet<(&str, u64)> = now.jobs.iter().filter_map(place).collect();
            let is_left = |job: &&Job| {
                !listed.contains(job.id.as_str()) && place(job).is_none_or(|place| !places.contains(&place))
            };
            let remembered = |job: &Job| {
                let until = job.remembered_until.unwrap_or(listed_before + MAX_REMEMBERED);
                (listed_now < until).then(|| Job { remembered_until: Some(until), ..job.clone() })
            };
            let left: Vec<Job> = before.jobs.iter().filter(is_left).filter_map(remembered).collect();
            now.jobs.extend(left);
            now.sort();
        }
    }

    /// Drops jobs that make no difference: of tasks that have no service, and beyond what a service may
    /// have. Where users write addresses any job may be the one, so those of SPYT all stay.
    pub fn bound(&mut self, operation: &str, offer: &Offer) {
        let Some(of_operation) = self.operations.get_mut(operation) else { return };
        let tasks: Option<HashSet<&str>> = match offer {
            Offer::Annotated(Annotation { services: Wanted::EveryPort, .. }) => None,
            Offer::Annotated(Annotation { services: Wanted::Named(services), .. }) => {
                Some(services.iter().map(|service| service.task.as_str()).collect())
            }
            Offer::Spark(_) => return,
        };
        let mut counts: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        of_operation.jobs.retain(|job| {
            let is_wanted = tasks.as_ref().is_none_or(|tasks| tasks.contains(&*job.task));
            let count = counts.entry(Arc::clone(&job.task)).or_default();
            *count += usize::from(is_wanted);
            is_wanted && *count <= MAX_ENDPOINTS
        });
        for (task, count) in counts.into_iter().filter(|(_, count)| *count > MAX_ENDPOINTS) {
            let task = text::shown(&task);
            of_operation.reason(format!("task {task}: has {count} jobs; requests go to {MAX_ENDPOINTS} of them"));
        }
    }

    /// Takes a page; the next one, where there is more.
    fn take(
        &mut self,
        command: &ListJobs,
        page: Result<JobsPage, CallError>,
        network: Option<&str>,
    ) -> Option<ListJobs> {
        let page = match page {
            Ok(page) => page,
            Err(error) if error.has(code::NO_SUCH_OPERATION) => {
                self.gone.insert(command.operation.clone());
                return None;
            }
            Err(error) => {
                self.fail(&command.operation, &error);
                return None;
            }
        };
        let of_operation = self.operations.entry(command.operation.clone()).or_default();
        if !page.errors.is_empty() {
            let minutes = MAX_REMEMBERED.as_secs() / 60;
            of_operation.failure =
                Some(format!("its jobs could be listed in part alone; the others stay for {minutes} minutes"));
        }
        for raw in &page.jobs {
            match job::read(raw, network) {
                Ok(job) => of_operation.jobs.extend(job),
                Err(error) => of_operation.reason(error.to_string()),
            }
        }
        let is_full = page.jobs.len() >= PAGE;
        is_full.then(|| ListJobs { operation: command.operation.clone(), offset: command.offset + page.jobs.len() })
    }

    fn fail(&mut self, operation: &str, error: &CallError) {
        let of_operation = self.operations.entry(operation.to_owned()).or_default();
        of_operation.is_unanswered = error.is_passing();
        of_operation.is_closed = error.has(code::AUTHORIZATION) || matches!(error, CallError::TooLarge(_));
        of_operation.failure = Some(if of_operation.is_closed {
            format!("its jobs can't be listed, so none is used: {error}")
        } else {
            let minutes = MAX_REMEMBERED.as_secs() / 60;
            format!("its jobs can't be listed; those that were known stay for {minutes} minutes: {error}")
        });
    }
}

/// Which of its task's jobs a job is.
fn place(job: &Job) -> Option<(&str, u64)> {
    Some((&job.task, job.cookie?))
}

impl OperationJobs {
    fn sort(&mut self) {
        self.jobs.sort_by(|left, right| order(left).cmp(&order(right)));
        self.jobs.dedup_by(|left, right| left.id == right.id);
    }

    fn reason(&mut self, reason: String) {
        if self.reasons.len() < MAX_REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ytsaurus::client::error::YtError;
    use crate::ytsaurus::discovery::address::HostPort;

    const OPERATION: &str = "1-1-1-1";

    fn listed(at: Instant) -> Jobs {
        Jobs { listed: Some(at), ..Jobs::default() }
    }

    fn with_job(at: Instant) -> Jobs {
        let node = "10.0.0.1:9012";
        let job = Job {
            id: "2-2-2-2".into(),
            task: "web".into(),
            node: node.into(),
            address: HostPort::parse(node).expect("an address"),
            cookie: Some(0),
            remembered_until: None,
        };
        let mut jobs = listed(at);
        jobs.operations.insert(OPERATION.into(), OperationJobs { jobs: vec![job], ..OperationJobs::default() });
        jobs
    }

    fn refused(code: i64) -> CallError {
        CallError::Refused(YtError::new(code, "no"))
    }

    #[test]
    fn jobs_that_are_not_listed_any_more_count_for_five_minutes() {
        let start = Instant::now();
        let mut before = with_job(start);
        // Whatever went wrong in between: it counts when they were listed last.
        for (secs, expected) in [(5, 1), (100, 1), (299, 1), (300, 0), (301, 0)] {
            let mut now = listed(start + Duration::from_secs(secs));
            now.fail(OPERATION, &refused(code::UNAVAILABLE));
            now.fall_back(&before);
            assert_eq!(now.of(OPERATION).len(), expected, "{secs}");
            assert!(now.of(OPERATION).iter().all(|job| job.remembered_until.is_some()), "{secs}");
            before = now;
        }
    }

    #[test]
    fn an_operation_that_can_t_be_listed_by_its_own_doing_keeps_no_job() {
        let start = Instant::now();
        let before = with_job(start);
        for (error, expected) in [
            (refused(code::AUTHORIZATION), 0),
            (CallError::TooLarge(7), 0),
            (refused(1), 1),
            (CallError::TimedOut(Duration::ZERO), 1),
        ] {
            let mut now = listed(start + Duration::from_secs(5));
            now.fail(OPERATION, &error);
            now.fall_back(&before);
            assert_eq!(now.of(OPERATION).len(), expected, "{error}");
            assert_eq!(now.failure(OPERATION).is_some_and(|reason| reason.contains("stay")), expected == 1);
        }
    }
}
