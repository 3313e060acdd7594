//! `taskgate session seal`.

use clap::{Args, Subcommand};
use hyper::Method;

use crate::api::session::{SessionAnswer, SessionRequest};
use crate::cli::client::Target;
use crate::cli::output;
use crate::config::duration;

#[derive(Debug, Subcommand)]
pub(super) enum Session {
    /// make a session token for one service, as sign-in would
    Seal(Seal),
}

#[derive(Debug, Args)]
pub(super) struct Seal {
    #[command(flatten)]
    target: Target,
    /// the service's id or another label of it
    #[arg(long)]
    service: String,
    /// whose session it is
    #[arg(long)]
    actor: String,
    /// a group of theirs; repeat for more
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// their mail address
    #[arg(long)]
    email: Option<String>,
    /// how long it lasts, as in 15m or 8h
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    lifetime: String,
    /// the epoch of the service's policy; by default the one in force
    #[arg(long)]
    epoch: Option<u32>,
}

impl Session {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self::Seal(seal) = self;
        let request = SessionRequest {
            service: seal.service,
            actor: seal.actor,
            email: seal.email,
            groups: seal.groups,
            lifetime_secs: duration::parse(&seal.lifetime)?.as_secs(),
            epoch: seal.epoch,
        };
        let answer: SessionAnswer =
            seal.target.ask(&Method::POST, "/internal/session", serde_json::to_vec(&request)?)?;
        output::line(&answer.token)
    }
}
