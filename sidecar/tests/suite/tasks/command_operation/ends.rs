//! Programs that are to end.

use std::time::{Duration, Instant};

use serde_json::json;
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::work::StopReason;

use crate::tasks::attempt::{Attempt, permanent};
use crate::tasks::command_operation::program::Program;

/// How long a program that is asked to end may take, before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// Cleans up when it is asked to end.
const ORDERLY: &str = r#"
    trap 'echo yes > $1/cleaned; exit 0' TERM
    sleep 1000 & echo $! $$ > $1/processes
    wait"#;
/// Does not end when it is asked to.
const STUBBORN: &str = r#"
    trap '' TERM HUP INT
    sleep 1000 & echo $! $$ > $1/processes
    while :; do sleep 1; done"#;

/// Stops a program for a reason; how long it took.
async fn stop(program: &Program, reason: StopReason) -> Duration {
    let attempt = Attempt::new(json!({}));
    let stopping = async {
        program.left("processes").await;
        attempt.stop.now(reason);
        Instant::now()
    };
    let (outcome, asked) = tokio::join!(attempt.run(program.operation.as_ref()), stopping);
    let took = asked.elapsed();
    assert_eq!(outcome, Err(WorkError::Stopped));
    program.all_ended("processes").await;
    took
}

#[tokio::test]
async fn a_program_is_asked_to_end_and_may_clean_up() {
    for reason in [StopReason::Deleted, StopReason::Late, StopReason::Draining] {
        let program = Program::new(ORDERLY);
        let took = stop(&program, reason).await;
        assert!(took < GRACE, "{took:?}");
        assert_eq!(program.left("cleaned").await, "yes");
    }
}

#[tokio::test]
async fn one_that_does_not_end_is_killed() {
    let program = Program::new(STUBBORN);
    let took = stop(&program, StopReason::Deleted).await;
    // It is given its time, and not for ever.
    assert!(took >= GRACE && took < program.operation.stopping() + Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn a_lost_task_is_not_worked_on_for_another_moment() {
    let program = Program::new(STUBBORN);
    let took = stop(&program, StopReason::Lost).await;
    assert!(took < GRACE, "{took:?}");
}

#[tokio::test]
async fn a_program_has_its_time() {
    let program = Program::with(ORDERLY, &json!({"timeout_secs": 3}));
    assert_eq!(permanent(Attempt::new(json!({})).run(program.operation.as_ref()).await).0, "timed-out");
    program.all_ended("processes").await;
}

#[tokio::test]
async fn an_attempt_that_is_cut_off_takes_its_program_with_it() {
    let program = Program::new(STUBBORN);
    let attempt = Attempt::new(json!({}));
    tokio::select! {
        _ = attempt.run(program.operation.as_ref()) => panic!("it does not end by itself"),
        _ = program.left("processes") => {}
    }
    program.all_ended("processes").await;
}
