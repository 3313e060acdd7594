//! `taskgate key new`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;

use crate::cli::output;
use crate::random;

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// print a new key, for a file that `keys[].secret_file` names
    New,
}

impl Key {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self::New = self;
        let bytes: [u8; 32] = random::bytes()?;
        output::line(&STANDARD.encode(bytes))
    }
}
