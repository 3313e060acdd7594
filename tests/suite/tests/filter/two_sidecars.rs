//! Two sidecars answer to one name, and each poll meets one or the other.

use super::stage::{ENVOY, OPEN, Row, Sidecar, Stage, TICK, candidates, get, packed, page_answer, parameter};

const ELSEWHERE: Row = Row { jobs: &["10.9.9.9:9"], ..OPEN };
/// More rows than a page has.
const ROWS: usize = 50;

fn sidecar(epoch: u64, row: &Row) -> Sidecar {
    let mut sidecar = Sidecar::new(epoch);
    sidecar.page_rows = 10;
    for nth in 0..ROWS {
        let id = format!("s{nth}");
        sidecar.put(&id, packed(&id, row));
    }
    sidecar
}

/// Answers that many polls in turns, as a proxy does that balances load; how many of them were for everything.
fn alternate(stage: &mut Stage, other: &Sidecar, polls: usize) -> usize {
    let mut anew = 0;
    for turn in 0..polls {
        while stage.poll().is_none() {
            stage.pass(TICK);
        }
        let poll = stage.poll().expect("a poll");
        anew += usize::from(parameter(poll.path(), "since") == 0);
        let sidecar = if turn % 2 == 0 { &stage.sidecar } else { other };
        // Without news it is held for a while, and then answered all the same.
        let (page, _) = sidecar.page(poll.path());
        stage.answer(poll.id, page_answer(page));
    }
    anew
}

#[test]
fn a_large_table_becomes_whole_and_stays_with_one_of_them() {
    let other = sidecar(8, &ELSEWHERE);
    let mut stage = Stage::start(ENVOY, sidecar(7, &OPEN));
    let anew = alternate(&mut stage, &other, 60);
    assert!(anew <= 1, "it started anew {anew} times");
    let stream = stage.send(get("none"));
    stage.assert_denied(stream, 404, "unknown-service");
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..30 {
        let anew = alternate(&mut stage, &other, 21);
        assert_eq!(anew, 0, "round {round}");
        for nth in [0, ROWS / 2, ROWS - 1] {
            let stream = stage.send(get(&format!("s{nth}")));
            seen.insert(candidates(&stage.job(stream))[0] == ELSEWHERE.jobs[0]);
        }
    }
    assert_eq!(seen.len(), 1, "both tables at once: {seen:?}");
}

#[test]
fn it_asks_no_more_often_than_once_a_tick() {
    let other = sidecar(8, &ELSEWHERE);
    let mut stage = Stage::start(ENVOY, sidecar(7, &OPEN));
    alternate(&mut stage, &other, 60);
    // Whoever answers is always the other one, at once.
    let mut polls = 0;
    for _ in 0..10 {
        while let Some(poll) = stage.poll() {
            polls += 1;
            let (page, _) = other.page(poll.path());
            stage.answer(poll.id, page_answer(page));
        }
        stage.pass(TICK);
    }
    assert!((1..=11).contains(&polls), "{polls} polls in ten ticks");
    let stream = stage.send(get("s0"));
    assert_ne!(candidates(&stage.job(stream))[0], ELSEWHERE.jobs[0], "it does not change over for that");
}

#[test]
fn when_one_of_them_is_gone_the_other_is_followed() {
    let mut stage = Stage::start(ENVOY, sidecar(7, &OPEN));
    stage.follow();
    // It was replaced without any poll being lost.
    stage.sidecar = sidecar(8, &ELSEWHERE);
    for _ in 0..40 {
        match stage.poll() {
            Some(poll) => {
                let (page, _) = stage.sidecar.page(poll.path());
                stage.answer(poll.id, page_answer(page));
            }
            None => stage.pass(TICK),
        }
    }
    let stream = stage.send(get("s0"));
    assert_eq!(candidates(&stage.job(stream))[0], ELSEWHERE.jobs[0]);
}
