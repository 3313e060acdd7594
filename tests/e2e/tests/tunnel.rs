//! TCP services through the HTTP ingress: the command line, the real Envoy, the filter, the sidecar and a job.

mod access;
mod attacks;
mod clients;
mod site;
mod streams;
