//! What must hold of the product as a whole, in one binary.

mod artefact;
mod browser;
mod compiled;
mod corpus;
mod docs;
mod filter;
mod native;
