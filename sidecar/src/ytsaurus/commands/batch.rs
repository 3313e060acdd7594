//! `execute_batch`: many commands in one request.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ytsaurus::client::error::{CallError, YtError};
use crate::ytsaurus::client::{Call, Client, Kind};
use crate::ytsaurus::commands::{Read, parse};

#[derive(Deserialize)]
struct Answer {
    results: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Item<O> {
    output: Option<O>,
    error: Option<YtError>,
}

impl Client {
    /// Carries out commands of one kind together; the results are in their order. One that fails, or
    /// whose answer can't be read, fails alone. Commands whose answers are too large together are
    /// carried out in smaller batches.
    ///
    /// # Errors
    /// [`CallError`], where the batch as a whole failed.
    pub async fn batch<R: Read>(
        &self,
        commands: &[R],
        deadline: Instant,
    ) -> Result<Vec<Result<R::Output, CallError>>, CallError> {
        let mut results = Vec::with_capacity(commands.len());
        let mut waiting = VecDeque::from([commands]);
        while let Some(commands) = waiting.pop_front() {
            if commands.is_empty() {
                continue;
            }
            match self.batch_once(commands, deadline).await {
                Ok(answers) => results.extend(answers),
                Err(CallError::TooLarge(_)) if commands.len() > 1 => {
                    let (left, right) = commands.split_at(commands.len() / 2);
                    waiting.push_front(right);
                    waiting.push_front(left);
                }
                Err(error @ CallError::TooLarge(_)) => results.push(Err(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(results)
    }

    async fn batch_once<R: Read>(
        &self,
        commands: &[R],
        deadline: Instant,
    ) -> Result<Vec<Result<R::Output, CallError>>, CallError> {
        let requests: Vec<Value> =
            commands.iter().map(|command| json!({"command": R::COMMAND, "parameters": command.parameters()})).collect();
        // It reads: the batch is `Write` only in how it travels, with parameters in the body.
        let call = Call { command: "execute_batch", kind: Kind::Write, parameters: json!({"requests": requests}) };
        let body = self.call(&call, deadline).await?;
        let answer: Answer = parse(&body)?;
        if answer.results.len() != commands.len() {
            let reason = format!("{} results for {} commands", answer.results.len(), commands.len());
            return Err(CallError::Unreadable(reason));
        }
        Ok(answer.results.iter().map(|raw| item(raw)).collect())
    }
}

fn item<O: serde::de::DeserializeOwned>(raw: &RawValue) -> Result<O, CallError> {
    let item: Item<O> = serde_json::from_str(raw.get()).map_err(|error| CallError::Unreadable(error.to_string()))?;
    match (item.output, item.error) {
        (_, Some(error)) => Err(CallError::Refused(error)),
        (Some(output), None) => Ok(output),
        (None, None) => Err(CallError::Unreadable("neither output nor error".into())),
    }
}
