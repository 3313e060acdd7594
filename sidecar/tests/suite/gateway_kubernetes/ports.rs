//! A port, from the reservation to the end of its rest.

use std::sync::Arc;
use std::time::Duration;

use taskgate::clock::Clock as _;
use taskgate::config::internal_task_gateway::kubernetes::KubernetesGatewayMode;
use taskgate::gateway::ledger::{LeaseError, Ledger as _, ReserveError};
use taskgate::gateway::plane::{Plane as _, PlaneError, Wish};
use taskgate::gateway::port::Slot;
use taskgate_core::service::AccessLevel;

use super::stage::{EDGE, MODES, REST, Stage, held, label, range, reserve, service, service_for, wish};

#[tokio::test]
async fn a_port_leads_to_the_jobs_and_follows_them() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let mut wish = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432", "10.0.0.2:5432"])).await;
        let port = wish.lease.port;
        assert_eq!(gateway.list().await, Ok(vec![Slot::Held(wish.lease.clone())]));
        assert!(["-", ""].contains(&stage.behind(port).as_str()), "reserved, and not there yet");
        gateway.program(&wish).await.expect("listens");
        assert_eq!(stage.behind(port), "10.0.0.1:5432 10.0.0.2:5432", "{mode:?}");
        assert_eq!(gateway.observe().await, Ok(vec![(port, label("db"))]));

        let _ = stage.cluster.calls();
        gateway.program(&wish).await.expect("listens still");
        assert_eq!(stage.cluster.writes(), Vec::<String>::new(), "nothing changed");

        for (jobs, expected) in [
            (&["10.0.0.2:5432", "10.0.0.3:6000", "[fd00::1]:5432"][..], "10.0.0.2:5432 10.0.0.3:6000 [fd00::1]:5432"),
            (&["10.0.0.9:1"][..], "10.0.0.9:1"),
            (&[][..], ""),
        ] {
            wish.service = service("db", jobs);
            gateway.program(&wish).await.expect("listens");
            assert_eq!(stage.behind(port), expected, "{mode:?}");
        }
        assert_eq!(stage.cluster.names("endpointslices"), Vec::<String>::new(), "none is left over");
    }
}

#[tokio::test]
async fn a_port_that_is_given_back_leads_nowhere_and_rests() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let one = range(1);
        let first = wish(&gateway, one, &service("db", &["10.0.0.1:5432"])).await;
        gateway.program(&first).await.expect("listens");
        gateway.withdraw(&first.lease).await.expect("withdrawn");
        gateway.release(&first.lease, REST).await.expect("released");
        assert_eq!(gateway.release(&first.lease, REST).await, Err(LeaseError::Lost), "it is nobody's");
        assert!(["-", ""].contains(&stage.behind(20_000).as_str()), "{mode:?}: {}", stage.behind(20_000));
        assert_eq!(held(&gateway).await, Vec::<u16>::new());

        // A sidecar that starts now knows of the rest, too.
        let (gateway, other) = (stage.life(), service("other", &["10.0.0.7:1"]));
        stage.clock.advance(REST - Duration::from_secs(1));
        assert_eq!(reserve(&gateway, one, &other).await, Err(ReserveError::RangeExhausted(one)));
        stage.clock.advance(Duration::from_secs(1));
        let second = wish(&gateway, one, &other).await;
        assert_ne!(second.lease.generation, first.lease.generation);
        gateway.program(&second).await.expect("listens");
        assert_eq!(stage.behind(20_000), "10.0.0.7:1", "{mode:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_ahead_ends_no_rest_before_its_time() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let (gateway, one) = (stage.life(), range(1));
        let first = wish(&gateway, one, &service("db", &["10.0.0.1:5432"])).await;
        gateway.release(&first.lease, REST).await.expect("released");
        stage.clock.set(stage.clock.now().after(REST));
        let other = service("other", &["10.0.0.7:1"]);
        gateway.observe().await.expect("looks");
        assert_eq!(reserve(&gateway, one, &other).await, Err(ReserveError::RangeExhausted(one)), "{mode:?}");
        stage.clock.advance(REST);
        reserve(&gateway, one, &other).await.expect("a port");
    }
}

#[tokio::test]
async fn who_comes_back_with_a_lease_that_is_over_changes_nothing() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let one = range(1);
        let old = wish(&gateway, one, &service("db", &["10.0.0.1:5432"])).await;
        gateway.program(&old).await.expect("listens");
        gateway.release(&old.lease, REST).await.expect("released");
        stage.clock.advance(REST);
        let new = wish(&gateway, one, &service("other", &["10.0.0.7:1"])).await;
        gateway.program(&new).await.expect("listens");

        let _ = stage.cluster.calls();
        assert_eq!(gateway.program(&old).await, Err(PlaneError::PortTaken(20_000)));
        assert_eq!(gateway.withdraw(&old.lease).await, Ok(()));
        assert_eq!(gateway.release(&old.lease, REST).await, Err(LeaseError::Lost));
        assert_eq!(gateway.renew(&[old.lease.clone(), new.lease.clone()]).await, Ok(vec![old.lease]));
        let writes = stage.cluster.writes();
        assert!(writes.iter().all(|call| call.contains(" leases ")), "it only says that it lives: {writes:?}");
        assert_eq!(stage.behind(20_000), "10.0.0.7:1", "{mode:?}");
    }
}

