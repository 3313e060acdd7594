//! The server behind Envoy: answers as fast as one can, so that Envoy is what is measured.
//!
//! `GET /head` gets the head of the request as it arrived, `GET /socket` a WebSocket that says nothing; everything else
//! gets `ok`.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::child;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nok\n";
const SOCKET: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
/// The largest head that is read.
const MAX_HEAD: usize = 64 << 10;

/// Serves on that many addresses until standard input ends.
pub(crate) async fn run(addresses: u8) -> anyhow::Result<()> {
    let mut bound = Vec::new();
    for last in 1..=addresses {
        let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0)).await.context("can't listen")?;
        bound.push(listener.local_addr()?);
        tokio::spawn(accept(listener));
    }
    child::serve(&bound).await
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            // Clients that hang up are everyday life of a server.
            let _ = answer(stream).await;
        });
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::with_capacity(4096);
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        if head.starts_with(b"GET /head ") {
            let length = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
            stream.write_all(&[length.as_bytes(), &head].concat()).await?;
        } else if head.starts_with(b"GET /socket ") {
            stream.write_all(SOCKET).await?;
            return drain(stream).await;
        } else {
            stream.write_all(OK).await?;
        }
    }
}

/// Takes what comes until the other side hangs up.
async fn drain(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// An address as services files and Envoy write it.
pub(crate) fn texts(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
