//! The table in shared data: a worker that starts anew serves at once, and believes nothing broken.

use std::time::Duration;

use taskgate_core::feed::Control;
use taskgate_core::mirror::{MirrorControl, MirrorPart};
use taskgate_core::table::{PARTS, part_of};
use taskgate_core::time::UnixTime;
use taskgate_test_host::Answer;

use super::stage::{
    ENVOY, MIRROR, OPEN, Row, Sidecar, Stage, TICK, allow, candidates, fault_filter, get, host, key, packed, parameter,
    reloading, with_token, worker,
};

const MOVED: Row = Row { jobs: &["10.9.9.9:9"], ..OPEN };

fn mirrored() -> Stage {
    let mut stage = Stage::ready();
    stage.mirror();
    stage
}

fn part_key(part: u32) -> String {
    format!("{MIRROR}{part}")
}

fn control_key() -> String {
    format!("{MIRROR}control")
}

fn kept_control(stage: &Stage) -> Control {
    let (bytes, _) = stage.host.shared_data(control_key()).expect("a control");
    MirrorControl::decode(&control_key(), &bytes).expect("readable").control
}

/// Services enough that every part of the table has some; their ids.
fn fill(sidecar: &mut Sidecar, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count).map(|nth| format!("s{nth}")).collect();
    for id in &ids {
        sidecar.put(id, packed(id, &OPEN));
    }
    ids
}

#[test]
fn after_a_trap_the_first_request_is_served_without_asking_anyone() {
    let host = host(ENVOY);
    let mut vm = host.vm_with(&fault_filter(), reloading()).expect("links");
    let root = vm.add_plugin(ENVOY).expect("starts");
    let mut stage = Stage { host, vm, root, sidecar: Sidecar::standard(7) };
    stage.follow();
    stage.mirror();
    let asked = stage.send(with_token("closed", "t"));
    stage.decide(&allow("alice"));
    stage.job(asked);
    let session = stage.session("closed", 600);

    let killed = stage.send(get("open").header("x-fault", "trap"));
    assert!(stage.vm.outcome(killed).is_trapped());
    assert_eq!(stage.vm.upstream(killed), None);
    stage.host.reset_calls();
    let public = stage.send(get("open"));
    assert_eq!(stage.vm.reloads(), 1);
    stage.job(public);
    let with_session = stage.send(with_token("closed", &session));
    assert_eq!(stage.job(with_session).text("x-forwarded-user"), Some("sam"));
    assert!(stage.vm.callouts().is_empty(), "nobody was asked");
    let unknown = stage.send(get("unknown"));
    stage.assert_denied(unknown, 404, "unknown-service");
    // The cached verdict went with the VM.
    let again = stage.send(with_token("closed", "t"));
    assert!(stage.vm.outcome(again).is_paused());
    stage.decide(&allow("alice"));
    stage.job(again);
}

#[test]
fn a_worker_that_starts_goes_on_from_where_the_mirror_is() {
    let mut stage = mirrored();
    stage.sidecar.put("new", packed("new", &OPEN));
    stage.sidecar.remove("rpc");
    stage.reload();
    stage.pass(TICK);
    let poll = stage.poll().expect("a poll");
    assert_eq!((parameter(poll.path(), "epoch"), parameter(poll.path(), "since")), (7, 4), "{}", poll.path());
    assert_eq!(parameter(poll.path(), "control"), 1, "the keys are there: {}", poll.path());
    stage.follow();
    let new = stage.send(get("new"));
    stage.job(new);
    let gone = stage.send(get("rpc"));
    stage.assert_denied(gone, 404, "unknown-service");
}

#[test]
fn changes_reach_the_mirror() {
    let mut stage = mirrored();
    stage.sidecar.put("open", MOVED.packed());
    stage.sidecar.remove("rpc");
    stage.sidecar.rotate(vec![key("k2", 3)]);
    stage.confirm();
    stage.mirror();
    stage.reload();
    let moved = stage.send(get("open"));
    assert_eq!(candidates(&stage.job(moved)), [MOVED.jobs[0]; 3]);
    let gone = stage.send(get("rpc"));
    stage.assert_denied(gone, 404, "unknown-service");
    let session = stage.session("closed", 60);
    let stream = stage.send(with_token("closed", &session));
    stage.job(stream);
}

#[test]
fn a_table_that_is_mirrored_in_part_says_loading_and_not_unknown() {
    use taskgate_test_host::{Calls, HostFunction, Status};
    let mut stage = Stage::start(ENVOY, Sidecar::standard(7));
    stage.host.fail(HostFunction::SetSharedData, Calls::Nth(10), Status::InternalFailure);
    stage.follow();
    stage.host.clear_faults();
    stage.reload();
    for id in ["unknown", "open", "closed", "rpc"] {
        let stream = stage.send(get(id));
        if let Some(reply) = stage.vm.outcome(stream).reply() {
            assert_ne!(reply.status, 404, "{id}: {reply:?}");
        }
    }
    let unknown = stage.send(get("unknown"));
    stage.assert_denied(unknown, 503, "table-loading");
}

