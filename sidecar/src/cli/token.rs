//! `taskgate token new`.

use clap::{Args, Subcommand};

use crate::auth::tokens;
use crate::cli::output;
use crate::digest::Digest;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// make a token: it is printed once, and its hash as an entry of the configuration
    New(New),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// whose it is
    #[arg(long)]
    actor: String,
    /// a group of theirs; repeat for more
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// their mail address
    #[arg(long)]
    email: Option<String>,
    /// when it ends, as in 2027-01-31T00:00:00Z
    #[arg(long, value_name = "DATE")]
    expires_at: Option<String>,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New(new) => new.run(),
        }
    }
}

impl New {
    fn run(self) -> anyhow::Result<()> {
        if let Some(date) = &self.expires_at {
            tokens::parse_date(date).map_err(anyhow::Error::msg)?;
        }
        let token = tokens::generate()?;
        let digest = Digest::of(token.expose().as_bytes());
        output::line("# The token, shown this once:")?;
        output::line(token.expose())?;
        output::line("# Its entry under `verdicts.sources[].tokens.tokens`:")?;
        // JSON texts are YAML texts too, whatever is in them.
        let mut entry = format!("- sha256: {digest}\n  actor: {}\n", serde_json::to_string(&self.actor)?);
        if let Some(email) = &self.email {
            entry.push_str(&format!("  email: {}\n", serde_json::to_string(email)?));
        }
        if !self.groups.is_empty() {
            entry.push_str(&format!("  groups: {}\n", serde_json::to_string(&self.groups)?));
        }
        if let Some(date) = &self.expires_at {
            entry.push_str(&format!("  expires_at: {date}\n"));
        }
        output::text(&entry)
    }
}
