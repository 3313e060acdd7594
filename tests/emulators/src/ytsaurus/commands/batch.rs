//! `execute_batch`: several commands in one request, each with its own answer.

use super::{Input, Output, Request, fits_batch, run};
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::catalogue::{self, DataType};
use crate::ytsaurus::error::ClusterError;
use crate::ytsaurus::faults::Fault;
use crate::ytsaurus::guid::Guid;
use crate::ytsaurus::parameters::Parameters;
use crate::ytsaurus::state::State;

/// One command of a batch.
struct Part {
    command: String,
    parameters: Parameters,
    input: Option<Yson>,
}

/// Runs all parts. One that is no command at all fails the batch, after the others were run.
pub(in crate::ytsaurus) fn execute(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    if request.parameters.number("concurrency")? == Some(0) {
        return Err(ClusterError::generic("Validation failed at /concurrency"));
    }
    let requests = request.parameters.required("requests")?.as_list();
    let requests = requests.ok_or_else(|| ClusterError::generic("Error loading parameter /requests"))?;
    let parts: Vec<Part> = requests.iter().map(Part::parse).collect::<Result<_, _>>()?;
    let mutation = request.parameters.guid("mutation_id")?;
    let is_retry = request.parameters.flag("retry", false)?;
    let mut results = Vec::with_capacity(parts.len());
    let mut unfit = None;
    for (mut part, index) in parts.into_iter().zip(0_u32..) {
        match part.execute(state, request, mutation.map(|id| id.after(index)), is_retry) {
            Ok(result) => results.push(result),
            Err(error) => unfit = unfit.or(Some(error)),
        }
    }
    match unfit {
        Some(error) => Err(error),
        None => Ok(Output::Value(Yson::map([("results", results)]))),
    }
}

// === impl Part ===

impl Part {
    fn parse(value: &Yson) -> Result<Self, ClusterError> {
        let malformed = || ClusterError::generic("Error loading parameter /requests");
        let command = value.field("command").and_then(Yson::as_str).ok_or_else(malformed)?.to_owned();
        let parameters = value.field("parameters").and_then(Yson::as_map).ok_or_else(malformed)?.clone();
        let input = value.field("input").filter(|input| !input.is_entity()).cloned();
        Ok(Self { command, parameters: Parameters::new(parameters), input })
    }

    /// The answer of this part; an error if it can't be part of a batch.
    fn execute(
        &mut self,
        state: &State,
        batch: &Request<'_>,
        mutation: Option<Guid>,
        is_retry: bool,
    ) -> Result<Yson, ClusterError> {
        let command = catalogue::find(&self.command)
            .filter(|command| state.has_command(command.name))
            .ok_or_else(|| ClusterError::generic(format!("Unknown command \"{}\"", self.command)))?;
        fits_batch(command)?;
        if command.input != DataType::Null && self.input.is_none() {
            return Err(ClusterError::generic(format!("Command \"{}\" requires input", command.name)));
        }
        let counted = format!("execute_batch/{}", command.name);
        state.calls().count(&counted);
        if let (Some(mutation), true) = (mutation, command.is_volatile) {
            self.parameters.set("mutation_id", mutation.into());
            self.parameters.set("retry", is_retry.into());
        }
        let request = Request {
            user: batch.user,
            parameters: &self.parameters,
            input: self.input.as_ref().map_or(Input::None, Input::Value),
            now: batch.now,
        };
        let planned = state.faults().take(&counted).fault;
        let answer = match planned {
            Some(Fault::Refuse { error, .. } | Fault::Trailers(error)) => Err(error),
            _ => run(state, command, &request),
        };
        Ok(match answer {
            Ok(Output::Value(output)) => Yson::map([("output", output)]),
            Ok(Output::Rows { .. }) => YsonMap::new().into(),
            Err(error) => Yson::map([("error", error.to_yson())]),
        })
    }
}
