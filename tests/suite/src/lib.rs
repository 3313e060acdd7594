//! The case corpus (`tests/cases`): its model, its loader, its runners and how they are compared.
//!
//! A case says what is visible from outside: what a client sends, what the sidecar is asked and
//! answers, what the job or the client gets. Each [`Runner`] drives another form of the same product
//! (the core as a library, the compiled filter in a host as on Envoy and as on WasmX, the sidecar's forward-auth) and
//! all must agree.
//!
//! In reading order: [`case`] is a case as it is written, [`fixture`] what cases refer to, [`text`] how
//! values are written, [`script`] a case made ready to run, [`runner`] what runs one, [`compare`] the
//! judgement.
//!
//! Never looks inside a runner: how often something was called, or in which order, is no outcome.

pub mod case;
pub mod compare;
pub mod corpus;
pub mod fixture;
pub mod native;
pub mod runner;
pub mod script;
pub mod text;

pub use corpus::Corpus;
pub use native::NativeRunner;
pub use runner::{Observed, Outcome, Permitted, Refused, RunError, Runner, Seen};
pub use script::Script;