#[tokio::test]
async fn a_service_keeps_its_port_whatever_it_is_called() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let db = service("db", &["10.0.0.1:5432"]);
        let first = wish(&gateway, range(10), &db).await;
        assert_eq!(reserve(&gateway, range(10), &db).await, Ok(first.lease.clone()));
        assert_eq!(reserve(&stage.life(), range(10), &db).await, Ok(first.lease.clone()), "another sidecar");
        let holder = first.lease.holder.clone();
        let renamed = gateway.reserve(range(10), &holder, &label("db-2"), &[]).await.expect("a port");
        assert_eq!((renamed.port, renamed.generation), (first.lease.port, first.lease.generation));
        assert_eq!(gateway.list().await, Ok(vec![Slot::Held(renamed.clone())]));
        // The name before is no reason to lose it.
        gateway.program(&first).await.expect("listens");
        gateway.release(&first.lease, REST).await.expect("released");
    }
}

#[tokio::test]
async fn ports_of_others_and_those_to_avoid_are_not_given() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let six = range(6);
        let holder = |task: &str| wish_holder(task);
        stage.cluster.edit("gateways", EDGE, "tcp", |gateway| {
            let listener = serde_json::json!({"name": "theirs", "port": 20_001, "protocol": "UDP"});
            gateway["spec"]["listeners"].as_array_mut().expect("a list").push(listener);
        });
        for (number, task) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let lease = gateway.reserve(six, &holder(task), &label(task), &[20_003]).await.expect("a port");
            assert!(![20_001, 20_003].contains(&lease.port), "{mode:?}: {number}");
        }
        assert_eq!(held(&gateway).await, [20_000, 20_002, 20_004, 20_005]);
        let none = gateway.reserve(six, &holder("e"), &label("e"), &[20_003]).await;
        assert_eq!(none, Err(ReserveError::RangeExhausted(six)));
    }
}

fn wish_holder(task: &str) -> taskgate::gateway::port::Holder {
    taskgate::gateway::port::Holder::of(&service(task, &[]).entry.key)
}

#[tokio::test]
async fn only_what_everybody_may_use_is_put_there_and_only_where_it_was_said() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let mut public = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
        let port = public.lease.port;
        let closed = stage.life_with(false, Duration::from_secs(30));
        assert!(matches!(closed.program(&public).await, Err(PlaneError::Refused(_))));
        assert!(["-", ""].contains(&stage.behind(port).as_str()));

        gateway.program(&public).await.expect("listens");
        for access in [AccessLevel::CanRead, AccessLevel::Owner, AccessLevel::Nobody] {
            public.service = service("db", &["10.0.0.1:5432"]);
            gateway.program(&public).await.expect("listens");
            assert_eq!(stage.behind(port), "10.0.0.1:5432");
            // It is closed while it listens.
            public.service = service_for("db", access, &["10.0.0.1:5432"]);
            assert!(matches!(gateway.program(&public).await, Err(PlaneError::Refused(_))), "{access:?}");
            assert!(["-", ""].contains(&stage.behind(port).as_str()), "{access:?}");
        }
    }
}

#[tokio::test]
async fn jobs_where_no_endpoint_may_be_are_refused_with_what_the_cluster_says() {
    for mode in MODES {
        let stage = Stage::start(mode).await;
        let gateway = stage.life();
        let wish = wish(&gateway, range(10), &service("db", &["127.0.0.1:5432"])).await;
        let Err(PlaneError::Refused(reason)) = gateway.program(&wish).await else { panic!("it is refused") };
        assert!(reason.contains("may not be in the loopback range"), "{reason}");
    }
}

#[tokio::test]
async fn the_end_of_a_set_is_the_end_of_all_behind_it() {
    let stage = Stage::start(KubernetesGatewayMode::ListenerSets).await;
    let gateway = stage.life();
    let first = wish(&gateway, range(10), &service("db", &["10.0.0.1:5432"])).await;
    gateway.program(&first).await.expect("listens");
    assert_eq!(stage.left().len(), 4);
    let set = format!("taskgate-p{}", first.lease.port);
    stage.cluster.delete("listenersets", EDGE, &set);
    assert_eq!(stage.left(), Vec::<String>::new(), "the cluster collects what the set owned");
    assert_eq!(gateway.program(&first).await, Err(PlaneError::PortTaken(first.lease.port)));
    assert_eq!(gateway.renew(std::slice::from_ref(&first.lease)).await, Ok(vec![first.lease.clone()]));
    // The service gets a port again.
    let again = reserve(&gateway, range(10), &first.service).await.expect("a port");
    let again = Wish { lease: again, service: Arc::clone(&first.service) };
    gateway.program(&again).await.expect("listens");
    assert_eq!(stage.behind(again.lease.port), "10.0.0.1:5432");
}
