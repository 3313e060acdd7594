//! Ports at which some Envoys listen, and others can't.

use super::*;
use crate::xds::ports::board::EXPECTED;

#[tokio::test(start_paused = true)]
async fn an_envoy_that_refuses_takes_nothing_from_those_that_listen() {
    let secret = watch::Sender::new(None);
    let plane = EnvoyPlane { secrets: secret.subscribe(), ..plane(None) };
    let mut one = Proxy::connect(&plane, &[]);
    let wish = wish(AccessLevel::Public, 80, 1);
    assert_eq!(program(&plane, &wish, &mut [&mut one]).await, Ok(()));
    let before = one.listeners.clone();
    // One more comes, and can't.
    let mut other = Proxy::connect(&plane, &[]);
    for reason in ["no such file", "Address already in use"] {
        other.refuses = Some(reason);
        let refused = program(&plane, &wish, &mut [&mut one, &mut other]).await;
        assert!(is_in_part(&refused), "{refused:?}");
        assert_eq!((&one.listeners, other.listeners.len()), (&before, 0));
    }
    other.refuses = None;
    assert_eq!(program(&plane, &wish, &mut [&mut one, &mut other]).await, Ok(()));
    // A change that one of them does not take is in force at the other one.
    one.refuses = Some("no");
    secret.send_replace(Some(SecretText::from("another".to_owned())));
    for _ in 0..3 {
        let refused = program(&plane, &wish, &mut [&mut one, &mut other]).await;
        assert!(is_in_part(&refused), "{refused:?}");
        assert_eq!(one.listeners, before);
        assert_ne!(other.listeners, before, "a secret that is over is not shown again");
    }
    let after = other.listeners.clone();
    let mut late = Proxy::connect(&plane, &[]);
    late.take();
    assert_eq!(late.listeners, after);
    one.refuses = None;
    assert_eq!(program(&plane, &wish, &mut [&mut one, &mut other, &mut late]).await, Ok(()));
    assert_eq!(one.listeners, after);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_nobody_takes_is_not_told_to_who_comes_next() {
    let secret = watch::Sender::new(None);
    let plane = EnvoyPlane { secrets: secret.subscribe(), ..plane(None) };
    let mut one = Proxy::connect(&plane, &[]);
    assert_eq!(program(&plane, &wish(AccessLevel::Public, 80, 1), &mut [&mut one]).await, Ok(()));
    let before = one.listeners.clone();
    one.refuses = Some("no");
    secret.send_replace(Some(SecretText::from("another".to_owned())));
    for job in [81, 81, 82] {
        let refused = program(&plane, &wish(AccessLevel::Public, job, 1), &mut [&mut one]).await;
        assert!(is_in_part(&refused), "{refused:?}");
        let mut late = Proxy::connect(&plane, &[]);
        late.take();
        assert_eq!((&late.listeners, late.jobs()), (&before, vec![job.into()]));
    }
    assert_eq!(one.jobs(), [80, 81, 82]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_moves_is_followed_by_those_that_listen_whoever_refuses() {
    let plane = plane(None);
    let (mut one, mut broken) = (Proxy::connect(&plane, &[]), Proxy::connect(&plane, &[]));
    assert_eq!(program(&plane, &wish(AccessLevel::Public, 80, 1), &mut [&mut one, &mut broken]).await, Ok(()));
    // It starts again, and another program has the port.
    drop(broken);
    let mut broken = Proxy::connect(&plane, &[]);
    broken.refuses = Some("Address already in use");
    for job in [81, 81, 81, 82] {
        let refused = program(&plane, &wish(AccessLevel::Public, job, 1), &mut [&mut one, &mut broken]).await;
        assert!(is_in_part(&refused), "{refused:?}");
    }
    assert_eq!((one.jobs(), one.clusters, one.listeners.len()), (vec![80, 81, 82], 1, 1));
    assert!(broken.offers > 3 && broken.listeners.is_empty(), "it is tried again");
}

#[tokio::test(start_paused = true)]
async fn after_a_start_of_the_sidecar_too_an_envoy_that_refuses_takes_nothing_from_the_others() {
    let (plane, name) = (plane(None), name());
    let (mut one, mut broken) = (Proxy::connect(&plane, &[&name]), Proxy::connect(&plane, &[]));
    broken.refuses = Some("Address already in use");
    for job in [80, 80, 81] {
        let refused = program(&plane, &wish(AccessLevel::Public, job, 1), &mut [&mut broken, &mut one]).await;
        assert!(is_in_part(&refused), "{refused:?}");
    }
    assert_eq!((one.jobs().last(), one.listeners.len(), one.removals), (Some(&81), 1, 0));
}

fn name() -> Arc<str> {
    name::of(&Label::parse(ID.as_bytes()).expect("a label"), 20_000)
}

fn is_kept(programmed: &Result<(), PlaneError>) -> bool {
    matches!(programmed, Err(PlaneError::Unavailable(_)))
}

#[tokio::test(start_paused = true)]
async fn a_good_envoy_that_comes_back_later_than_a_broken_one_has_its_listener_still() {
    let (name, wish) = (name(), wish(AccessLevel::Public, 80, 1));
    let plane = plane(None);
    // The ledger says so, when the sidecar starts again.
    plane.inherit(std::slice::from_ref(&wish.lease));
    let mut broken = Proxy::connect(&plane, &[]);
    broken.refuses = Some("Address already in use");
    for _ in 0..3 {
        let refused = program(&plane, &wish, &mut [&mut broken]).await;
        assert!(is_kept(&refused), "{refused:?}");
    }
    assert!(broken.offers > 2, "it is tried again");
    let mut one = Proxy::connect(&plane, &[&name]);
    let refused = program(&plane, &wish, &mut [&mut broken, &mut one]).await;
    assert!(is_in_part(&refused), "{refused:?}");
    assert_eq!((one.listeners.len(), one.removals), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_good_envoy_that_loses_the_sidecar_for_a_moment_has_its_listener_still() {
    let name = name();
    for (reason, of_another) in [("Address already in use", false), ("no such file", true)] {
        let (plane, wish) = (plane(None), wish(AccessLevel::Public, 80, 1));
        let (mut one, mut broken) = (Proxy::connect(&plane, &[]), Proxy::connect(&plane, &[]));
        assert_eq!(program(&plane, &wish, &mut [&mut one, &mut broken]).await, Ok(()));
        drop(broken);
        let mut broken = Proxy::connect(&plane, &[]);
        broken.refuses = Some(reason);
        let refused = program(&plane, &wish, &mut [&mut one, &mut broken]).await;
        assert!(is_in_part(&refused), "{refused:?}");
        drop(one);
        let refused = program(&plane, &wish, &mut [&mut broken]).await;
        assert_eq!((is_kept(&refused), matches!(refused, Err(PlaneError::Refused(_)))), (!of_another, of_another));
        let mut one = Proxy::connect(&plane, &[&name]);
        let refused = program(&plane, &wish, &mut [&mut one, &mut broken]).await;
        assert!(is_in_part(&refused), "{refused:?}");
        assert_eq!((one.listeners.len(), one.removals), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_is_given_up_at_which_no_envoy_listened_for_long() {
    for is_inherited in [true, false] {
        let (plane, wish) = (plane(None), wish(AccessLevel::Public, 80, 1));
        let mut one = Proxy::connect(&plane, &[]);
        if is_inherited {
            plane.inherit(std::slice::from_ref(&wish.lease));
            // It counts from when it is asked for.
            tokio::time::advance(EXPECTED * 2).await;
        } else {
            assert_eq!(program(&plane, &wish, &mut [&mut one]).await, Ok(()));
        }
        drop(one);
        let mut broken = Proxy::connect(&plane, &[]);
        broken.refuses = Some("Address already in use");
        let refused = program(&plane, &wish, &mut [&mut broken]).await;
        assert!(is_kept(&refused), "{refused:?}");
        tokio::time::advance(EXPECTED).await;
        assert_eq!(program(&plane, &wish, &mut [&mut broken]).await, Err(PlaneError::PortTaken(20_000)));
        assert!(plane.board.ports().borrow().wanted.is_empty());
    }
}
