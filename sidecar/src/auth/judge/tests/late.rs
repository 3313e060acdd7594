//! Questions that outlast those who asked them.

use super::*;
use crate::discovery::policy::Authorisation;

const NOTHING_UNDER_WAY: &str = "Docket { under_way: 0, .. }";

fn under_way(court: &Court) -> String {
    format!("{:?}", court.judge.shared.docket)
}

#[tokio::test(start_paused = true)]
async fn what_is_decided_late_is_there_for_the_next_request() {
    let court = Court::taking(vec![vec![identified("alice", None)]], Duration::from_secs(2));
    let service = service(AccessLevel::CanRead);
    for expected in [WireVerdict::Unavailable, WireVerdict::Unavailable, allow("alice", 30_000)] {
        assert_eq!(court.decide(&service, "t").await, expected);
    }
    assert_eq!((court.asked(0), under_way(&court).as_str()), (1, NOTHING_UNDER_WAY));
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_late_is_not_harmed_by_those_who_left() {
    // Not even with no place for questions that nobody waits for.
    for unattended in [0, 10] {
        let court = Court::with_unattended(vec![vec![identified("alice", None)]], Duration::from_secs(1), unattended);
        let service = service(AccessLevel::CanRead);
        let late = async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            court.decide(&service, "t").await
        };
        let (first, second) = tokio::join!(court.decide(&service, "t"), late);
        assert_eq!((first, second), (WireVerdict::Unavailable, allow("alice", 30_000)));
        assert_eq!(court.asked(0), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_questions_go_on_alone() {
    let answers = vec![identified("alice", None), identified("alice", None)];
    let court = Court::with_unattended(vec![answers], Duration::from_secs(1), 1);
    let service = service(AccessLevel::CanRead);
    let verdicts = tokio::join!(court.decide(&service, "a"), court.decide(&service, "b"));
    assert_eq!(verdicts, (WireVerdict::Unavailable, WireVerdict::Unavailable));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(under_way(&court), NOTHING_UNDER_WAY);
    let kept = [court.decide(&service, "a").await, court.decide(&service, "b").await];
    assert_eq!(kept.iter().filter(|verdict| **verdict == allow("alice", 30_000)).count(), 1, "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_decided_late_is_asked_anew() {
    let court = Court::taking(vec![vec![unavailable(), identified("alice", None)]], Duration::from_secs(1));
    let service = service(AccessLevel::CanRead);
    assert_eq!(court.decide(&service, "t").await, WireVerdict::Unavailable);
    tokio::time::sleep(Duration::from_millis(400)).await;
    // The first answer came, and was none.
    assert_eq!((court.asked(0), under_way(&court).as_str()), (1, NOTHING_UNDER_WAY));
    assert_eq!(court.decide(&service, "t").await, WireVerdict::Unavailable);
    assert_eq!(court.decide(&service, "t").await, allow("alice", 30_000));
    assert_eq!(court.asked(0), 2);
}

#[tokio::test(start_paused = true)]
async fn no_question_goes_on_for_ever() {
    let court = Court::taking(vec![vec![]], Duration::from_secs(3_600));
    let service = service(AccessLevel::CanRead);
    assert_eq!(court.decide(&service, "t").await, WireVerdict::Unavailable);
    tokio::time::sleep(Duration::from_millis(9_400)).await;
    assert_eq!(under_way(&court), NOTHING_UNDER_WAY);
    // The end waits for no question that nobody waits for.
    assert_eq!(court.decide(&service, "t").await, WireVerdict::Unavailable);
    let started = Instant::now();
    assert!(court.tasks.end(Duration::from_secs(5)).await);
    assert_eq!(started.elapsed(), Duration::ZERO);
}

/// A provider that breaks.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl Provider for Broken {
    async fn look(&self) -> Result<Inventory, String> {
        Ok(Inventory::default())
    }

    async fn run(&self, _publisher: Publisher, _stop: CancellationToken) {}

    async fn authorise(&self, _service: &Entry, _actor: &Actor, _credential: Option<&Credential>) -> Authorisation {
        panic!("as this test wants it");
    }
}

#[tokio::test]
async fn a_question_that_breaks_is_asked_anew() {
    let court = Court::new(vec![vec![identified("alice", None), identified("alice", None)]]);
    let service = service(AccessLevel::CanRead);
    let verdict = court.judge.decide(&service, Some(Arc::new(Broken)), &bearer("t")).await;
    assert_eq!((verdict, under_way(&court).as_str()), (WireVerdict::Unavailable, NOTHING_UNDER_WAY));
    assert_eq!(court.decide(&service, "t").await, allow("alice", 30_000));
}
