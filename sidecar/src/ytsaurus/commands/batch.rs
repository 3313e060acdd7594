//! `execute_batch`: many commands in one request.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::ytsaurus::client::error::{CallError, YtError};
use crate::ytsaurus::client::{Call, Client, Kind};
use crate::ytsaurus::commands::{Read, parse};

/// How many batches are under way at once, and how many parts of one that was divided.
const CONCURRENT: usize = 3;
/// How many parts a batch is divided into that was not answered in time.
const PARTS: usize = 8;

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

/// A part of a batch.
struct Part<'a, R> {
    /// The place of its first command in the batch.
    first: usize,
    commands: &'a [R],
    /// How long it may take.
    timeout: Duration,
}

impl<'a, R> Part<'a, R> {
    /// So many smaller parts, each with so much time; none where it is one command.
    fn divided(&self, count: usize, timeout: Duration) -> Vec<Self> {
        if self.commands.len() < 2 {
            return Vec::new();
        }
        let size = self.commands.len().div_ceil(count);
        let firsts = (self.first..).step_by(size);
        firsts.zip(self.commands.chunks(size)).map(|(first, commands)| Part { first, commands, timeout }).collect()
    }
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
    /// whose answer can't be read, fails alone. Where the answers are too large together, or one is waited for
    /// in vain, the commands are carried out in smaller batches, until the one that spoils them is alone. That
    /// takes at most half of the time there is: what comes next needs some too.
    ///
    /// # Errors
    /// [`CallError`], where no command at all was answered.
    pub async fn batch<R: Read>(&self, commands: &[R], deadline: Instant) -> BatchResult<R::Output> {
        let left = deadline.saturating_duration_since(Instant::now());
        let last_division = Instant::now() + left / 2;
        let timeout = if commands.len() > 1 { self.timeout().min(left / 4) } else { left };
        let mut waiting = vec![Part { first: 0, commands, timeout }];
        let mut done: Vec<(usize, Vec<_>)> = Vec::new();
        let (mut failure, mut is_answered, mut concurrent) = (None, commands.is_empty(), CONCURRENT);
        while !waiting.is_empty() {
            let asked: Vec<_> = waiting.drain(..).map(|part| self.carry_out(part, deadline)).collect();
            let answers = futures_util::stream::iter(asked).buffer_unordered(concurrent);
            futures_util::pin_mut!(answers);
            while let Some((part, answer)) = answers.next().await {
                let parts = match &answer {
                    Err(CallError::TooLarge(_)) => {
                        // One by one: each may be as large as an answer can be.
                        concurrent = 1;
                        part.divided(2, part.timeout)
                    }
                    Err(CallError::TimedOut(_)) if Instant::now() < last_division => {
                        part.divided(PARTS, part.timeout / 2)
                    }
                    _ => Vec::new(),
                };
                if !parts.is_empty() {
                    waiting.extend(parts);
                    continue;
                }
                is_answered |= matches!(answer, Ok(_) | Err(CallError::TooLarge(_)));
                let answers = answer.unwrap_or_else(|error| {
                    failure = Some(error.clone());
                    part.commands.iter().map(|_| Err(error.clone())).collect()
                });
                done.push((part.first, answers));
            }
        }
        if let (false, Some(error)) = (is_answered, failure) {
            return Err(error);
        }
        done.sort_by_key(|(first, _)| *first);
        Ok(done.into_iter().flat_map(|(_, answers)| answers).collect())
    }

    async fn carry_out<'a, R: Read>(
        &self,
        part: Part<'a, R>,
        deadline: Instant,
    ) -> (Part<'a, R>, BatchResult<R::Output>) {
        if part.commands.is_empty() {
            return (part, Ok(Vec::new()));
        }
        let answer = self.batch_once(part.commands, deadline.min(Instant::now() + part.timeout)).await;
        (part, answer)
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
