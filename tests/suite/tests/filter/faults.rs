//! A host that fails: every function the filter imports answers every status, at every call, in every
//! part of the filter's life.
//!
//! Whatever the host does, the filter does not trap, nobody gets in who should not, no secret reaches a
//! job, a request waits for ever only where the host refused the very call that would have ended it,
//! and afterwards everything works again.

use taskgate_test_host::{Calls, Corruption, Host, HostFunction, Request, Status, StreamId};

use super::stage::{
    CLOSED, ENVOY, NGINX, OPEN, RPC, Row, Sidecar, Stage, TICK, allow, deny, filter, filter_for, get, host, reloading,
    verdict_answer, with_token, worker,
};

const STATUSES: [Status; 8] = [
    Status::NotFound,
    Status::BadArgument,
    Status::SerializationFailure,
    Status::ParseFailure,
    Status::Empty,
    Status::CasMismatch,
    Status::InternalFailure,
    Status::Unimplemented,
];

/// What a request must come to at most.
#[derive(Clone, Copy, Debug)]
enum Right {
    /// It may reach a job of that service.
    Permitted(Row, Option<&'static str>),
    /// It may reach nothing.
    Refused,
}

struct Scene {
    setup: fn() -> Stage,
    /// Sends requests; must not mind what the filter does.
    act: fn(&mut Stage) -> Vec<(StreamId, Right)>,
}

/// The functions that the filter imports.
fn imported() -> Vec<HostFunction> {
    let names = filter().imports();
    HostFunction::ALL.iter().copied().filter(|function| names.contains(&format!("env.{}", function.name()))).collect()
}

/// How often each function is called while `act` runs undisturbed.
fn call_counts(scene: &Scene) -> Vec<(HostFunction, u64)> {
    let mut stage = (scene.setup)();
    stage.host.reset_calls();
    for (stream, right) in (scene.act)(&mut stage) {
        let reached = stage.vm.upstream(stream).is_some() || is_routed(&stage, stream);
        assert_eq!(reached, matches!(right, Right::Permitted(..)), "without faults: {:?}", stage.vm.outcome(stream));
    }
    imported()
        .into_iter()
        .map(|function| (function, stage.host.calls(function)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Whether the stage is NGINX: its polls go to an address, and so does its mirror's name.
fn is_nginx(stage: &Stage) -> bool {
    stage.vm.callouts().iter().any(|callout| callout.cluster.contains(':'))
        || stage.host.shared_data("taskgate/127.0.0.1:1/control").is_some()
}

/// Whether NGINX has somewhere to send the request.
fn is_routed(stage: &Stage, stream: StreamId) -> bool {
    stage.vm.property(stream, &["ngx", "tg_upstream"]).is_some_and(|address| !address.is_empty())
}

/// Every fault of one kind, at every call.
fn disturb(scene: &Scene, faults: impl Fn(HostFunction) -> Vec<Fault>) {
    let counts = call_counts(scene);
    assert!(!counts.is_empty());
    for (function, count) in counts {
        for fault in faults(function) {
            for calls in (1..=count).map(Calls::Nth).chain([Calls::Every]) {
                let mut stage = (scene.setup)();
                fault.set(&stage.host, function, calls);
                let streams = (scene.act)(&mut stage);
                stage.host.clear_faults();
                let what = format!("{} {calls:?} {fault:?}", function.name());
                for (stream, right) in streams {
                    assert_harmless(&stage, stream, right, function, &what);
                }
                assert_recovers(&mut stage, &what);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Fault {
    Corrupt(Corruption),
    Fail(Status),
}

impl Fault {
    fn set(&self, host: &Host, function: HostFunction, calls: Calls) {
        match self {
            Self::Corrupt(corruption) => host.corrupt(function, calls, corruption.clone()),
            Self::Fail(status) => host.fail(function, calls, *status),
        }
    }
}

fn statuses(_: HostFunction) -> Vec<Fault> {
    STATUSES.map(Fault::Fail).to_vec()
}

/// Bytes cut short and bytes that lie, from the functions that hand over bytes.
fn spoiled_bytes(function: HostFunction) -> Vec<Fault> {
    let gives = [
        HostFunction::GetBufferBytes,
        HostFunction::GetHeaderMapPairs,
        HostFunction::GetProperty,
        HostFunction::GetSharedData,
    ];
    if !gives.contains(&function) {
        return Vec::new();
    }
    let lies: [&[u8]; 7] = [
        b"garbage",
        &[0xff; 64],
        &[0; 64],
        &[1, 0, 0, 0],
        &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f],
        &[0, 0, 1, 0],
        &[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, b'a', b'b', b'c', b'd'],
    ];
    let cuts = (0..40).chain([60, 100, 200, 300]).map(Corruption::Truncate);
    cuts.chain(lies.iter().map(|lie| Corruption::Replace(lie.to_vec()))).map(Fault::Corrupt).collect()
}

#[track_caller]
fn assert_harmless(stage: &Stage, stream: StreamId, right: Right, function: HostFunction, what: &str) {
    let outcome = stage.vm.outcome(stream);
    assert_eq!(stage.vm.trap(), None, "{what}");
    assert_eq!(stage.host.crash(), None, "{what}");
    assert!(!outcome.is_trapped(), "{what}");
    if outcome.is_paused() {
        let ends_requests =
            [HostFunction::ContinueStream, HostFunction::SendLocalResponse, HostFunction::SetEffectiveContext];
        assert!(ends_requests.contains(&function), "{what}: waits for ever");
    }
    if is_nginx(stage) {
        let is_permitted = matches!(right, Right::Permitted(..));
        assert!(is_permitted || !is_routed(stage, stream), "{what}: got in");
        return;
    }
    let Some(job) = stage.vm.upstream(stream) else { return };
    let Right::Permitted(row, actor) = right else { panic!("{what}: got in: {job:?}") };
    assert!(!format!("{job:?}").contains("s3cret"), "{what}: a secret reached the job: {job:?}");
    let actors: Vec<&[u8]> = job.values("x-forwarded-user").collect();
    assert_eq!(actors, actor.map(str::as_bytes).into_iter().collect::<Vec<_>>(), "{what}");
    for slot in super::stage::candidates(&job) {
        assert!(row.jobs.contains(&slot.as_str()), "{what}: {slot}");
    }
}

#[track_caller]
fn assert_recovers(stage: &mut Stage, what: &str) {
    stage.pass(TICK * 12);
    if stage.poll().is_none() {
        stage.pass(TICK * 12);
    }
    stage.follow();
    let open = stage.send(get("open"));
    let reached = stage.vm.upstream(open).is_some() || is_routed(stage, open);
    assert!(reached, "{what}: afterwards {:?}", stage.vm.outcome(open));
    let closed = stage.send(get("closed"));
    assert_eq!(stage.denial(closed), (401, "credential-missing".into()), "{what}: afterwards");
}

// === scenes ===

fn rude(request: Request) -> Request {
    request
        .header("cookie", "a=1; YTCypressCookie=s3cret")
        .header("x-forwarded-user", "root")
        .header("x-taskgate-up1", "6.6.6.6:1")
        .header("x-taskgate-up2", "6.6.6.6:1")
}

fn public(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    vec![
        (stage.send(rude(get("open"))), Right::Permitted(OPEN, None)),
        (stage.send(rude(get("rpc"))), Right::Permitted(RPC, None)),
    ]
}

fn with_session(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    let session = stage.session("closed", 600);
    let request = rude(with_token("closed", &session));
    vec![(stage.send(request), Right::Permitted(CLOSED, Some("sam")))]
}

fn decided() -> Stage {
    let mut stage = Stage::ready();
    let stream = stage.send(with_token("closed", "s3cret"));
    stage.decide(&allow("alice"));
    stage.job(stream);
    stage
}

fn cached(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    vec![(stage.send(rude(with_token("closed", "s3cret"))), Right::Permitted(CLOSED, Some("alice")))]
}

fn refused(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    let requests = [get("closed"), get("unknown"), rude(get("elsewhere")), with_token("closed", "tg1.s.k1.s3cret")];
    requests.into_iter().map(|request| (stage.send(request), Right::Refused)).collect()
}

fn ask(stage: &mut Stage, verdict: &taskgate_core::verdict::WireVerdict, right: Right) -> Vec<(StreamId, Right)> {
    let streams: Vec<_> = (0..3).map(|_| (stage.send(with_token("closed", "s3cret")), right)).collect();
    for question in stage.questions() {
        // A question that its host has dropped is no concern here.
        let _: taskgate_test_host::Delivery = stage.vm.answer(question.id, verdict_answer(verdict));
    }
    streams
}

fn allowed(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    ask(stage, &allow("alice"), Right::Permitted(CLOSED, Some("alice")))
}

fn denied(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    ask(stage, &deny(), Right::Refused)
}

/// Polls, takes over a page, mirrors.
fn ticks(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    stage.sidecar.put("new", super::stage::packed("new", &OPEN));
    for _ in 0..3 {
        stage.pass(TICK);
        if let Some(poll) = stage.poll() {
            let (page, _) = stage.sidecar.page(poll.path());
            stage.answer(poll.id, super::stage::page_answer(page));
        }
    }
    vec![(stage.send(get("closed")), Right::Refused)]
}

const SCENES: [(&str, Scene); 7] = [
    ("public", Scene { setup: Stage::ready, act: public }),
    ("session", Scene { setup: Stage::ready, act: with_session }),
    ("cached", Scene { setup: decided, act: cached }),
    ("refused", Scene { setup: Stage::ready, act: refused }),
    ("allowed", Scene { setup: Stage::ready, act: allowed }),
    ("denied", Scene { setup: Stage::ready, act: denied }),
    ("ticks", Scene { setup: Stage::empty, act: ticks }),
];

fn scene(name: &str) -> &'static Scene {
    SCENES.iter().find(|(found, _)| *found == name).map(|(_, scene)| scene).expect("a scene")
}

#[test]
fn statuses_while_a_public_service_is_called() {
    disturb(scene("public"), statuses);
}

#[test]
fn statuses_while_a_session_is_shown() {
    disturb(scene("session"), statuses);
}

#[test]
fn statuses_while_a_verdict_is_cached() {
    disturb(scene("cached"), statuses);
}

#[test]
fn statuses_while_requests_are_refused() {
    disturb(scene("refused"), statuses);
}

#[test]
fn statuses_while_a_verdict_allows() {
    disturb(scene("allowed"), statuses);
}

#[test]
fn statuses_while_a_verdict_denies() {
    disturb(scene("denied"), statuses);
}

#[test]
fn statuses_while_the_table_is_followed() {
    disturb(scene("ticks"), statuses);
}

#[test]
fn spoiled_bytes_everywhere() {
    for (_, scene) in &SCENES {
        disturb(scene, spoiled_bytes);
    }
}

#[test]
fn statuses_on_nginx() {
    let setup = Stage::nginx;
    for act in [public, with_session, refused, allowed_alone, denied_alone] {
        disturb(&Scene { setup, act }, statuses);
    }
}

#[test]
fn spoiled_bytes_on_nginx() {
    let setup = Stage::nginx;
    for act in [public, with_session, refused, allowed_alone, denied_alone] {
        disturb(&Scene { setup, act }, spoiled_bytes);
    }
}

fn ask_alone(stage: &mut Stage, verdict: &taskgate_core::verdict::WireVerdict, right: Right) -> Vec<(StreamId, Right)> {
    let stream = stage.send(with_token("closed", "s3cret"));
    for question in stage.questions() {
        let _: taskgate_test_host::Delivery = stage.vm.answer(question.id, verdict_answer(verdict));
    }
    vec![(stream, right)]
}

fn allowed_alone(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    ask_alone(stage, &allow("alice"), Right::Permitted(CLOSED, Some("alice")))
}

fn denied_alone(stage: &mut Stage) -> Vec<(StreamId, Right)> {
    ask_alone(stage, &deny(), Right::Refused)
}

// === starting ===

/// Starts a worker on a host whose functions fail, and shows that it refuses until it works.
fn start_disturbed(configuration: &str, mirrored: bool) {
    let fresh = || {
        let host = host(configuration);
        if mirrored {
            let (vm, root) = worker(&host, configuration);
            let mut stage = Stage { host: host.clone(), vm, root, sidecar: Sidecar::standard(7) };
            stage.follow();
            stage.mirror();
        }
        host
    };
    let undisturbed = fresh();
    undisturbed.reset_calls();
    worker(&undisturbed, configuration);
    let mut cases: Vec<(HostFunction, Calls, Status)> = Vec::new();
    for function in imported() {
        let count = undisturbed.calls(function);
        let calls = (1..=count).map(Calls::Nth).chain((count > 0).then_some(Calls::Every));
        cases.extend(calls.flat_map(|calls| STATUSES.map(|status| (function, calls, status))));
    }
    for (function, calls, status) in cases {
        let what = format!("{} {calls:?} {status:?}", function.name());
        let host = fresh();
        host.fail(function, calls, status);
        let mut vm = host.vm_with(&filter(), reloading()).expect("links");
        let started = vm.add_plugin(configuration);
        host.clear_faults();
        assert_eq!(host.crash(), None, "{what}");
        let root = match started {
            Ok(root) => root,
            Err(taskgate_test_host::HostError::Declined { .. }) => continue,
            Err(error) => panic!("{what}: {error}"),
        };
        let ticks = vm.tick_period(root).is_some();
        let mut stage = Stage { host, vm, root, sidecar: Sidecar::standard(7) };
        let closed = stage.send(get("closed"));
        assert_eq!(stage.vm.upstream(closed), None, "{what}");
        let unknown = stage.send(get("unknown"));
        let (status, _) = stage.denial(unknown);
        let is_whole = mirrored && !matches!(function, HostFunction::GetSharedData | HostFunction::GetCurrentTime);
        assert_eq!(status, if is_whole { 404 } else { 503 }, "{what}");
        if ticks {
            assert_recovers(&mut stage, &what);
        }
    }
}

#[test]
fn statuses_while_the_filter_starts() {
    start_disturbed(ENVOY, false);
}

#[test]
fn statuses_while_the_filter_starts_with_a_mirror() {
    start_disturbed(ENVOY, true);
}

#[test]
fn statuses_while_the_filter_starts_on_nginx() {
    let configuration = NGINX;
    let count = {
        let host = host(configuration);
        worker(&host, configuration);
        imported().into_iter().map(|function| (function, host.calls(function))).collect::<Vec<_>>()
    };
    for (function, count) in count {
        for calls in (1..=count).map(Calls::Nth) {
            for status in STATUSES {
                let host = host(configuration);
                host.fail(function, calls, status);
                let mut vm = host.vm_with(&filter_for(configuration), reloading()).expect("links");
                let started = vm.add_plugin(configuration);
                assert_eq!(host.crash(), None, "{} {calls:?} {status:?}", function.name());
                assert!(started.is_ok(), "{} {status:?}", function.name());
            }
        }
    }
}
