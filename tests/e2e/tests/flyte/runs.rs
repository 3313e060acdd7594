//! Runs: their inputs, what they leave, and their logs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use serde_json::{Value, json};

use super::site::{Catalog, Site, Store};
use crate::support::Outcome;
use crate::support::service::{ALICE, BOB};

#[tokio::test]
async fn inputs_of_runs_are_kept_and_given_back() -> Outcome {
    let site = Site::start(Store::Local, Catalog::Flyte).await?;
    let settings = site.settings(ALICE)?;
    // By what the task is, and by its name, which the catalog knows.
    for (command, number) in [("run", 21), ("deploy", 3)] {
        let started = site.user.ask(&settings, &[command, &number.to_string()]).await?;
        let run = started["run"].as_str().unwrap_or_else(|| panic!("{started}"));
        let action = site.user.ask(&settings, &["action", run]).await?;
        assert_eq!(action["inputs"]["number"], number, "{action}");
    }
    let calls = site.control_plane.calls();
    assert!(calls.contains(&"flyteidl2.workflow.RunService/CreateRun 200".to_owned()), "{calls:?}");
    assert!(!calls.iter().any(|call| call.contains("DataProxyService")), "the SDK went where it was sent: {calls:?}");
    let inputs = fs::read_dir(site.object("uploads/flytesnacks/development/offloaded-inputs"))?;
    assert_eq!(inputs.count(), 2);
    site.assert_logs_are_clean().await?;
    Ok(())
}

#[tokio::test]
async fn inputs_that_do_not_count_are_no_part_of_cache_keys() -> Outcome {
    let site = Site::start(Store::Local, Catalog::Flyte).await?;
    let keys = site.user.ask(&site.settings(ALICE)?, &["triggers", "5"]).await?;
    let key = |number: usize| keys[number].as_str().filter(|key| key.len() == 11);
    assert!(key(0).is_some(), "{keys}");
    assert_eq!((key(0), key(1)), (key(1), key(2)), "{keys}");
    assert!(key(3).is_some() && key(3) != key(0), "{keys}");
    Ok(())
}

#[tokio::test]
async fn what_a_run_left_is_read_by_those_who_may() -> Outcome {
    let site = Site::start(Store::Local, Catalog::Flyte).await?;
    let output = site.user.ask(&site.settings(ALICE)?, &["tracked", "21"]).await?;
    assert_eq!(output, json!({"output": 42}));
    for token in [ALICE, BOB] {
        let action: Value = site.user.ask(&site.settings(token)?, &["action", "tracked"]).await?;
        assert_eq!((&action["inputs"]["number"], &action["outputs"]), (&json!(21), &json!([42])), "{action}");
        assert!(action["report"].as_str().is_some_and(|page| page.contains("<p>21 doubled ü</p>")), "{action}");
    }
    // Inputs and outputs, and the report.
    for (event, count) in [("action-data", 2), ("download", 1)] {
        assert_eq!(site.audits("bob", event).len(), count, "{event}: {}", site.sidecar.log());
    }
    site.assert_logs_are_clean().await?;
    Ok(())
}

#[tokio::test]
async fn a_log_is_seen_while_it_grows() -> Outcome {
    let site = Site::start(Store::Local, Catalog::Flyte).await?;
    let settings = site.settings(ALICE)?;
    let started = site.user.ask(&settings, &["run", "1"]).await?;
    let run = started["run"].as_str().unwrap_or_else(|| panic!("{started}"));
    let path = site.log_file(run);
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    writeln!(file, "2026-01-31T00:00:00Z first")?;
    let mut tail = site.user.follow(&settings, &["tail", run])?;
    // What is written only once the line before was seen.
    for line in ["first", "zweite: ü", "third"] {
        if line != "first" {
            writeln!(file, "2026-01-31T00:00:00Z {line}")?;
        }
        let seen = tail.next().await?.unwrap_or_default();
        assert_eq!(serde_json::from_str::<Value>(&seen)?.as_str().map(str::trim), Some(line));
    }
    // A log that is gone is over.
    fs::remove_file(&path)?;
    assert_eq!(tail.next().await?.as_deref(), Some("null"));
    Ok(())
}
