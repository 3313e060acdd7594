//! `taskgate tunnel`.

pub(super) mod way;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::net::{TcpListener, TcpStream};

use crate::cli::output;
use crate::cli::tunnel::way::{Service, Way};
use crate::lifecycle::Tasks;
use crate::lifecycle::listener::ACCEPT_PAUSE;
use crate::lifecycle::signals::{Request, Signals};
use crate::tasks::operations::words;
use crate::tunnel::bridge::{self, Counts, Ending};
use crate::tunnel::frame;

/// The most characters of what the other end says.
const MAX_WORDS: usize = 200;
/// How long tunnels may take to say that they end.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Tunnel {
    #[command(flatten)]
    service: Service,
    /// a port of this machine's loopback to listen on, 0 for any that is free; with `:REMOTE`, the port of the workload
    /// that it leads to, where SERVICE is a workload's address as in `https://host/proxy/TASK`. May be repeated
    #[arg(short = 'p', long = "port", value_name = "LOCAL[:REMOTE]", default_value = "0")]
    ports: Vec<Forward>,
}

/// A port of this machine, and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Forward {
    local: u16,
    remote: Option<u16>,
}

impl std::str::FromStr for Forward {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (local, remote) = match text.split_once(':') {
            Some((local, remote)) => (local, Some(remote)),
            None => (text, None),
        };
        let remote = remote.map(str::parse).transpose().map_err(|_| "REMOTE is no port")?;
        if remote == Some(0) {
            return Err("REMOTE is no port");
        }
        Ok(Self { local: local.parse().map_err(|_| "LOCAL is no port, as in `5432`, or `0` for any")?, remote })
    }
}

impl Tunnel {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new().context("can't start")?;
        let outcome = runtime.block_on(self.listen());
        runtime.shutdown_background();
        outcome
    }

    async fn listen(self) -> anyhow::Result<()> {
        let mut signals = Signals::listen().context("can't listen for signals")?;
        let way = self.service.way().await?;
        let tasks = Tasks::new();
        let mut bound = Vec::new();
        for forward in &self.ports {
            let way = Arc::new(way.to_port(forward.remote)?);
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, forward.local)).await;
            let listener = listener.with_context(|| format!("can't listen on 127.0.0.1:{}", forward.local))?;
            bound.push((listener, way));
        }
        for (listener, way) in bound {
            output::line(&format!("{} leads to {}", listener.local_addr()?, way.name()))?;
            tasks.spawn("listener", accept(listener, way, tasks.clone()));
        }
        while signals.next().await != Request::End {}
        tasks.end(GRACE).await;
        Ok(())
    }
}

/// One tunnel for each connection.
async fn accept(listener: TcpListener, way: Arc<Way>, tasks: Tasks) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = tasks.stop().cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let (way, stop) = (Arc::clone(&way), tasks.stop().clone());
                tasks.spawn("tunnel", async move {
                    let done = tokio::select! {
                        done = carry(stream, &way, &stop) => done,
                        () = async { stop.cancelled().await; tokio::time::sleep(GRACE).await } => return,
                    };
                    if let Err(error) = done {
                        output::error(&format!("taskgate: {error:#}"));
                    }
                });
            }
            Err(error) => {
                output::error(&format!("taskgate: a connection was not accepted: {error}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn carry(mut local: TcpStream, way: &Way, stop: &tokio_util::sync::CancellationToken) -> anyhow::Result<()> {
    let outcome = async {
        local.set_nodelay(true)?;
        let (socket, kind) = way.open().await?;
        let ended = async {
            stop.cancelled().await;
            (frame::GOING_AWAY, "")
        };
        let ending = bridge::run(socket, kind, local.split(), &Counts::default(), ended).await;
        if ending == Ending::Complete { Ok(()) } else { said(ending) }
    };
    let outcome = outcome.await;
    if outcome.is_err() {
        // Whoever reads here must not take what was broken off for all there is.
        let _ = local.set_zero_linger();
    }
    outcome
}

/// An ending in words, for people.
pub(super) fn said(ending: Ending) -> anyhow::Result<()> {
    match ending {
        Ending::Complete | Ending::Stopped => Ok(()),
        Ending::Closed(frame::BROKEN, _) => bail!("the job broke off the connection"),
        // They may be a job's, and this is a terminal.
        Ending::Closed(_, words) if !words.is_empty() => {
            bail!("the gateway ended the tunnel: {}", words::line(&words, MAX_WORDS))
        }
        Ending::Closed(code, _) => bail!("the gateway ended the tunnel (code {code})"),
        Ending::Gone(why) => bail!("the gateway broke off the tunnel: {why}"),
        Ending::Local(why) => bail!("the program at this end broke off its connection: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_pairs() {
        let forward = |local, remote| Ok(Forward { local, remote });
        assert_eq!("5432".parse(), forward(5432, None));
        assert_eq!("0:8265".parse(), forward(0, Some(8265)));
        for text in ["", "x", "1:", ":1", "1:0", "1:2:3", "65536", "-1"] {
            assert!(text.parse::<Forward>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_the_other_end_says_does_nothing_to_the_terminal() {
        let words = "\u{1b}]0;owned\u{7}\u{1b}[2Jbye\r\n\u{9b}31m";
        let error = said(Ending::Closed(frame::POLICY, words.into())).expect_err("an error").to_string();
        assert!(error.contains("bye") && !error.chars().any(char::is_control), "{error:?}");
    }
}
