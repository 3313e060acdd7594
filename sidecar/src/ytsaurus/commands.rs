//! The commands that are used, with types.

pub mod batch;
pub mod cypress;
pub mod jobs;
pub mod operations;
pub mod permissions;
pub mod tables;
pub mod transactions;
pub mod users;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::ytsaurus::client::error::CallError;
use crate::ytsaurus::client::{Call, Client, Kind};

/// A command that reads, alone or in a batch.
pub trait Read {
    /// What it answers.
    type Output: DeserializeOwned;
    /// Its name.
    const COMMAND: &'static str;

    /// Its parameters, strings as they are.
    fn parameters(&self) -> Value;
}

impl Client {
    /// Carries out a command that reads.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn read<R: Read>(&self, command: &R, deadline: Instant) -> Result<R::Output, CallError> {
        let call = Call { command: R::COMMAND, kind: Kind::Read, parameters: command.parameters() };
        parse(&self.call(&call, deadline).await?)
    }

    /// Carries out a command that reads, for someone who waits: see [`Self::ask`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn inquire<R: Read>(&self, command: &R, deadline: Instant) -> Result<R::Output, CallError> {
        let call = Call { command: R::COMMAND, kind: Kind::Read, parameters: command.parameters() };
        parse(&self.ask(&call, deadline).await?)
    }

    /// Carries out a command that changes something.
    async fn write<O: DeserializeOwned>(
        &self,
        command: &'static str,
        parameters: Value,
        deadline: Instant,
    ) -> Result<O, CallError> {
        parse(&self.call(&Call { command, kind: Kind::Write, parameters }, deadline).await?)
    }
}

fn parse<'a, O: Deserialize<'a>>(answer: &'a [u8]) -> Result<O, CallError> {
    serde_json::from_slice(answer).map_err(|error| CallError::unreadable(&error))
}
