//! The proxy itself: where it is, what it can do.

use super::{Output, Request};
use crate::yson::{Yson, YsonMap};
use crate::ytsaurus::error::ClusterError;
use crate::ytsaurus::state::State;

/// The version that the emulator says it is.
pub(in crate::ytsaurus) const VERSION: &str = "25.3.0-emulator";

pub(in crate::ytsaurus) fn discover(state: &State, _: &Request<'_>) -> Result<Output, ClusterError> {
    Ok(Output::Value(Yson::map([("proxies", Yson::list([state.address().to_string()]))])))
}

pub(in crate::ytsaurus) fn features(_: &State, _: &Request<'_>) -> Result<Output, ClusterError> {
    Ok(Output::Value(Yson::map([("features", YsonMap::new())])))
}

pub(in crate::ytsaurus) fn version(_: &State, _: &Request<'_>) -> Result<Output, ClusterError> {
    Ok(Output::Value(Yson::map([("version", VERSION)])))
}
