//! `taskgate-jobs`: runs one of the demo jobs as a process of its own.
//!
//! It prints its address as one line of JSON when it can be reached, and stops on SIGTERM or SIGINT.

use std::io::Write as _;
use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};
use taskgate_jobs::{JobHandle, JobOptions, grpc, http, listen, websocket};
use tokio::signal::unix::{SignalKind, signal};

/// Small servers to put behind the gateway.
#[derive(Debug, Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Subcommand)]
enum Job {
    /// A gRPC server, `taskgate.demo.Echo`.
    Grpc(Options),
    /// An HTTP/1.1 server.
    Http(Options),
    /// A WebSocket server, at `/ws`.
    Websocket(Options),
}

#[derive(Debug, Args)]
struct Options {
    /// What the job calls itself.
    #[arg(long, default_value = "job")]
    name: String,
    /// Where it listens; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let command = Command::parse();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let job = start(command.job).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    job.stop().await;
    Ok(())
}

async fn start(job: Job) -> anyhow::Result<JobHandle> {
    let (kind, options) = match &job {
        Job::Grpc(options) => ("grpc", options),
        Job::Http(options) => ("http", options),
        Job::Websocket(options) => ("websocket", options),
    };
    let listener = listen(options.listen).await?;
    let name = options.name.clone();
    let named = JobOptions { name: name.clone() };
    let handle = match job {
        Job::Grpc(_) => grpc::serve(listener, named)?,
        Job::Http(_) => http::serve(listener, named)?,
        Job::Websocket(_) => websocket::serve(listener, named)?,
    };
    let line = serde_json::json!({"kind": kind, "name": name, "address": handle.address()});
    writeln!(std::io::stdout(), "{line}")?;
    Ok(handle)
}
