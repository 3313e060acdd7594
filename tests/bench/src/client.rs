//! A small HTTP/1.1 client with one connection.
//!
//! It must not be what limits the load: it sends requests that are made already, and looks at nothing of
//! an answer but its status and length.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, in the buffer of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: usize,
    body: usize,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("can't connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await.context("can't send")?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.context("no answer")?;
            ensure!(read > 0, "the connection was closed instead of an answer");
            ensure!(self.buffer.len() <= MAX_ANSWER, "the answer is too long");
            match Answer::parse(&self.buffer)? {
                Some(answer) if self.buffer.len() >= answer.head + answer.body => return Ok(answer),
                _ => {}
            }
        }
    }

    /// Sends a request that must be answered with 200.
    pub(crate) async fn succeed(&mut self, request: &[u8]) -> anyhow::Result<()> {
        let answer = self.exchange(request).await?;
        ensure!(answer.status == 200, "answered {}: {}", answer.status, String::from_utf8_lossy(&self.buffer));
        Ok(())
    }

    /// The body of the last answer.
    pub(crate) fn body(&self, answer: Answer) -> &[u8] {
        self.buffer.get(answer.head..answer.head + answer.body).unwrap_or_default()
    }
}

impl Answer {
    /// Reads the head of an answer; none while it is not whole.
    fn parse(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let mut head = 0;
        let mut status = None;
        let mut body = None;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            head += line.len();
            if !line.ends_with(b"\r\n") {
                return Ok(None);
            }
            let line = line.trim_ascii();
            if status.is_none() {
                let digits = line.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
                status = digits.and_then(number::<u16>);
                ensure!(status.is_some(), "not an HTTP/1.1 answer");
            } else if line.is_empty() {
                let (Some(status), Some(body)) = (status, body) else { bail!("the answer has no length") };
                return Ok(Some(Self { status, head, body }));
            } else if let Some((name, value)) = line.split_at_checked(b"content-length:".len())
                && name.eq_ignore_ascii_case(b"content-length:")
            {
                body = number::<usize>(value.trim_ascii());
            }
        }
        Ok(None)
    }
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_answers_alone() {
        let text = b"HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: 3\r\n\r\nok\n";
        let answer = Answer::parse(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.head, answer.body), (200, text.len() - 3, 3));
        for end in 0..answer.head {
            assert_eq!(Answer::parse(&text[..end]).unwrap(), None, "cut at {end}");
        }
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Answer::parse(b"SSH-2.0\r\n").is_err());
    }
}
