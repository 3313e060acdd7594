//! Where questions about access go: the internal listener of a sidecar, or the API for everybody.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::client::Target;
use crate::cli::server::{self, Server};

/// Where the sidecar is, and who asks.
#[derive(Debug, Args)]
pub(super) struct Office {
    #[command(flatten)]
    target: Target,
    /// ask the API for everybody there, as in `https://access.tasks.example.test`, and not the internal listener. What
    /// says where that is comes first
    #[arg(long, value_name = "URL", env = "TASKGATE_ACCESS")]
    at: Option<String>,
    /// a file with your token, for `--at`
    #[arg(long, value_name = "FILE", env = "TASKGATE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

impl Office {
    /// Asks, and reads the JSON of the answer. `path` is one below `/internal` or `/v1`.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let body = body.map(serde_json::to_vec).transpose()?;
        // A variable is no reason to refuse options, so they don't exclude each other.
        let Some(at) = self.at.as_ref().filter(|_| !self.target.is_given()) else {
            return self.target.ask(method, &format!("/internal{path}"), body.unwrap_or_default());
        };
        let client = Server::at(at.clone(), self.token_file.clone()).client()?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut url = client.at(&format!("/v1{path}"));
        url.set_query((!query.is_empty()).then_some(query));
        let mut request = client.request_to(method.clone(), url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("can't start")?;
        Ok(runtime.block_on(server::json(request))?)
    }
}
