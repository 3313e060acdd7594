//! Attempts that end in the middle, and those that go on from there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use taskgate::tasks::operation::WorkError;
use taskgate::tasks::operations::element_wise::Pace;

use super::stage::{Left, Memory, Stage, at, part, request, small};

const DATASETS: &str = "
f.create_dataset('x', data=np.arange(2000, dtype='i8'))
f.create_dataset('y', data=np.zeros(2000, dtype='i8'))
f.create_dataset('z', data=np.arange(2000, dtype='i8'))
f.create_dataset('w', data=np.arange(2000, dtype='i8'))
f.create_dataset('grid', data=np.arange(20000, dtype='i8').reshape(10, 2000))
";

/// A checkpoint after each two pieces of 512 elements.
fn often() -> Pace {
    Pace { save_every: Duration::ZERO, ..small() }
}

#[tokio::test]
async fn the_next_attempt_goes_on_from_the_checkpoint() {
    let mut stage = Stage::new().await;
    stage.python(DATASETS, &[]).await;
    let negative = request("negative", &[at("x")], json!({}), &[at("y")]);
    let memory = Arc::new(Memory::default());
    memory.losing(Some(Left::After(1)));
    assert_eq!(stage.attempt(&negative, often(), &memory).await, Err(WorkError::Stopped));
    // What was written before the checkpoint outlives the server, and is not written again.
    stage.server.restart().await.expect("HSDS starts");
    stage.python("assert f['y'][1] == -1 and f['y'][1900] == 0\nf['y'][1] = 77", &[]).await;
    memory.losing(None);
    assert_eq!(stage.attempt(&negative, often(), &memory).await, Ok(json!({"elements": 2000})));
    stage
        .python("y = f['y'][...]\nassert y[1] == 77\ny[1] = -1\nassert np.array_equal(y, -np.arange(2000))", &[])
        .await;
    // Another extent is another task: it begins anew.
    let part = request("negative", &[part("x", "[0:1000]")], json!({}), &[part("y", "[0:1000]")]);
    assert_eq!(stage.attempt(&part, often(), &memory).await, Ok(json!({"elements": 1000})));
    stage.python("assert f['y'][1] == -1", &[]).await;
}

#[tokio::test]
async fn what_is_changed_in_place_is_changed_once() {
    let stage = Stage::new().await;
    stage.python(DATASETS, &[]).await;
    for (name, left) in [("z", Left::After(2)), ("w", Left::Before(2))] {
        let square = request("square", &[at(name)], json!({}), &[at(name)]);
        assert_eq!(stage.check(&square).await, Ok(()));
        let memory = Arc::new(Memory::default());
        // Either the second piece is kept and not written, or it is written and the third is not kept.
        memory.losing(Some(left));
        assert_eq!(stage.attempt(&square, small(), &memory).await, Err(WorkError::Stopped), "{name}");
        memory.losing(None);
        assert_eq!(stage.attempt(&square, small(), &memory).await, Ok(json!({"elements": 2000})), "{name}");
        assert!(memory.kept.load(Ordering::SeqCst) >= 2, "each piece is kept before it is written");
        stage
            .python(&format!("assert np.array_equal(f['{name}'][...], np.arange(2000) ** 2), f['{name}'][...]"), &[])
            .await;
    }
    // Parts that don't overlap are as good as other datasets.
    let halves = request("negative", &[part("x", "[0:1000]")], json!({}), &[part("x", "[1000:2000]")]);
    let memory = Arc::new(Memory::default());
    assert!(stage.attempt(&halves, small(), &memory).await.is_ok());
    assert_eq!(memory.kept.load(Ordering::SeqCst), 0);
    stage.python("x = np.arange(2000)\nx[1000:] = -x[:1000]\nassert np.array_equal(f['x'][...], x)", &[]).await;
    // The extent is not what it was: nobody knows what was changed already.
    let square = request("square", &[at("y")], json!({}), &[at("y")]);
    memory.losing(Some(Left::After(1)));
    assert_eq!(stage.attempt(&square, small(), &memory).await, Err(WorkError::Stopped));
    memory.losing(None);
    let other = request("square", &[part("y", "[0:600]")], json!({}), &[part("y", "[0:600]")]);
    let changed = stage.attempt(&other, small(), &memory).await;
    assert!(matches!(changed, Err(WorkError::Permanent { code: "changed", .. })), "{changed:?}");
}

#[tokio::test]
async fn a_reduction_goes_on_from_the_last_block() {
    let stage = Stage::new().await;
    stage.python(DATASETS, &[]).await;
    let sum = request("sum", &[at("grid")], json!({"axis": 0}), &[at("y")]);
    let memory = Arc::new(Memory::default());
    memory.losing(Some(Left::After(2)));
    assert_eq!(stage.attempt(&sum, often(), &memory).await, Err(WorkError::Stopped));
    stage.python("assert f['y'][1] > 0 and f['y'][1900] == 0\nf['y'][1] = 77", &[]).await;
    memory.losing(None);
    let calm = Pace { save_every: Duration::from_secs(60), ..small() };
    assert_eq!(stage.attempt(&sum, calm, &memory).await, Ok(json!({"elements": 2000})));
    let program = "right = np.arange(20000).reshape(10, 2000).sum(axis=0)\nright[1] = 77\nassert np.array_equal(f['y'][...], right)";
    stage.python(program, &[]).await;
}

#[tokio::test]
async fn what_the_server_lost_is_not_counted_as_written() {
    let mut stage = Stage::new().await;
    stage.python(DATASETS, &[]).await;
    // The first checkpoint is of what was flushed; then the server dies, with what was written since, and is up
    // again before anybody asks for a flush.
    for (name, des) in [("x", "y"), ("z", "z")] {
        let square = request("square", &[at(name)], json!({}), &[at(des)]);
        let memory = Arc::new(Memory::default());
        let pace = Pace { segment: 1, save_every: Duration::ZERO, ..small() };
        let dying = stage.attempt_with_deaths(&square, pace, &memory).await;
        assert!(matches!(dying, Err(WorkError::Transient(_))), "{dying:?}");
        assert_eq!(stage.attempt(&square, small(), &memory).await, Ok(json!({"elements": 2000})));
        stage.server.restart().await.expect("HSDS starts");
        stage
            .python(&format!("assert np.array_equal(f['{des}'][...], np.arange(2000) ** 2), f['{des}'][...]"), &[])
            .await;
    }
}
