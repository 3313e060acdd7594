//! Bytes over TCP, for clients and jobs whose every byte counts.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::soon;

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// The head of a request or response; each byte of a value is one character.
#[derive(Debug)]
pub(crate) struct Head {
    /// The first line.
    pub(crate) line: String,
    fields: Vec<(String, String)>,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self::new(soon("a connection", TcpStream::connect(address)).await??))
    }

    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
        soon("the peer to take bytes", self.stream.write_all(bytes.as_ref())).await?.context("can't write")
    }

    /// Sends a part of a chunked body.
    pub(crate) async fn write_chunk(&mut self, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
        let bytes = bytes.as_ref();
        let size = format!("{:x}\r\n", bytes.len());
        self.write([size.as_bytes(), bytes, b"\r\n"].concat()).await
    }

    /// Everything up to and with `end`.
    pub(crate) async fn read_until(&mut self, end: &[u8]) -> anyhow::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                return Ok(self.unread.drain(..at + end.len()).collect());
            }
            if self.read_more().await? == 0 {
                bail!("the connection ended after {}", latin1(&self.unread));
            }
        }
    }

    /// Everything until the connection ends, or breaks.
    pub(crate) async fn read_to_end(&mut self) -> anyhow::Result<Vec<u8>> {
        while self.read_more().await.is_ok_and(|read| read > 0) {}
        Ok(std::mem::take(&mut self.unread))
    }

    /// So many bytes.
    pub(crate) async fn read_exact(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.unread.len() < length {
            if self.read_more().await? == 0 {
                bail!("the connection ended {} bytes early", length - self.unread.len());
            }
        }
        Ok(self.unread.drain(..length).collect())
    }

    pub(crate) async fn read_head(&mut self) -> anyhow::Result<Head> {
        let text = latin1(&self.read_until(b"\r\n\r\n").await?);
        let mut lines = text.trim_end().split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let field =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim_start().to_owned()));
        Ok(Head { line, fields: lines.filter_map(field).collect() })
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(self) -> anyhow::Result<()> {
        Ok(self.stream.set_zero_linger()?)
    }

    async fn read_more(&mut self) -> anyhow::Result<usize> {
        soon("the peer to send bytes", self.stream.read_buf(&mut self.unread)).await?.context("can't read")
    }
}

impl Head {
    /// The values of all lines of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    }

    /// All names, sorted, each once.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How long the body is, by `content-length`.
    pub(crate) fn length(&self) -> anyhow::Result<usize> {
        Ok(self.all("content-length").first().context("no content-length")?.parse()?)
    }

    /// Whether any line has that text in it.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.line.contains(text) || self.fields.iter().any(|(name, value)| name.contains(text) || value.contains(text))
    }
}

/// Each character, none of which is beyond U+00FF, as one byte.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect()
}

/// Each byte as one character.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
