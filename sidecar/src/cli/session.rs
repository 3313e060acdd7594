//! `taskgate session`.

use clap::{Args, Subcommand};
use hyper::Method;

use crate::api::access::v1::internal::{EndAnswer, EndRequest};
use crate::api::session::{SessionAnswer, SessionRequest};
use crate::cli::client::Target;
use crate::cli::output;
use crate::config::duration;

#[derive(Debug, Subcommand)]
pub(super) enum Session {
    /// make a session token for one service, as sign-in would
    Seal(Seal),
    /// end sessions at once, everywhere, with the streams that are open by them
    End(End),
}

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct End {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    target: Target,
}

/// Whose sessions end.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// all sessions of a person
    #[arg(long, value_name = "USER")]
    actor: Option<String>,
    /// the sessions of one sign-in
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// everybody's sessions
    #[arg(long)]
    everybody: bool,
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
        match self {
            Self::End(end) => end.run(),
            Self::Seal(seal) => seal.run(),
        }
    }
}

impl End {
    fn run(self) -> anyhow::Result<()> {
        let Whose { actor, id, everybody } = self.whose;
        let request = serde_json::to_vec(&EndRequest { actor, id, everybody })?;
        let answer: EndAnswer = self.target.ask(&Method::POST, "/internal/sessions/end", request)?;
        let kept = if answer.kept { "" } else { "; a restart of the sidecar forgets that: set `state.directory`" };
        output::line(&format!("ended; open streams end within seconds{kept}"))
    }
}

impl Seal {
    fn run(self) -> anyhow::Result<()> {
        let seal = self;
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
