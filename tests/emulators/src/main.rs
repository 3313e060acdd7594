//! `taskgate-ytsaurus-emulator`: a YTsaurus cluster to play with.
//!
//! It prints its address as one line of JSON when it can be reached, and stops on SIGTERM or SIGINT.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use taskgate_emulators::ytsaurus::Ytsaurus;
use tokio::signal::unix::{SignalKind, signal};

/// The HTTP API of a YTsaurus cluster, in memory.
#[derive(Debug, Parser)]
#[command(version)]
struct Command {
    /// Where it listens; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What is in the cluster: a file in YSON or JSON with users, groups, operations and nodes.
    #[arg(long)]
    scenario: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let cluster = Ytsaurus::start_on(command.listen).await?;
    if let Some(path) = &command.scenario {
        let scenario = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        cluster.play(&scenario).with_context(|| format!("in {}", path.display()))?;
    }
    writeln!(std::io::stdout(), "{}", serde_json::json!({"kind": "ytsaurus", "address": cluster.address()}))?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
