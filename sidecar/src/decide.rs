//! Forward-auth: the gate for ingresses that ask for each request, and do not run the filter.
//!
//! [`original`] reads what a client asked for out of what the ingress says of it, [`engine`] decides by the very gate
//! that the filter has, [`office`] joins it to the sidecar, and [`answer`] says the outcome in headers, as the
//! [`dialect`] of the ingress wants it; [`destination`] tells jobs from what the sidecar serves below their names.
//! [`check`] and [`passed`] are the same for Envoy's `ext_authz`.

pub mod answer;
pub mod check;
pub mod destination;
pub mod dialect;
pub mod engine;
pub mod office;
pub mod original;
pub mod passed;
pub mod settings;
