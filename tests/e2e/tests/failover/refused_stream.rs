//! HTTP/2 servers that say of a request that they have not looked at it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::ingress::message;
use crate::support::service::{ALICE, Service};
use crate::support::setup::Setup;
use crate::support::{Outcome, jobs, soon};

/// The start of every connection (RFC 9113, section 3.4).
const PREFACE: usize = 24;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
/// The error code that makes a request safe to send again (RFC 9113, section 7).
const REFUSED_STREAM: u32 = 7;

/// Refuses every request of one connection.
async fn refuse(mut stream: TcpStream, refused: Arc<AtomicUsize>) -> Outcome {
    stream.read_exact(&mut [0; PREFACE]).await?;
    write_frame(&mut stream, SETTINGS, 0, 0, &[]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, stream_id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut payload).await?;
        match kind {
            SETTINGS if flags & ACK == 0 => write_frame(&mut stream, SETTINGS, ACK, 0, &[]).await?,
            HEADERS => {
                refused.fetch_add(1, Ordering::SeqCst);
                let stream_id = u32::from_be_bytes(stream_id);
                write_frame(&mut stream, RST_STREAM, 0, stream_id, &REFUSED_STREAM.to_be_bytes()).await?;
            }
            _ => {}
        }
    }
}

async fn write_frame(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> Outcome {
    let [_, a, b, c] = u32::try_from(payload.len())?.to_be_bytes();
    let head = [[a, b, c, kind, flags].as_slice(), &id.to_be_bytes()].concat();
    Ok(stream.write_all(&[&head, payload].concat()).await?)
}

async fn refuser() -> anyhow::Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (address, refused) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&refused);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(refuse(stream, Arc::clone(&counter)));
        }
    });
    Ok((address, refused))
}

#[tokio::test]
async fn a_call_that_was_refused_goes_on_to_the_next_job() -> Outcome {
    let (address, refused) = refuser().await?;
    let job = jobs::grpc("G").await?;
    let services = [Service::grpc("echo").at(address).reserve(job.address())];
    let setup = Setup::new(services).configure(|config| config["gate"]["demotion_secs"] = 0.into());
    let gateway = setup.start().await?;
    let mut client = gateway.ingress.grpc("echo").await?;
    for number in 1..6 {
        let reply = soon("a reply", client.unary(message("hi", ALICE)?)).await??.into_inner();
        assert_eq!((reply.name.as_str(), reply.message.as_str()), ("G", "hi"));
        assert_eq!((refused.load(Ordering::SeqCst), job.requests()), (number, number as u64));
    }
    Ok(())
}
