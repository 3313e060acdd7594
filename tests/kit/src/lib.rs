//! Real processes for tests, the demo and benchmarks: Envoy, the sidecar and HSDS, started, watched and ended.
//!
//! Why: what Taskgate promises holds between processes, so that is where it is tested. Everything runs
//! on loopback with free ports and is gone when its value is dropped.
//!
//! Read in this order: [`SidecarHome`] and [`Sidecar`], [`StaticConfig`], [`Envoy`], [`Hsds`]; then the helpers
//! [`ReservedAddress`], [`BlackHole`], [`wait_until`].
//!
//! Never ends a process that it did not start.

mod address;
mod azurite;
mod black_hole;
mod chromium;
pub mod environment;
mod envoy;
mod flyte;
mod hsds;
mod nginx;
mod oidc;
mod postgres;
mod process;
mod radosgw;
mod s3;
mod sidecar;
mod static_config;
mod wait;
mod worker;

pub use address::ReservedAddress;
pub use azurite::Azurite;
pub use black_hole::BlackHole;
pub use chromium::Chromium;
pub use envoy::{Envoy, EnvoyMemory, EnvoyOptions};
pub use flyte::{Certificates, ControlPlane, FlyteUser, Printing};
pub use hsds::python::python;
pub use hsds::{Hsds, HsdsUser};
pub use nginx::Nginx;
pub use oidc::OidcProvider;
pub use postgres::Postgres;
pub use radosgw::Radosgw;
pub use s3::S3;
pub use sidecar::{Sidecar, SidecarHome};
pub use static_config::StaticConfig;
pub use wait::{wait_for, wait_until};
pub use worker::TaskWorker;
