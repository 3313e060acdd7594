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
mod authority;
mod azurite;
mod black_hole;
mod caddy;
mod chaos;
mod chromium;
mod collector;
mod dns;
pub mod environment;
mod envoy;
mod flyte;
mod haproxy;
mod hsds;
mod job;
mod nginx;
mod oidc;
mod openssh;
mod postgres;
mod process;
mod radosgw;
mod s3;
mod sidecar;
mod static_config;
mod wait;
mod worker;

pub use address::ReservedAddress;
pub use authority::{Authority, Issued};
pub use azurite::Azurite;
pub use black_hole::BlackHole;
pub use caddy::Caddy;
pub use chaos::{ChaosProxy, Weather};
pub use chromium::Chromium;
pub use collector::{CollectedSpan, Collector};
pub use dns::DnsServer;
pub use envoy::{Envoy, EnvoyMemory, EnvoyOptions};
pub use flyte::{Certificates, ControlPlane, FlyteUser, Printing};
pub use haproxy::Haproxy;
pub use hsds::python::python;
pub use hsds::{Hsds, HsdsUser};
pub use job::JobProcess;
pub use nginx::{Nginx, NginxGate};
pub use oidc::OidcProvider;
pub use openssh::OpenSsh;
pub use postgres::Postgres;
pub use radosgw::Radosgw;
pub use s3::S3;
pub use sidecar::{Sidecar, SidecarHome};
pub use static_config::{StaticConfig, envoy_config};
pub use wait::{wait_for, wait_until};
pub use worker::TaskWorker;
