//! A job that says its name. It is a thread of its own: whatever else is busy, it answers.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

/// A job. It ends with this process.
#[derive(Debug)]
pub(super) struct Job {
    address: SocketAddr,
}

impl Job {
    /// Starts one.
    pub(super) fn start(name: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let answer = answer.clone();
                std::thread::spawn(move || serve(stream, answer.as_bytes()));
            }
        });
        Ok(Self { address })
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers every request in the same way; they have no bodies.
fn serve(mut stream: TcpStream, answer: &[u8]) {
    let mut read = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        read.extend_from_slice(piece.get(..length).unwrap_or_default());
        if read.ends_with(b"\r\n\r\n") {
            read.clear();
            if stream.write_all(answer).is_err() {
                break;
            }
        }
    }
    // It is gone already, or does not care.
    let _ = stream.shutdown(Shutdown::Both);
}
