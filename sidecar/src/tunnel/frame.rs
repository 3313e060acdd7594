//! Frames of a WebSocket (RFC 6455, section 5), as far as a tunnel has them: binary messages are data, whatever their
//! length, for they are passed on piece by piece; the text message `eof` ends a direction; control frames.
//!
//! Reading and writing may be broken off and begun again at any time: what was read stays here, and so does what is not
//! written yet of a frame.

use std::io::{self, Cursor};
use std::ops::Range;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::random;

/// The most bytes of data in one frame that is written, and in one piece that is read.
pub const PIECE: usize = 64 << 10;
/// The longest header of a frame.
pub const HEAD: usize = 14;
/// The most bytes in a control frame, and in a text message of ours.
const MAX_CONTROL: u64 = 125;
/// The text message that ends the data of its direction.
const EOF: &[u8] = b"eof";
/// What a close code means to the other end: all went well.
pub const NORMAL: u16 = 1000;
/// This end goes away.
pub const GOING_AWAY: u16 = 1001;
/// The other end broke the protocol.
pub const PROTOCOL: u16 = 1002;
/// Not allowed, or not any more.
pub const POLICY: u16 = 1008;
/// What is behind this end broke.
pub const BROKEN: u16 = 1011;
/// No code was given.
const NO_CODE: u16 = 1005;

/// Which end of a WebSocket this is: clients mask what they send, servers don't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who opened it.
    Client,
    /// Who took it.
    Server,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// The other end closes, with that code and those words.
    Close(u16, String),
    /// Bytes.
    Data(&'b [u8]),
    /// There will be no more data.
    Eof,
    /// It asks whether somebody is there.
    Ping(Vec<u8>),
    /// Somebody is.
    Pong,
}

/// Why nothing more can be read.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The connection ended without a word.
    #[error("the connection ended")]
    Ended,
    /// It broke.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// What came is not of this protocol.
    #[error("the other end does not speak this protocol: {0}")]
    Protocol(&'static str),
}

/// Reads frames.
#[derive(Debug)]
pub struct FrameReader<R> {
    source: R,
    side: Side,
    buffer: Box<[u8]>,
    /// What of the buffer was read and not looked at.
    filled: Range<usize>,
    /// What is left of the data frame that is being read, its mask, and where in the mask.
    left: u64,
    mask: [u8; 4],
    turn: usize,
    /// Whether a message in several frames goes on.
    is_in_message: bool,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads what the other end sends to this side.
    #[must_use]
    pub fn new(source: R, side: Side) -> Self {
        let buffer = vec![0; PIECE + HEAD].into_boxed_slice();
        Self { source, side, buffer, filled: 0..0, left: 0, mask: [0; 4], turn: 0, is_in_message: false }
    }

    /// What comes next.
    ///
    /// # Errors
    /// [`FrameError`].
    pub async fn next(&mut self) -> Result<Event<'_>, FrameError> {
        let piece = loop {
            if self.left > 0 {
                if self.filled.is_empty() {
                    self.fill().await?;
                }
                break self.piece();
            }
            let Some((header, length, size)) = self.header()? else {
                self.fill().await?;
                continue;
            };
            let OpCode::Data(Data::Binary | Data::Continue) = header.opcode else {
                if length > MAX_CONTROL || !header.is_final {
                    return Err(FrameError::Protocol("a control frame or a text that is too long"));
                }
                let size = size.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                while self.filled.len() < size {
                    self.fill().await?;
                }
                return self.whole(&header, length, size);
            };
            if self.is_in_message != (header.opcode == OpCode::Data(Data::Continue)) {
                return Err(FrameError::Protocol("a message inside another, or the rest of none"));
            }
            self.is_in_message = !header.is_final;
            self.filled.start += size;
            (self.left, self.mask, self.turn) = (length, header.mask.unwrap_or_default(), 0);
        };
        Ok(Event::Data(self.buffer.get(piece).unwrap_or_default()))
    }

    /// The next piece of data, as it was before it was masked.
    fn piece(&mut self) -> Range<usize> {
        let length = self.filled.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let piece = self.filled.start..self.filled.start + length;
        if self.side == Side::Server {
            apply(self.buffer.get_mut(piece.clone()).unwrap_or_default(), self.mask, self.turn);
            self.turn = (self.turn + length) % 4;
        }
        self.filled.start += length;
        self.left = self.left.saturating_sub(length as u64);
        piece
    }

    /// The header that is next, the length of what follows it, and its own; none where it is not whole yet.
    fn header(&self) -> Result<Option<(FrameHeader, u64, usize)>, FrameError> {
        let mut cursor = Cursor::new(self.buffer.get(self.filled.clone()).unwrap_or_default());
        let parsed =
            FrameHeader::parse(&mut cursor).map_err(|_| FrameError::Protocol("a header that can't be read"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(FrameError::Protocol("an extension that was not agreed on"));
        }
        if header.mask.is_some() != (self.side == Side::Server) {
            return Err(FrameError::Protocol("clients mask what they send, and servers do not"));
        }
        let size = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        Ok(Some((header, length, size)))
    }

    /// A short frame that is there as a whole; `size` is that of header and content.
    fn whole(&mut self, header: &FrameHeader, length: u64, size: usize) -> Result<Event<'static>, FrameError> {
        let end = self.filled.start.saturating_add(size);
        let start = end.saturating_sub(usize::try_from(length).unwrap_or(usize::MAX));
        let mut content = self.buffer.get(start..end).unwrap_or_default().to_vec();
        apply(&mut content, header.mask.unwrap_or_default(), 0);
        self.filled.start = end;
        match header.opcode {
            OpCode::Data(Data::Text) if content == EOF && !self.is_in_message => Ok(Event::Eof),
            OpCode::Data(Data::Text) => Err(FrameError::Protocol("text; data go in binary messages")),
            OpCode::Control(Control::Ping) => Ok(Event::Ping(content)),
            OpCode::Control(Control::Pong) => Ok(Event::Pong),
            OpCode::Control(Control::Close) => {
                let code = content.first_chunk().map_or(NO_CODE, |code| u16::from_be_bytes(*code));
                Ok(Event::Close(code, String::from_utf8_lossy(content.get(2..).unwrap_or_default()).into_owned()))
            }
            _ => Err(FrameError::Protocol("a frame of an unknown kind")),
        }
    }

    async fn fill(&mut self) -> Result<(), FrameError> {
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if self.filled.end == self.buffer.len() {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let read = self.source.read(self.buffer.get_mut(self.filled.end..).unwrap_or_default()).await?;
        if read == 0 {
            return Err(FrameError::Ended);
        }
        self.filled.end += read;
        Ok(())
    }
}

