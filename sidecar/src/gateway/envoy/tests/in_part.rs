//! Ports at which some Envoys listen, and others can't.

use super::*;

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
    let name = name::of(&Label::parse(ID.as_bytes()).expect("a label"), 20_000);
    let plane = plane(None);
    let (mut one, mut broken) = (Proxy::connect(&plane, &[&name]), Proxy::connect(&plane, &[]));
    broken.refuses = Some("Address already in use");
    for job in [80, 80, 81] {
        let refused = program(&plane, &wish(AccessLevel::Public, job, 1), &mut [&mut broken, &mut one]).await;
        assert!(is_in_part(&refused), "{refused:?}");
    }
    assert_eq!((one.jobs().last(), one.listeners.len(), one.removals), (Some(&81), 1, 0));
}
