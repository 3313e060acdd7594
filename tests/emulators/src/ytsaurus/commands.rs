//! What the commands do.

pub(super) mod batch;
pub(super) mod cypress;
mod objects;
pub(super) mod operations;
pub(super) mod permissions;
pub(super) mod proxies;
pub(super) mod tables;
pub(super) mod transactions;

use std::time::Instant;

use super::catalogue::{Command, DataType};
use super::cluster::Cluster;
use super::cypress::{Actor, Path, Upload};
use super::error::ClusterError;
use super::formats::Format;
use super::guid::Guid;
use super::parameters::Parameters;
use super::state::State;
use crate::yson::{Yson, YsonMap};

/// Runs a command.
pub(super) type Run = fn(&State, &Request<'_>) -> Result<Output, ClusterError>;

/// A command that was asked for.
pub(super) struct Request<'a> {
    /// Who asks.
    pub(super) user: &'a str,
    pub(super) parameters: &'a Parameters,
    /// The body, for commands that have one.
    pub(super) input: Input<'a>,
    pub(super) now: Instant,
}

/// The body of a command.
#[derive(Clone, Copy)]
pub(super) enum Input<'a> {
    None,
    /// Read already, as in a batch.
    Value(&'a Yson),
    /// As it came.
    Bytes(&'a [u8]),
}

/// What a command answers.
pub(super) enum Output {
    Value(Yson),
    Rows {
        rows: Vec<Yson>,
        /// What is said about them in a header.
        parameters: Yson,
    },
}

// === impl Request ===

impl Request<'_> {
    fn path(&self) -> Result<Path, ClusterError> {
        Path::parse(self.parameters.required("path")?)
    }

    fn actor(&self) -> Result<Actor<'_>, ClusterError> {
        Ok(Actor { user: self.user, transaction: self.parameters.transaction()? })
    }

    /// The transaction that is named, which must be under way.
    fn named_transaction(&self) -> Result<Guid, ClusterError> {
        self.parameters.required("transaction_id")?;
        Ok(self.parameters.guid("transaction_id")?.unwrap_or(Guid::NULL))
    }

    /// Fails if the transaction that it runs in is gone, or one that it presupposes.
    fn check_transactions(&self, cluster: &Cluster, path: &Path) -> Result<(), ClusterError> {
        if let Some(transaction) = self.parameters.transaction()? {
            cluster.cypress.alive(transaction).map_err(|error| ClusterError::resolve(&path.text, error))?;
        }
        cluster.cypress.check_prerequisites(&self.prerequisites()?)
    }

    fn prerequisites(&self) -> Result<Vec<Guid>, ClusterError> {
        let ids = self.parameters.texts("prerequisite_transaction_ids")?.unwrap_or_default();
        let parse = |id: &str| id.parse().map_err(|_| ClusterError::generic(format!("\"{id}\" is no GUID")));
        ids.into_iter().map(parse).collect()
    }

    /// The value in the body.
    fn input_value(&self) -> Result<Yson, ClusterError> {
        match self.input {
            Input::Value(value) => Ok(value.clone()),
            Input::Bytes(bytes) => self.input_format()?.read(bytes),
            Input::None => Err(ClusterError::generic("Command requires input")),
        }
    }

    /// The rows in the body.
    fn input_rows(&self) -> Result<Vec<Yson>, ClusterError> {
        match self.input {
            Input::Value(value) => match value.as_list() {
                Some(rows) => Ok(rows.to_vec()),
                None => Err(ClusterError::generic("Command requires rows")),
            },
            Input::Bytes(bytes) => self.input_format()?.read_rows(bytes),
            Input::None => Err(ClusterError::generic("Command requires input")),
        }
    }

    fn input_format(&self) -> Result<Format, ClusterError> {
        Format::parse(self.parameters.required("input_format")?)
    }
}

/// Runs a command once: a mutation that is asked for again has the answer it had.
pub(super) fn run(state: &State, command: &Command, request: &Request<'_>) -> Result<Output, ClusterError> {
    let mutation = match request.parameters.text("mutation_id")? {
        Some(id) if command.is_volatile && command.name != "execute_batch" => id,
        _ => return (command.run)(state, request),
    };
    let is_retry = request.parameters.flag("retry", false)?;
    if let Some(known) = state.cluster().mutations.find(mutation, is_retry)? {
        return known.map(|value| Output::Value(value.unwrap_or_default()));
    }
    let answer = (command.run)(state, request);
    let kept = match &answer {
        Ok(Output::Value(value)) => Ok(Some(value.clone())),
        Ok(Output::Rows { .. }) => Ok(None),
        Err(error) => Err(error.clone()),
    };
    state.cluster().mutations.keep(mutation, kept);
    answer
}

/// Locks the table of a `write_table` whose rows are still on their way.
pub(super) fn begin_write(state: &State, request: &Request<'_>) -> Result<Upload, ClusterError> {
    tables::begin(state, request)
}

/// Ends a `write_table` with its rows.
pub(super) fn end_write(state: &State, request: &Request<'_>, upload: Upload) -> Result<Output, ClusterError> {
    tables::end(state, request, upload)
}

/// The format of the answer.
pub(super) fn output_format(parameters: &Parameters) -> Result<Format, ClusterError> {
    Format::parse(parameters.required("output_format")?)
}

/// An answer of one value, under its name or, where the caller wants that, bare.
fn single(request: &Request<'_>, name: &str, value: Yson) -> Result<Output, ClusterError> {
    let is_bare = request.parameters.flag("return_only_value", false)?;
    Ok(Output::Value(if is_bare { value } else { Yson::map([(name, value)]) }))
}

/// An answer that says no more than that it is done.
fn done() -> Output {
    Output::Value(YsonMap::new().into())
}

/// Whether something is part of a batch.
fn fits_batch(command: &Command) -> Result<(), ClusterError> {
    if command.output == DataType::Tabular {
        return Err(ClusterError::generic(format!(
            "Command \"{}\" cannot be part of a batch since it has inappropriate output type \"{}\"",
            command.name,
            command.output.name()
        )));
    }
    Ok(())
}