#[test]
fn a_table_that_is_mirrored_in_part_becomes_whole_again() {
    for ticks in [0, 1, 3, 8, 15] {
        let mut sidecar = Sidecar::standard(7);
        let ids = fill(&mut sidecar, 300);
        let mut stage = Stage::following(ENVOY, sidecar);
        stage.pass(TICK * ticks);
        stage.reload();
        stage.follow();
        let missing: Vec<&String> = ids
            .iter()
            .filter(|id| {
                let stream = stage.send(get(id));
                stage.vm.upstream(stream).is_none()
            })
            .collect();
        assert!(
            missing.is_empty(),
            "after {ticks} ticks {} of {} services are lost: {missing:?}",
            missing.len(),
            ids.len()
        );
    }
}

#[test]
fn a_new_life_that_is_mirrored_half_way_revives_no_dead_service() {
    let mut sidecar = Sidecar::standard(7);
    let ids = fill(&mut sidecar, 600);
    let mut stage = Stage::following(ENVOY, sidecar);
    stage.mirror();
    // The sidecar starts again; one service has gone meanwhile. Its first page arrives, the next is late.
    let mut reborn = Sidecar::standard(8);
    fill(&mut reborn, 599);
    reborn.page_rows = 500;
    let first: Vec<u32> = ids[..490].iter().map(|id| part_of(id)).collect();
    assert!((0..PARTS).all(|part| first.contains(&part)), "every part is touched");
    stage.sidecar = reborn;
    stage.confirm();
    stage.mirror();
    stage.reload();
    stage.follow();
    let here = stage.send(get("s598"));
    stage.job(here);
    let gone = stage.send(get("s599"));
    stage.assert_denied(gone, 404, "unknown-service");
}

#[test]
fn a_table_that_does_not_change_stays_fresh_in_the_mirror() {
    let mut sidecar = Sidecar::standard(7);
    sidecar.control.gate.table_max_age_secs = 60;
    let mut stage = Stage::following(ENVOY, sidecar);
    stage.mirror();
    for _ in 0..4 {
        stage.pass(Duration::from_secs(30));
        stage.confirm();
        stage.mirror();
    }
    let stream = stage.send(get("open"));
    stage.job(stream);
    stage.reload();
    let stream = stage.send(get("open"));
    assert_eq!(
        stage.vm.outcome(stream).reply().map(|reply| reply.headers.text("x-taskgate-denial").map(str::to_owned)),
        None,
        "the sidecar confirmed the table seconds ago"
    );
}

#[test]
fn a_mirror_that_is_too_old_is_not_served() {
    let mut sidecar = Sidecar::standard(7);
    sidecar.control.gate.table_max_age_secs = 60;
    let mut stage = Stage::following(ENVOY, sidecar);
    stage.mirror();
    let poll = stage.poll().expect("a poll");
    stage.answer(poll.id, Answer::refused());
    stage.host.advance(Duration::from_secs(120));
    stage.reload();
    let stream = stage.send(get("open"));
    stage.assert_denied(stream, 503, "table-expired");
}

#[test]
fn a_clock_that_was_set_back_keeps_no_mirror_alive() {
    let mut sidecar = Sidecar::standard(7);
    sidecar.control.gate.table_max_age_secs = 60;
    let mut stage = Stage::following(ENVOY, sidecar);
    stage.mirror();
    stage.host.set_now_ns(stage.host.now_ns() - 5 * 3_600 * 1_000_000_000);
    stage.reload();
    let stream = stage.send(get("open"));
    stage.job(stream);
    // The sidecar is away: a minute is a minute.
    for _ in 0..90 {
        stage.pass(Duration::from_secs(1));
        if let Some(poll) = stage.poll() {
            stage.answer(poll.id, Answer::refused());
        }
    }
    let stream = stage.send(get("open"));
    stage.assert_denied(stream, 503, "table-expired");
}

#[test]
fn a_clock_that_was_set_ahead_does_not_expire_the_mirror() {
    let mut stage = mirrored();
    stage.host.set_now_ns(stage.host.now_ns() + 5 * 3_600 * 1_000_000_000);
    stage.pass(TICK);
    // Every part is written anew, confirmed just now.
    let ids = fill(&mut stage.sidecar, 400);
    stage.confirm();
    stage.mirror();
    let before = stage.send(get(&ids[0]));
    stage.job(before);
    stage.reload();
    let after = stage.send(get(&ids[0]));
    stage.job(after);
}

