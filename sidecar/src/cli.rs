//! The command line.

mod output;
mod serve;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The gate in front of jobs: discovery, verdicts and the table for the filter.
#[derive(Debug, Parser)]
#[command(name = "taskgate", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// run the sidecar
    Serve(serve::Serve),
    /// make tokens for `verdicts.sources[].tokens`
    #[command(subcommand)]
    Token(token::Token),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&format!("taskgate: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
