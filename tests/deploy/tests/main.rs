//! What operators deploy with: the chart is rendered by Helm itself, held against published schemas, and what is in
//! it runs in the real programs. No cluster is needed.

mod envoy;
mod files;
mod gateways;
mod rendered;
mod safety;
mod schemas;
mod taskgate;
mod values;

/// What a test returns.
type Outcome = anyhow::Result<()>;