// === values that are none ===

/// The stage with one of the mirror's values spoiled, and another worker in place of the first.
fn spoiled(key: &str, value: &[u8]) -> Stage {
    let mut stage = mirrored();
    stage.host.set_shared_data(key, value);
    stage.reload();
    stage
}

#[test]
fn a_part_that_is_broken_is_no_part() {
    let key = part_key(part_of("open"));
    let (good, _) = mirrored().host.shared_data(&key).expect("a part");
    let elsewhere = mirrored().host.shared_data(part_key((part_of("open") + 1) % PARTS)).expect("a part").0;
    let mut values = vec![Vec::new(), b"garbage".to_vec(), vec![0xff; 200], elsewhere, [&good[..], b"\0"].concat()];
    values.extend((0..good.len()).map(|end| good[..end].to_vec()));
    for value in values {
        let mut stage = spoiled(&key, &value);
        let stream = stage.send(get("open"));
        stage.assert_denied(stream, 503, "table-loading");
        stage.assert_alive();
    }
}

#[test]
fn a_byte_that_changed_never_opens_what_is_closed() {
    let key = part_key(part_of("closed"));
    let (good, _) = mirrored().host.shared_data(&key).expect("a part");
    // The ends and the key: whoever wrote another version or another key made another value.
    for at in 0..20 {
        let mut value = good.clone();
        value[at] ^= 0x15;
        let mut stage = spoiled(&key, &value);
        let stream = stage.send(get("closed"));
        assert_eq!(stage.vm.upstream(stream), None, "byte {at}");
        stage.assert_alive();
    }
}

#[test]
fn a_torn_part_is_no_part() {
    let key = part_key(part_of("open"));
    let mut stage = mirrored();
    let (old, _) = stage.host.shared_data(&key).expect("a part");
    stage.sidecar.put("open", packed("open", &OPEN));
    stage.confirm();
    stage.mirror();
    let (new, _) = stage.host.shared_data(&key).expect("a part");
    assert_eq!(old.len(), new.len());
    assert_ne!(old, new);
    for at in (0..old.len()).step_by(7) {
        let torn = [&new[..at], &old[at..]].concat();
        if torn == old || torn == new {
            continue;
        }
        let mut stage = spoiled(&key, &torn);
        let stream = stage.send(get("open"));
        stage.assert_denied(stream, 503, "table-loading");
    }
}

#[test]
fn without_readable_keys_there_is_no_table() {
    let (good, _) = mirrored().host.shared_data(control_key()).expect("a control");
    for value in [&b""[..], b"garbage", &good[..good.len() - 1], &good[1..], &[0xff; 100]] {
        let mut stage = spoiled(&control_key(), value);
        let stream = stage.send(get("open"));
        stage.assert_denied(stream, 503, "table-loading");
        stage.follow();
        let stream = stage.send(get("open"));
        stage.job(stream);
    }
}

#[test]
fn keys_that_break_the_rules_are_not_taken_over() {
    let stage = mirrored();
    let mut control = kept_control(&stage);
    control.gate.base_domains = vec!["no domain".into()];
    let bytes = MirrorControl::new(&control_key(), 7, UnixTime::default(), control).encode().expect("encodes");
    let mut stage = spoiled(&control_key(), &bytes);
    let stream = stage.send(get("open"));
    stage.assert_denied(stream, 503, "table-loading");
    stage.follow();
    let stream = stage.send(get("open"));
    stage.job(stream);
}

#[test]
fn another_sidecars_mirror_is_not_read() {
    let mut stage = mirrored();
    stage.host.add_cluster("elsewhere");
    let other = "cluster = elsewhere";
    let (vm, root) = worker(&stage.host, other);
    stage.vm = vm;
    stage.root = root;
    let stream = stage.send(get("open"));
    stage.assert_denied(stream, 503, "table-loading");
}

#[test]
fn a_value_that_is_broken_is_mended() {
    let key = part_key(part_of("open"));
    let mut stage = mirrored();
    stage.host.set_shared_data(&key, b"garbage");
    stage.sidecar.put("open", MOVED.packed());
    stage.confirm();
    stage.mirror();
    stage.reload();
    let moved = stage.send(get("open"));
    assert_eq!(candidates(&stage.job(moved)), [MOVED.jobs[0]; 3]);
}

// === two workers ===

/// Two workers of one proxy with one sidecar.
fn two() -> (Stage, Stage) {
    let mut first = Stage::ready();
    let (vm, root) = worker(&first.host, ENVOY);
    let mut second = Stage { host: first.host.clone(), vm, root, sidecar: first.sidecar.clone() };
    second.follow();
    first.mirror();
    second.mirror();
    (first, second)
}

