//! The proxy's clock is corrected, by hours, while the filter runs: what has a date ends by the new time, what has
//! an age does not notice.

use std::time::Duration;

use taskgate_test_host::Answer;

use super::stage::{ENVOY, Sidecar, Stage, TICK, allow, get, with_token};

const HOUR: i64 = 3_600;
const MINUTE: Duration = Duration::from_secs(60);

/// Somebody sets the proxy's clock, and the worker goes on.
fn jump(stage: &mut Stage, secs: i64) {
    stage.host.set_now_ns(stage.host.now_ns().saturating_add_signed(secs * 1_000_000_000));
    stage.pass(TICK);
}

/// A proxy whose table lasts a minute without the sidecar.
fn stage() -> Stage {
    let mut sidecar = Sidecar::standard(7);
    sidecar.control.gate.table_max_age_secs = 60;
    Stage::following(ENVOY, sidecar)
}

/// Time passes without the sidecar.
fn pass_alone(stage: &mut Stage, duration: Duration) {
    for _ in 0..duration.as_secs() {
        if let Some(poll) = stage.poll() {
            stage.answer(poll.id, Answer::refused());
        }
        stage.pass(Duration::from_secs(1));
    }
}

/// A proxy that has asked whether the bearer of `s3cret` may use the service, and may keep the answer for a minute.
fn decided() -> Stage {
    let mut stage = stage();
    let stream = stage.send(with_token("closed", "s3cret"));
    stage.decide(&allow("alice"));
    stage.job(stream);
    stage
}

/// Whether the bearer of `s3cret` is let in without the sidecar being asked.
fn is_known(stage: &mut Stage) -> bool {
    let stream = stage.send(with_token("closed", "s3cret"));
    assert_eq!(stage.vm.upstream(stream).is_some(), stage.questions().is_empty(), "in, or asked about");
    stage.vm.upstream(stream).is_some()
}

#[test]
fn a_session_ends_by_the_date_that_it_has() {
    let mut stage = stage();
    let session = stage.session("closed", 600);
    let stream = stage.send(with_token("closed", &session));
    stage.job(stream);
    jump(&mut stage, HOUR);
    let stream = stage.send(with_token("closed", &session));
    stage.assert_denied(stream, 401, "session-ended");
    jump(&mut stage, -HOUR);
    let stream = stage.send(with_token("closed", &session));
    stage.job(stream);
}

#[test]
fn a_clock_that_jumps_locks_nobody_out() {
    for secs in [HOUR, -HOUR, 30 * 24 * HOUR, -30 * 24 * HOUR] {
        let mut stage = decided();
        jump(&mut stage, secs);
        let open = stage.send(get("open"));
        assert!(stage.vm.upstream(open).is_some(), "{secs}: {:?}", stage.vm.outcome(open));
        assert!(is_known(&mut stage), "{secs}: the verdict");
        // News still come, and a new session is good.
        stage.sidecar.remove("open");
        stage.confirm();
        let open = stage.send(get("open"));
        stage.assert_denied(open, 404, "unknown-service");
        let session = stage.session("closed", 600);
        let stream = stage.send(with_token("closed", &session));
        stage.job(stream);
    }
}

#[test]
fn a_verdict_lasts_no_longer_for_it() {
    for secs in [0, HOUR, -HOUR] {
        let mut stage = decided();
        jump(&mut stage, secs);
        stage.pass(MINUTE / 2);
        assert!(is_known(&mut stage), "{secs}: half of its time");
        if secs != 0 {
            jump(&mut stage, -2 * secs);
        }
        stage.pass(MINUTE / 2);
        assert!(!is_known(&mut stage), "{secs}: it has ended");
    }
}

#[test]
fn a_table_is_served_no_longer_for_it() {
    for secs in [0, HOUR, -HOUR] {
        let mut stage = stage();
        jump(&mut stage, secs);
        pass_alone(&mut stage, MINUTE / 2);
        let open = stage.send(get("open"));
        assert!(stage.vm.upstream(open).is_some(), "{secs}: {:?}", stage.vm.outcome(open));
        pass_alone(&mut stage, MINUTE);
        let open = stage.send(get("open"));
        stage.assert_denied(open, 503, "table-expired");
    }
}

#[test]
fn a_clock_that_jumps_again_and_again_moves_no_deadline_far() {
    let mut stage = decided();
    // Each jump ahead counts for ten seconds at most, each one back for none.
    for _ in 0..3 {
        jump(&mut stage, HOUR);
        jump(&mut stage, -HOUR);
    }
    assert!(is_known(&mut stage));
    stage.pass(MINUTE);
    assert!(!is_known(&mut stage));
}
