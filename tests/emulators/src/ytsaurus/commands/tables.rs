//! Rows of tables.

use super::cypress::permit;
use super::{Output, Request};
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::cypress::{Selection, Upload};
use crate::ytsaurus::error::ClusterError;
use crate::ytsaurus::state::State;

pub(in crate::ytsaurus) fn read(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let path = request.path()?;
    let cluster = state.cluster();
    permit(&cluster, request, "read", &path)?;
    request.check_transactions(&cluster, &path)?;
    let Selection { rows, start_row_index } = cluster.cypress.select(&path, request.parameters.transaction()?)?;
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let mut parameters = YsonMap::from([
        (b"approximate_row_count".to_vec(), count.into()),
        (b"omitted_inaccessible_columns".to_vec(), Vec::new().into()),
    ]);
    if let Some(index) = start_row_index {
        parameters.insert(b"start_row_index".to_vec(), Yson::from(index));
    }
    Ok(Output::Rows { rows, parameters: parameters.into() })
}

/// As part of a batch, where the rows are there already.
pub(in crate::ytsaurus) fn write(state: &State, request: &Request<'_>) -> Result<Output, ClusterError> {
    let upload = begin(state, request)?;
    end(state, request, upload)
}

pub(super) fn begin(state: &State, request: &Request<'_>) -> Result<Upload, ClusterError> {
    let path = request.path()?;
    let mut cluster = state.cluster();
    permit(&cluster, request, "write", &path)?;
    request.check_transactions(&cluster, &path)?;
    cluster.cypress.begin_write(&path, request.actor()?, request.now)
}

pub(super) fn end(state: &State, request: &Request<'_>, upload: Upload) -> Result<Output, ClusterError> {
    // Read before the cluster is locked: others need not wait for it.
    let rows = request.input_rows();
    let mut cluster = state.cluster();
    match rows {
        Ok(rows) => cluster.cypress.end_write(upload, rows)?,
        Err(error) => {
            cluster.cypress.cancel_write(upload);
            return Err(error);
        }
    }
    Ok(super::done())
}
