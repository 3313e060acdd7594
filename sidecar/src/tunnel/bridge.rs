//! Copying between a WebSocket and a connection, both ways at once, until both ways have ended.
//!
//! Each way waits for its own reader and writer alone, so whoever is slow holds back the other end and nothing else,
//! and no more is kept than what is being written. The end of one way is passed on and the other goes on: in our own
//! protocol by a message, else by the WebSocket's close, which ends the data of who sends it first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::tunnel::frame::{self, Event, FrameError, FrameReader, FrameWriter, Side};

/// The subprotocol in which each direction ends by itself.
pub const SUBPROTOCOL: &str = "taskgate.tunnel.v1";
/// How often each end says that it is there. Shorter than any proxy's patience.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);
/// After how long without a word another end that says that it is there counts as gone.
const SILENCE: Duration = Duration::from_secs(95);
/// How long nothing may be taken of what is written, by the other end or by a job. Whoever stops a program may go on with
/// it later; who never reads does not keep a place for ever.
const STALL: Duration = Duration::from_secs(600);
/// How long the other end may take to close, once all is said.
const CLOSING: Duration = Duration::from_secs(5);
/// The most answers that wait to be sent; what is beyond that is left out.
const MAX_WAITING: usize = 4;

/// A WebSocket that carries a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Which end this is.
    pub side: Side,
    /// Whether both ends speak [`SUBPROTOCOL`].
    pub is_ours: bool,
    /// How often this end says that it is there, at the most [`PING_INTERVAL`].
    pub pings: Duration,
}

/// How it came to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Both ends said all that they had to say.
    Complete,
    /// The other end closed before that, with a code and words.
    Closed(u16, String),
    /// The connection to the other end broke.
    Gone(String),
    /// What is behind this end broke.
    Local(String),
    /// It was ended from here.
    Stopped,
}

/// Bytes that were passed on.
#[derive(Debug, Default)]
pub struct Counts {
    /// From the WebSocket to what is behind this end.
    pub received: AtomicU64,
    /// The other way.
    pub sent: AtomicU64,
}

/// What the reading half tells the writing one.
#[derive(Debug)]
enum Word {
    Pong(Vec<u8>),
    /// The other end sends no more data.
    PeerEnded,
}

/// With what the other end closed.
struct Closed {
    code: u16,
    words: String,
    /// Whether it had said that there would be no more data.
    had_ended: bool,
}

/// Why half of it stopped.
enum Halt {
    Local(String),
    Socket(FrameError),
}

/// Copies until both ways have ended, something breaks, or `stop` says why it has to end.
pub async fn run<S, R, W>(
    socket: S,
    kind: Kind,
    (local_reader, mut local_writer): (R, W),
    counts: &Counts,
    stop: impl Future<Output = (u16, &'static str)>,
) -> Ending
where
    S: AsyncRead + AsyncWrite,
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (source, sink) = tokio::io::split(socket);
    let mut reader = FrameReader::new(source, kind.side);
    let mut writer = FrameWriter::new(sink, kind.side);
    let ending = {
        let (words, said) = mpsc::channel(MAX_WAITING);
        let inbound = inbound(&mut reader, kind, &mut local_writer, words, &counts.received);
        let outbound = outbound(&mut writer, kind, local_reader, said, &counts.sent);
        tokio::select! {
            ending = both(kind, inbound, outbound) => Ok(ending),
            why = stop => Err(why),
        }
    };
    let (ending, farewell) = match ending {
        Err((code, words)) => (Ending::Stopped, Some((code, words))),
        Ok((ending, farewell)) => (ending, farewell.map(|code| (code, ""))),
    };
    let close = async {
        if let Some((code, words)) = farewell {
            writer.close(code, words).await?;
        }
        writer.shutdown().await
    };
    // Whoever does not take it in time has the connection cut.
    let _ = timeout(CLOSING, close).await;
    if ending == Ending::Complete {
        let _ = timeout(CLOSING, async { while reader.next().await.is_ok() {} }).await;
    }
    ending
}

/// Waits for both halves: how it ended, and the code to close with, where nothing was said yet.
async fn both(
    kind: Kind,
    inbound: impl Future<Output = Result<Closed, Halt>>,
    outbound: impl Future<Output = Result<Said, Halt>>,
) -> (Ending, Option<u16>) {
    tokio::pin!(inbound, outbound);
    tokio::select! {
        ended = &mut inbound => match ended {
            // A stock client closes when it has no more to say; the job may have.
            Ok(Closed { code, .. }) if kind.side == Side::Server && !kind.is_ours && is_orderly(code) => {
                match outbound.await {
                    Ok(Said::Closed) => (Ending::Complete, None),
                    Ok(Said::All) => (Ending::Complete, Some(frame::NORMAL)),
                    Err(halt) => halted(halt),
                }
            }
            Ok(Closed { code, .. }) if !kind.is_ours && is_orderly(code) => (Ending::Complete, Some(frame::NORMAL)),
            // A server closes so after both ways have ended, and this half knew it first.
            Ok(Closed { code: frame::NORMAL, had_ended: true, .. }) if kind.side == Side::Client => {
                (Ending::Complete, Some(frame::NORMAL))
            }
            Ok(Closed { code, words, .. }) => (Ending::Closed(code, words), Some(frame::NORMAL)),
            Err(halt) => halted(halt),
        },
        said = &mut outbound => match said {
            // All is said on both ways: the server closes, and the client waits for that.
            Ok(Said::All) if kind.side == Side::Server => (Ending::Complete, Some(frame::NORMAL)),
            Ok(Said::All | Said::Closed) => {
                // What is still on its way is taken, for as long as there is any.
                let patience = if kind.side == Side::Server || kind.is_ours { CLOSING } else { Duration::MAX };
                match timeout(patience, inbound).await {
                    Ok(Err(Halt::Local(why))) => (Ending::Local(why), None),
                    _ => (Ending::Complete, None),
                }
            }
            Err(halt) => halted(halt),
        },
    }
}

