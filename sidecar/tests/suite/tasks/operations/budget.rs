//! The memory that the tasks of a worker share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::json;
use taskgate::tasks::operations::element_wise::Pace;
use taskgate::tasks::work::Budget;

use super::stage::{Stage, at, request};

#[tokio::test]
async fn a_long_operation_leaves_room_for_others() {
    let stage = Stage::new().await;
    // Nothing is written: the server answers with zeros.
    stage.python("f.create_dataset('long', shape=(8 << 20,), dtype='i8', chunks=(1 << 18,))", &[]).await;
    // A digest's pieces are there once, a sum's twice: as bytes and as numbers.
    for (operation, slab_bytes) in [("sum", 4 << 20), ("checksum", 8 << 20)] {
        let pace = Pace { slab_bytes, ..Pace::default() };
        let request = request(operation, &[at("long")], json!({}), &[]);
        let budget = Budget::new(64 << 20);
        let is_over = AtomicBool::new(false);
        let long = async {
            stage.attempt_with(&request, pace, budget.clone()).await.expect("a result");
            is_over.store(true, Ordering::SeqCst);
        };
        let other = async {
            // All that a step can have is free until the other one has begun.
            while budget.draw(usize::MAX).now_or_never().is_some() {
                assert!(!is_over.load(Ordering::SeqCst), "{operation} drew no room");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // As much as two tasks of that kind had for as long as they ran.
            for _ in 0..2 {
                let room = budget.draw(36 << 20).await;
                assert!(!is_over.load(Ordering::SeqCst), "{operation}");
                drop(room);
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(long, other);
    }
}
