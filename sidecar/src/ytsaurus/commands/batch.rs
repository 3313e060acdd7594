//! `execute_batch`: many commands in one request.

use std::collections::VecDeque;

use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::ytsaurus::client::error::{CallError, YtError};
use crate::ytsaurus::client::{Call, Client, Kind};
use crate::ytsaurus::commands::{Read, parse};

/// How many batches are under way at once.
const CONCURRENT: usize = 4;

/// What became of the commands of one batch.
pub type BatchResult<O> = Result<Vec<Result<O, CallError>>, CallError>;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<O> {
    output: Option<O>,
    error: Option<YtError>,
}

impl Client {
    /// Carries out commands of one kind in batches of `size`, a few at a time: each batch with what became
    /// of it, in order.
    pub fn batches<'a, R: Read + Sync>(
        &'a self,
        commands: &'a [R],
        size: usize,
        deadline: Instant,
    ) -> impl Stream<Item = (&'a [R], BatchResult<R::Output>)> + 'a {
        let batches: Vec<_> = commands.chunks(size.max(1)).map(|batch| self.with_commands(batch, deadline)).collect();
        futures_util::stream::iter(batches).buffered(CONCURRENT)
    }

    async fn with_commands<'a, R: Read>(
        &self,
        commands: &'a [R],
        deadline: Instant,
    ) -> (&'a [R], BatchResult<R::Output>) {
        (commands, self.batch(commands, deadline).await)
    }

    /// Carries out commands of one kind together; the results are in their order. One that fails, or
    /// whose answer can't be read, fails alone. Commands whose answers are too large together are
    /// carried out in smaller batches.
    ///
    /// # Errors
    /// [`CallError`], where the batch as a whole failed.
    pub async fn batch<R: Read>(&self, commands: &[R], deadline: Instant) -> BatchResult<R::Output> {
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

    async fn batch_once<R: Read>(&self, commands: &[R], deadline: Instant) -> BatchResult<R::Output> {
        let requests: Value = commands.iter().map(request).collect();
        let parameters = Value::Object([("requests".to_owned(), requests)].into_iter().collect());
        // It reads: the batch is `Write` only in how it travels, with parameters in the body.
        let call = Call { command: "execute_batch", kind: Kind::Write, parameters };
        let body = self.call(&call, deadline).await?;
        let answer: Answer<'_> = parse(&body)?;
        if answer.results.len() != commands.len() {
            let reason = format!("{} results for {} commands", answer.results.len(), commands.len());
            return Err(CallError::Unreadable(reason));
        }
        Ok(answer.results.iter().map(|raw| item(raw).map_err(|error| self.without_token(error))).collect())
    }
}

fn request<R: Read>(command: &R) -> Value {
    let fields = [("command".to_owned(), R::COMMAND.into()), ("parameters".to_owned(), command.parameters())];
    Value::Object(fields.into_iter().collect())
}

fn item<O: serde::de::DeserializeOwned>(raw: &RawValue) -> Result<O, CallError> {
    let item: Item<O> = serde_json::from_str(raw.get()).map_err(|error| CallError::unreadable(&error))?;
    match (item.output, item.error) {
        (_, Some(error)) => Err(CallError::Refused(error)),
        (Some(output), None) => Ok(output),
        (None, None) => Err(CallError::Unreadable("neither output nor error".into())),
    }
}
