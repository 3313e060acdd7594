//! `taskgate ssh-proxy`.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use clap::Args;
use tokio::io::{AsyncWrite, Stdout};
use tokio::sync::Notify;

use crate::cli::tunnel::said;
use crate::cli::tunnel::way::Service;
use crate::lifecycle::signals::{Request, Signals};
use crate::tunnel::bridge::{self, Counts, Ending};
use crate::tunnel::frame;

#[derive(Debug, Args)]
pub(super) struct SshProxy {
    #[command(flatten)]
    service: Service,
}

impl SshProxy {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Runtime::new().context("can't start")?;
        let outcome = runtime.block_on(self.carry());
        // Standard input is read on a thread of its own, which does not keep the process.
        runtime.shutdown_background();
        outcome
    }

    async fn carry(self) -> anyhow::Result<()> {
        let mut signals = Signals::listen().context("can't listen for signals")?;
        let (socket, kind) = self.service.way().await?.open().await?;
        let ended = Arc::new(Notify::new());
        let local = (tokio::io::stdin(), Output { inner: tokio::io::stdout(), ended: Arc::clone(&ended) });
        let stop = async {
            let ended_by_signal = async { while signals.next().await != Request::End {} };
            tokio::select! {
                // Standard output can't be closed while the process lives, and ssh waits for its end.
                () = ended.notified() => (frame::NORMAL, ""),
                () = ended_by_signal => (frame::GOING_AWAY, ""),
            }
        };
        let ending = bridge::run(socket, kind, local, &Counts::default(), stop).await;
        if ending == Ending::Complete { Ok(()) } else { said(ending) }
    }
}

/// Standard output, which says when all was written.
#[derive(Debug)]
struct Output {
    inner: Stdout,
    ended: Arc<Notify>,
}

impl AsyncWrite for Output {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        if flushed.is_ready() {
            self.ended.notify_one();
        }
        flushed
    }
}
