//! The command line.

mod access;
mod client;
mod columns;
mod commands;
mod config;
mod data;
mod discover;
mod explain;
mod id;
mod key;
mod names;
mod output;
mod render;
mod serve;
mod server;
mod services;
mod session;
mod share;
mod ssh_proxy;
mod stores;
mod tasks;
mod token;
mod tunnel;
mod worker;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry::metrics::Metrics;

/// The gate in front of jobs: discovery, verdicts and the table for the filter.
#[derive(Debug, Parser)]
#[command(name = "taskgate", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// print the reference of all commands
    Commands,
    /// check a configuration, or print what is known about it
    #[command(subcommand)]
    Config(config::Config),
    /// look after stores of data
    #[command(subcommand)]
    Data(stores::Data),
    /// look for services as the sidecar would, and print them and everything that is refused
    Discover(discover::Discover),
    /// get a file that was uploaded, or what a run left behind
    Download(data::download::Download),
    /// print how a request would be decided, and each step of that
    Explain(explain::Explain),
    /// print the id of a service
    Id(id::Id),
    /// make keys for `keys`
    #[command(subcommand)]
    Key(key::Key),
    /// print the reference of all metrics
    Metrics,
    /// look after friendly names
    #[command(subcommand)]
    Names(names::Names),
    /// print configurations of ingresses, or look at one
    #[command(subcommand)]
    Render(render::Render),
    /// run the sidecar
    Serve(serve::Serve),
    /// list the services of a running sidecar
    Services(services::Services),
    /// make sessions at a running sidecar, or end them
    #[command(subcommand)]
    Session(session::Session),
    /// let others use a service by a link, list such links, take them back
    Share(share::Share),
    /// carry ssh to a service: `ssh -o ProxyCommand="taskgate ssh-proxy %h" …`
    SshProxy(ssh_proxy::SshProxy),
    /// ask for tasks, and look after them
    #[command(subcommand)]
    Tasks(tasks::Tasks),
    /// make tokens for `verdicts.sources[].tokens`
    #[command(subcommand)]
    Token(token::Token),
    /// have ports of this machine lead to services that speak TCP, through the gateway
    Tunnel(tunnel::Tunnel),
    /// put files where a project's data are, and print the address of each. The exit status is 1 where one failed
    Upload(data::upload::Upload),
    /// work on tasks
    Worker(worker::Worker),
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Commands => output::text(&commands::markdown()),
        Command::Config(config) => config.run(),
        Command::Data(data) => return exit(data.run()),
        Command::Discover(discover) => discover.run(),
        Command::Download(download) => return exit(download.run()),
        Command::Explain(explain) => return exit(explain.run()),
        Command::Id(id) => id.run(),
        Command::Key(key) => key.run(),
        Command::Metrics => output::text(&Metrics::new().markdown()),
        Command::Names(names) => names.run(),
        Command::Render(render) => return exit(render.run()),
        Command::Serve(serve) => serve.run(),
        Command::Services(services) => services.run(),
        Command::Session(session) => session.run(),
        Command::Share(share) => share.run(),
        Command::SshProxy(proxy) => proxy.run(),
        // They say more than whether they went well.
        Command::Tasks(tasks) => return exit(tasks.run()),
        Command::Token(token) => token.run(),
        Command::Tunnel(tunnel) => tunnel.run(),
        Command::Upload(upload) => return exit(upload.run()),
        Command::Worker(worker) => worker.run(),
    };
    exit(outcome.map(|()| ExitCode::SUCCESS))
}

fn exit(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("taskgate: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
