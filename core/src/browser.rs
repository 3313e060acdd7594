//! The crate for JavaScript: what a page may show without asking anybody. Which ids and labels a service has, and what
//! a denial says.
//!
//! Behind the feature `browser`; `make browser` makes packages for web pages and for Node.js of it, and a test compares
//! what those say with the native build. It decides nothing: requests are decided where they pass. Values in and out are
//! strings, so that a page needs no glue of its own.

use wasm_bindgen::prelude::wasm_bindgen;

use crate::denial::Denial;
use crate::naming::{ServiceDigest, alias_label};
use crate::reply::{Client, reply};

/// The ids a service can have, shortest first.
#[wasm_bindgen(js_name = serviceIds)]
#[must_use]
pub fn service_ids(operation: &str, task: &str, service: &str) -> Vec<String> {
    ServiceDigest::of(operation, task, service).ids().map(|id| id.to_string()).collect()
}

/// The host label of a service whose operation has an alias, with or without its leading `*`; none where there
/// can't be one.
#[wasm_bindgen(js_name = aliasLabel)]
#[must_use]
pub fn alias_label_of(alias: &str, task: &str, service: &str) -> Option<String> {
    let alias = alias.strip_prefix('*').unwrap_or(alias);
    alias_label(alias, task, service).map(|label| label.to_string())
}

/// The problem JSON that a client gets for a denial code; none where there is no such code.
#[wasm_bindgen(js_name = problemOf)]
#[must_use]
pub fn problem_of(code: &str) -> Option<String> {
    let denial = Denial::ALL.into_iter().find(|denial| denial.code() == code)?;
    Some(reply(denial, Client::Api).body)
}