/// Writes frames.
///
/// Invariant: nothing of a frame is sent before the whole of the one before it. Where writing was broken off, the next
/// frame begins with what was left.
#[derive(Debug)]
pub struct FrameWriter<W> {
    sink: W,
    side: Side,
    /// Room for the header, then for data.
    room: Box<[u8]>,
    /// What of the room was not sent yet.
    left: Range<usize>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes what this side sends.
    #[must_use]
    pub fn new(sink: W, side: Side) -> Self {
        Self { sink, side, room: vec![0; HEAD + PIECE].into_boxed_slice(), left: 0..0 }
    }

    /// Where the data go that are sent next, once all before them were.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn room(&mut self) -> io::Result<&mut [u8]> {
        self.rest().await?;
        Ok(self.room.get_mut(HEAD..).unwrap_or_default())
    }

    /// Sends the first `length` bytes of [`Self::room`].
    ///
    /// # Errors
    /// The connection broke.
    pub async fn data(&mut self, length: usize) -> io::Result<()> {
        self.frame(OpCode::Data(Data::Binary), length).await
    }

    /// Says that there will be no more data.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn eof(&mut self) -> io::Result<()> {
        self.short(OpCode::Data(Data::Text), EOF).await
    }

    /// Asks whether somebody is there.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn ping(&mut self) -> io::Result<()> {
        self.short(OpCode::Control(Control::Ping), b"").await
    }

    /// Says that somebody is.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn pong(&mut self, content: &[u8]) -> io::Result<()> {
        self.short(OpCode::Control(Control::Pong), content).await
    }

    /// Closes. Nothing may be sent after it.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn close(&mut self, code: u16, words: &str) -> io::Result<()> {
        let words = words.as_bytes();
        let words = words.get(..words.len().min(100)).unwrap_or_default();
        let content: Vec<u8> = code.to_be_bytes().into_iter().chain(words.iter().copied()).collect();
        self.short(OpCode::Control(Control::Close), &content).await
    }

    /// Ends the connection under it, for what is sent.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.sink.shutdown().await
    }

    async fn short(&mut self, opcode: OpCode, content: &[u8]) -> io::Result<()> {
        let content = content.get(..content.len().min(MAX_CONTROL as usize)).unwrap_or_default();
        let room = self.room().await?;
        if let Some(place) = room.get_mut(..content.len()) {
            place.copy_from_slice(content);
        }
        self.frame(opcode, content.len()).await
    }

    /// Sends what is in the room. Nothing may be left of the frame before.
    async fn frame(&mut self, opcode: OpCode, length: usize) -> io::Result<()> {
        let mask = match self.side {
            Side::Client => Some(random::bytes().map_err(io::Error::other)?),
            Side::Server => None,
        };
        let header = FrameHeader { is_final: true, opcode, mask, ..FrameHeader::default() };
        let mut head = Vec::with_capacity(HEAD);
        header.format(length as u64, &mut head).map_err(io::Error::other)?;
        let start = HEAD.saturating_sub(head.len());
        let end = HEAD.saturating_add(length).min(self.room.len());
        if let Some(place) = self.room.get_mut(start..HEAD) {
            place.copy_from_slice(&head);
        }
        if let Some(mask) = mask {
            apply(self.room.get_mut(HEAD..end).unwrap_or_default(), mask, 0);
        }
        self.left = start..end;
        self.rest().await
    }

    /// Sends what is left of the frame that was begun.
    async fn rest(&mut self) -> io::Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        while !self.left.is_empty() {
            let written = self.sink.write(self.room.get(self.left.clone()).unwrap_or_default()).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.left.start += written;
        }
        self.sink.flush().await
    }
}

/// Masks, or takes a mask away; `turn` is where in the mask the bytes begin.
fn apply(bytes: &mut [u8], mask: [u8; 4], turn: usize) {
    let mut key = mask;
    key.rotate_left(turn % 4);
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests;
