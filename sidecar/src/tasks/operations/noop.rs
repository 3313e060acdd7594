//! `noop`: nothing, for checking the way that a task takes.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use taskgate_core::task::{Progress, Unit};

use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError, Writes};
use crate::tasks::request::{MAX_LOCATIONS, Request};
use crate::tasks::work::Work;

/// The most steps.
const MAX_STEPS: u64 = 100_000;
/// The longest pause after a step, in milliseconds.
const MAX_PAUSE_MS: u64 = 60_000;

/// Does nothing, in steps if asked to.
#[derive(Debug)]
pub struct Noop {
    description: Description,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Arguments {
    steps: u64,
    pause_ms: u64,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Checkpoint {
    done: u64,
}

impl Noop {
    /// The operation.
    #[must_use]
    pub fn new() -> Self {
        let description = Description {
            name: "noop".to_owned(),
            summary: "Does nothing, in as many steps as asked for: to check the way that a task takes.".to_owned(),
            arguments: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "steps": {
                        "description": "How many steps there are.",
                        "type": "integer", "minimum": 0, "maximum": MAX_STEPS, "default": 0
                    },
                    "pause_ms": {
                        "description": "How long each takes, in milliseconds.",
                        "type": "integer", "minimum": 0, "maximum": MAX_PAUSE_MS, "default": 0
                    }
                }
            }),
            sources: 0..=MAX_LOCATIONS,
            destinations: 0..=0,
            writes: Writes::Updates,
        };
        Self { description }
    }
}

impl Default for Noop {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Operation for Noop {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection> {
        arguments(preview.request).map(|_| ()).map_err(Rejection::Malformed)
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let arguments =
            arguments(work.request()).map_err(|detail| WorkError::permanent("malformed-arguments", detail))?;
        let mut checkpoint = work.checkpoint::<Checkpoint>()?.unwrap_or_default();
        while checkpoint.done < arguments.steps {
            work.unless_stopped(tokio::time::sleep(Duration::from_millis(arguments.pause_ms))).await?;
            checkpoint.done += 1;
            work.report(Progress { done: checkpoint.done, total: Some(arguments.steps), unit: Unit::Steps });
            work.save(&checkpoint).await?;
        }
        Ok(json!({"steps": checkpoint.done}))
    }
}

fn arguments(request: &Request) -> Result<Arguments, String> {
    let arguments: Arguments =
        serde_json::from_value(Value::Object(request.args.clone())).map_err(|error| format!("`args`: {error}"))?;
    if arguments.steps > MAX_STEPS || arguments.pause_ms > MAX_PAUSE_MS {
        return Err(format!("`args`: at most {MAX_STEPS} steps of {MAX_PAUSE_MS} ms"));
    }
    Ok(arguments)
}
