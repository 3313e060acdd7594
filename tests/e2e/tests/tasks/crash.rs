//! Workers die at random, over and over: every task is done all the same, and none is completed twice.
//!
//! Three witnesses have to agree: a service notes whatever it did for a task, a trigger in the database notes
//! whenever a task becomes complete, and the logs have a line for each transition. What is random follows from
//! a seed, which is printed; the system's scheduling does not.

#![expect(clippy::print_stdout, reason = "whoever reads of a failure needs the seed, and how far it came")]

mod dice;
mod ledger;
mod logs;
mod service;
mod site;
mod storm;
mod zombies;

use std::time::Instant;

use taskgate_test_kit::Postgres;

use crate::support::Outcome;
use dice::Dice;
use site::Site;

/// How many tasks there are.
const TASKS: usize = 1_000;
/// How many of them are completed by workers that have lost them.
const ZOMBIES: usize = 8;

#[tokio::test]
async fn workers_that_are_killed_over_a_file_lose_nothing_and_complete_nothing_twice() -> Outcome {
    crash("sqlite:tasks.db", None).await
}

#[tokio::test]
async fn workers_that_are_killed_over_a_server_lose_nothing_and_complete_nothing_twice() -> Outcome {
    let postgres = Postgres::start()?;
    crash(&postgres.url(), Some(postgres.password())).await
}

async fn crash(store: &str, secret: Option<&str>) -> Outcome {
    let dice = Dice::new()?;
    println!("seed: {} (TASKGATE_SEED={} plays it again)", dice.seed(), dice.seed());
    let start = Instant::now();
    let mut site = Site::start(store, dice.fork()).await?;
    zombies::come_back(&mut site).await?;
    println!("{ZOMBIES} completions of workers that had lost their tasks were refused: {:.1?}", start.elapsed());
    let tally = storm::rage(&mut site, dice).await?;
    println!("{tally:?}: {:.1?}", start.elapsed());
    assert!(tally.killed >= 5 && tally.paused >= 2, "this was no storm: {tally:?}");
    let testimony = site.end().await?;
    testimony.agree(secret)?;
    println!("{testimony}: {:.1?}", start.elapsed());
    Ok(())
}
