//! `taskgate explain`.

use std::process::ExitCode;

use clap::Args;
use hyper::Method;

use crate::access::explain::{ExplainAnswer, ExplainRequest};
use crate::cli::access::Office;
use crate::cli::{columns, output};

/// The status where the request would be refused.
const REFUSED: u8 = 2;

#[derive(Debug, Args)]
#[command(after_help = "The exit status is 0 where the request would be let in, and 2 where it would be refused.")]
pub(super) struct Explain {
    /// the URL that is visited
    url: String,
    /// who visits it; by default somebody who shows nothing, and with `--at` yourself
    #[arg(long = "as", value_name = "USER")]
    actor: Option<String>,
    /// a group of theirs; repeat for more
    #[arg(long = "group", value_name = "GROUP", requires = "actor")]
    groups: Vec<String>,
    /// the method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// another header, as in `accept: text/html`; repeat for more
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    office: Office,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let request = ExplainRequest {
            url: self.url,
            actor: self.actor,
            groups: self.groups,
            method: self.method,
            headers: self.headers,
        };
        let answer: ExplainAnswer = self.office.ask(&Method::POST, "/explain", Some(&request))?;
        if self.json {
            output::line(&serde_json::to_string_pretty(&answer)?)?;
        } else {
            output::text(&text(&answer))?;
        }
        Ok(if answer.outcome == "refuse" { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS })
    }
}

fn text(answer: &ExplainAnswer) -> String {
    let rows = answer.steps.iter().map(|step| [step.step.clone(), step.found.clone()]);
    columns::aligned(["STEP", "FOUND"], rows)
}