#[test]
fn the_worker_that_is_behind_does_not_overwrite_the_mirror() {
    let (mut first, mut second) = two();
    first.sidecar.put("open", MOVED.packed());
    first.confirm();
    first.mirror();
    // The second has a change of its own in the same part, but not the first's: it is behind.
    let key = part_key(part_of("open"));
    let (kept, _) = first.host.shared_data(&key).expect("a part");
    second.mirror();
    assert_eq!(first.host.shared_data(&key).expect("a part").0, kept);
    second.reload();
    let stream = second.send(get("open"));
    assert_eq!(candidates(&second.job(stream)), [MOVED.jobs[0]; 3]);
}

#[test]
fn the_worker_that_is_behind_and_has_changes_does_not_overwrite_the_mirror() {
    let (mut first, mut second) = two();
    first.sidecar.put("open", packed("open", &OPEN));
    second.sidecar = first.sidecar.clone();
    first.sidecar.put("open", MOVED.packed());
    first.confirm();
    first.mirror();
    second.confirm();
    second.mirror();
    first.reload();
    let stream = first.send(get("open"));
    assert_eq!(candidates(&first.job(stream)), [MOVED.jobs[0]; 3]);
}

#[test]
fn the_worker_that_is_behind_does_not_bring_back_keys_that_are_gone() {
    let (mut first, mut second) = two();
    first.sidecar.rotate(vec![key("k2", 3)]);
    first.confirm();
    first.mirror();
    assert_eq!(kept_control(&first).number, 2);
    second.mirror();
    assert_eq!(kept_control(&first).number, 2, "the worker that is behind put the old keys back");
}

#[test]
fn the_worker_in_a_new_life_of_the_sidecar_wins() {
    let (mut first, mut second) = two();
    let mut reborn = Sidecar::new(8);
    reborn.put("open", MOVED.packed());
    first.pass(TICK);
    first.sidecar = reborn;
    first.lose_poll();
    first.confirm();
    first.mirror();
    second.mirror();
    second.reload();
    let stream = second.send(get("open"));
    assert_eq!(candidates(&second.job(stream)), [MOVED.jobs[0]; 3]);
    let gone = second.send(get("closed"));
    second.assert_denied(gone, 404, "unknown-service");
}

#[test]
fn a_lost_race_is_run_again() {
    use taskgate_test_host::{Calls, HostFunction, Status};
    let mut stage = Stage::start(ENVOY, Sidecar::standard(7));
    stage.host.fail(HostFunction::SetSharedData, Calls::Every, Status::CasMismatch);
    stage.follow();
    stage.mirror();
    assert_eq!(stage.host.shared_data(part_key(0)), None);
    stage.host.clear_faults();
    stage.mirror();
    stage.reload();
    let stream = stage.send(get("open"));
    stage.job(stream);
}

#[test]
fn a_large_table_is_mirrored_a_bit_at_a_time() {
    use taskgate_test_host::HostFunction;
    let mut sidecar = Sidecar::standard(7);
    fill(&mut sidecar, 8_000);
    let mut stage = Stage::following(ENVOY, sidecar);
    assert_eq!(stage.host.shared_data(part_key(PARTS - 1)), None, "the page that completed the table keeps some of it");
    stage.host.reset_calls();
    stage.pass(TICK);
    let parts = stage.host.calls(HostFunction::SetSharedData);
    assert!((2..u64::from(PARTS) / 2).contains(&parts), "{parts}");
    stage.mirror();
    assert!((0..PARTS).all(|part| stage.host.shared_data(part_key(part)).is_some()));
}

#[test]
fn mirroring_takes_little_of_a_tick() {
    use taskgate_test_host::HostFunction;
    let mut stage = Stage::ready();
    for _ in 0..40 {
        stage.host.reset_calls();
        stage.pass(TICK);
        assert!(stage.host.calls(HostFunction::SetSharedData) <= 8);
        assert!(stage.host.calls(HostFunction::GetSharedData) <= 8);
    }
    assert_eq!(stage.host.calls(HostFunction::SetSharedData), 0, "nothing is written where nothing changed");
}

#[test]
fn what_is_mirrored_is_what_the_core_reads() {
    let stage = mirrored();
    let mut ids = Vec::new();
    for part in 0..PARTS {
        let key = part_key(part);
        let (bytes, _) = stage.host.shared_data(&key).expect("every part is kept");
        let part = MirrorPart::decode(&key, &bytes).expect("readable");
        assert_eq!((part.cursor.epoch, part.cursor.number), (7, 4));
        ids.extend(part.rows.iter().map(|row| row.to_vec()));
    }
    assert_eq!(ids.len(), 4);
}