fn halted(halt: Halt) -> (Ending, Option<u16>) {
    match halt {
        Halt::Local(why) => (Ending::Local(why), Some(frame::BROKEN)),
        Halt::Socket(FrameError::Protocol(why)) => (Ending::Gone(why.to_owned()), Some(frame::PROTOCOL)),
        Halt::Socket(error) => (Ending::Gone(error.to_string()), None),
    }
}

/// Whether a close says that nothing went wrong.
fn is_orderly(code: u16) -> bool {
    matches!(code, 1000 | 1001 | 1005)
}

/// From the WebSocket to what is behind this end, until the other end closes.
async fn inbound<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    reader: &mut FrameReader<R>,
    kind: Kind,
    local: &mut W,
    words: mpsc::Sender<Word>,
    count: &AtomicU64,
) -> Result<Closed, Halt> {
    let mut has_ended = false;
    loop {
        // Both ends of ours say now and then that they are there. While something is written here nobody listens, so
        // that time does not count.
        let next = if kind.is_ours {
            let silent = |_| Halt::Socket(FrameError::Ended);
            timeout(SILENCE, reader.next()).await.map_err(silent)?
        } else {
            reader.next().await
        };
        match next.map_err(Halt::Socket)? {
            Event::Data(_) if has_ended => return Err(Halt::Socket(FrameError::Protocol("data after their end"))),
            Event::Data(data) => give(local, kind.side, data, count).await?,
            Event::Eof if kind.is_ours && !has_ended => {
                has_ended = true;
                // What is behind this end may have gone already, and has said so by itself.
                let _ = local.shutdown().await;
                // The other half may have ended already.
                let _ = words.send(Word::PeerEnded).await;
            }
            Event::Eof => return Err(Halt::Socket(FrameError::Protocol("an end of data that was not agreed on"))),
            // Where many wait already, one more says nothing new.
            Event::Ping(content) => drop(words.try_send(Word::Pong(content))),
            Event::Pong => {}
            Event::Close(code, words) => {
                if !kind.is_ours && is_orderly(code) {
                    let _ = local.shutdown().await;
                }
                return Ok(Closed { code, words, had_ended: has_ended });
            }
        }
    }
}

/// Writes to what is behind this end. A job has to take something now and then; a program of the user's may be stopped
/// for as long as they like.
async fn give<W: AsyncWrite + Unpin>(
    local: &mut W,
    side: Side,
    mut data: &[u8],
    count: &AtomicU64,
) -> Result<(), Halt> {
    let broke = |error: std::io::Error| Halt::Local(error.to_string());
    while !data.is_empty() {
        let written = match side {
            Side::Client => local.write(data).await,
            Side::Server => {
                let stalled = |_| Halt::Local("nothing was taken for too long".to_owned());
                timeout(STALL, local.write(data)).await.map_err(stalled)?
            }
        };
        let written = written.map_err(broke)?;
        if written == 0 {
            return Err(broke(std::io::ErrorKind::WriteZero.into()));
        }
        count.fetch_add(written as u64, Ordering::Relaxed);
        data = data.get(written..).unwrap_or_default();
    }
    local.flush().await.map_err(broke)
}

/// How the writing half ended.
enum Said {
    /// All data, and the WebSocket was closed.
    Closed,
    /// All data, and so has the other end.
    All,
}

/// From what is behind this end to the WebSocket.
async fn outbound<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    writer: &mut FrameWriter<W>,
    kind: Kind,
    mut local: R,
    mut words: mpsc::Receiver<Word>,
    count: &AtomicU64,
) -> Result<Said, Halt> {
    let mut pings = interval(kind.pings);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    let (mut has_ended, mut has_peer_ended, mut listens) = (false, false, true);
    while !(has_ended && has_peer_ended) {
        let room = writer.room().await.map_err(|error| Halt::Socket(error.into()))?;
        tokio::select! {
            read = local.read(room), if !has_ended => {
                let read = read.map_err(|error| Halt::Local(error.to_string()))?;
                if read > 0 {
                    taken(writer.data(read)).await?;
                    count.fetch_add(read as u64, Ordering::Relaxed);
                } else if kind.is_ours {
                    has_ended = true;
                    taken(writer.eof()).await?;
                } else {
                    taken(writer.close(frame::NORMAL, "")).await?;
                    return Ok(Said::Closed);
                }
            }
            word = words.recv(), if listens => match word {
                Some(Word::Pong(content)) => taken(writer.pong(&content)).await?,
                Some(Word::PeerEnded) => has_peer_ended = true,
                None => listens = false,
            },
            _ = pings.tick() => taken(writer.ping()).await?,
        }
    }
    Ok(Said::All)
}

/// Waits until the other end has taken one frame, which is short.
async fn taken(written: impl Future<Output = std::io::Result<()>>) -> Result<(), Halt> {
    let stalled = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "nothing was taken for too long");
    let written = timeout(STALL, written).await.map_err(stalled).and_then(|written| written);
    written.map_err(|error| Halt::Socket(error.into()))
}

#[cfg(test)]
mod tests;
