//! What can go wrong before a filter runs.
//!
//! Why: a test must be able to tell "the module is not a filter" from "the filter failed". Everything
//! a *running* filter does wrong is an [`Outcome`](crate::Outcome), never an error of this module.

use std::path::PathBuf;

/// Why a module could not be loaded or a VM could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// `proxy_on_vm_start` or `proxy_on_configure` answered false.
    #[error("the filter refused to start: `{callback}` returned false")]
    Declined {
        /// The callback that answered false.
        callback: &'static str,
    },
    /// The host process died while the VM started (see [`Outcome::HostCrashed`](crate::Outcome)).
    #[error("the host process crashed: {0}")]
    HostCrashed(String),
    /// The module imports something this flavour of host does not offer.
    #[error("the module cannot be linked: {0}")]
    Link(String),
    /// The bytes are no valid WebAssembly module.
    #[error("the module cannot be compiled: {0}")]
    Module(String),
    /// An export every filter needs is absent.
    #[error("the module does not export {0}")]
    MissingExport(&'static str),
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The filter trapped while it started.
    #[error("the filter trapped in `{callback}`: {reason}")]
    Trapped {
        /// The export that was running.
        callback: String,
        /// Why it stopped.
        reason: String,
    },
}
