//! Sidecars that die, at every step; and what the next one makes of it.

use taskgate::gateway::ledger::{LeaseError, Ledger as _};
use taskgate::gateway::plane::Plane as _;
use taskgate_emulators::kubernetes::Death;
use tokio::time::timeout;

use super::PATIENCE;
use super::stage::{MODES, REST, Stage, held, range, service, wish};

/// More writes than a life has.
const MOST: usize = 40;

#[tokio::test]
async fn a_sidecar_that_dies_at_any_step_leaves_no_port_lost_and_none_double() {
    for mode in MODES {
        for death in [Death::Before, Death::After] {
            let mut steps = 0;
            for step in 1..MOST {
                let stage = Stage::start(mode).await;
                let context = format!("{mode:?}, {death:?}, step {step}");
                let db = service("db", &["10.0.0.1:5432", "10.0.0.2:6000"]);
                let first = stage.life();
                stage.cluster.kill_at(step, death);
                let whole_life = async {
                    let wish = wish(&first, range(3), &db).await;
                    first.program(&wish).await.expect("listens");
                    first.withdraw(&wish.lease).await.expect("withdrawn");
                    first.release(&wish.lease, REST).await.expect("released");
                };
                let died = tokio::select! {
                    () = whole_life => false,
                    () = stage.cluster.died(1) => true,
                };
                drop(first);
                stage.cluster.revive();
                if !died {
                    break;
                }
                steps = step;

                // The next life does what a keeper does: it looks, and wants the port.
                let second = stage.life();
                let next_life = async {
                    second.observe().await.expect("looks");
                    let wish = wish(&second, range(3), &db).await;
                    second.program(&wish).await.expect("listens");
                    assert_eq!(stage.behind(wish.lease.port), "10.0.0.1:5432 10.0.0.2:6000", "{context}");
                    assert_eq!(held(&second).await, [wish.lease.port], "{context}");
                    wish.lease
                };
                let lease = timeout(PATIENCE, next_life).await.unwrap_or_else(|_| panic!("{context}"));
                second.withdraw(&lease).await.expect("withdrawn");
                second.release(&lease, REST).await.expect("released");
                // Once all have rested, nothing is left, and all ports can be had.
                stage.clock.advance(REST);
                for number in 0..3 {
                    let wish = wish(&second, range(3), &service(&format!("task-{number}"), &["10.0.0.3:1"])).await;
                    second.program(&wish).await.unwrap_or_else(|error| panic!("{context}: {error}"));
                    second.withdraw(&wish.lease).await.expect("withdrawn");
                    second.release(&wish.lease, REST).await.expect("released");
                    assert_eq!(second.release(&wish.lease, REST).await, Err(LeaseError::Lost));
                }
                stage.clock.advance(REST);
                second.observe().await.expect("looks");
                assert_eq!(stage.left(), Vec::<String>::new(), "{context}");
            }
            assert!((6..MOST - 1).contains(&steps), "{mode:?}: {steps} steps");
        }
    }
}
