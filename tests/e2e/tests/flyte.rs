//! The data service behind Envoy with the filter, used by Flyte's own SDK: over TLS, as a user's machine does.

mod clients;
mod direct;
mod refusals;
mod runs;
mod site;
mod uploads;
