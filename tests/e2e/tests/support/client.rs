//! Somebody who connects: with a client certificate, by the real `openssl s_client`, or without TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use taskgate_test_kit::Issued;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::soon;

/// An open connection; or one that was never let in, which shows by its end.
pub(crate) struct Client {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    _program: Option<Child>,
}

impl Client {
    pub(crate) async fn plain(to: SocketAddr) -> anyhow::Result<Self> {
        let (reader, writer) = soon("a connection", TcpStream::connect(to)).await??.into_split();
        Ok(Self { reader: Box::new(reader), writer: Box::new(writer), _program: None })
    }

    /// With that certificate, or none. The server has to have one of the authority.
    pub(crate) fn secure(to: SocketAddr, authority: &Path, shown: Option<&Issued>) -> anyhow::Result<Self> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-servername", "localhost", "-connect"]);
        command.arg(to.to_string()).arg("-CAfile").arg(authority);
        if let Some(Issued { certificate, key }) = shown {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut program = command.spawn().context("can't run openssl")?;
        let (reader, writer) = (program.stdout.take().context("no output")?, program.stdin.take().context("no input")?);
        Ok(Self { reader: Box::new(reader), writer: Box::new(writer), _program: Some(program) })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.writer.write_all(bytes).await?;
        Ok(self.writer.flush().await?)
    }

    /// Reads exactly these bytes.
    pub(crate) async fn expect(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut read = vec![0; bytes.len()];
        soon("bytes of the job", self.reader.read_exact(&mut read)).await??;
        ensure!(read == bytes, "{:?} instead of {:?}", String::from_utf8_lossy(&read), String::from_utf8_lossy(bytes));
        Ok(())
    }

    /// Says something and hears it back.
    pub(crate) async fn echo(&mut self, text: &str) -> anyhow::Result<()> {
        self.send(text.as_bytes()).await?;
        self.expect(text.as_bytes()).await
    }

    /// What comes until the connection is over.
    pub(crate) async fn rest(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut rest = Vec::new();
        // A connection that is reset is over as well.
        let _ = soon("the connection to end", self.reader.read_to_end(&mut rest)).await?;
        Ok(rest)
    }
}
