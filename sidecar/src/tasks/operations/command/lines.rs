//! Lines of a program that may print anything.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::sync::CancellationToken;

/// How much is read at one time.
const READ: usize = 16 << 10;

/// Lines of bounded length.
#[derive(Debug)]
pub(super) struct Lines<R> {
    from: R,
    longest: usize,
    buffer: Vec<u8>,
    /// Where in the buffer the next line begins.
    start: usize,
    /// How much of the buffer was looked at for the end of a line.
    looked_at: usize,
    /// What is read is the rest of a line that was given already, cut.
    is_rest: bool,
    is_over: bool,
    total: u64,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    /// Whether it was longer.
    pub(super) is_cut: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(from: R, longest: usize) -> Self {
        Self { from, longest, buffer: Vec::new(), start: 0, looked_at: 0, is_rest: false, is_over: false, total: 0 }
    }

    /// How many bytes were read.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The next line. Once nobody writes any more, what can't be read at once never comes. It may be dropped at any
    /// time, and nothing is lost.
    pub(super) async fn next(&mut self, nobody_writes: &CancellationToken) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take() {
                return Ok(Some(line));
            }
            if self.is_over {
                return Ok(None);
            }
            self.buffer.reserve(READ);
            let mut room = (&mut self.from).take(u64::try_from(READ).unwrap_or(u64::MAX));
            let read = tokio::select! {
                biased;
                read = room.read_buf(&mut self.buffer) => read?,
                () = nobody_writes.cancelled() => 0,
            };
            self.total = self.total.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            self.is_over = read == 0;
        }
    }

    /// A line of what was read.
    fn take(&mut self) -> Option<Line> {
        while let Some(end) = self.buffer.iter().skip(self.looked_at).position(|byte| *byte == b'\n') {
            let end = self.looked_at + end;
            let line = (!std::mem::take(&mut self.is_rest)).then(|| self.line(end));
            (self.start, self.looked_at) = (end + 1, end + 1);
            if line.is_some() {
                return line;
            }
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        if self.is_rest {
            self.buffer.clear();
        }
        self.looked_at = self.buffer.len();
        let is_long = self.buffer.len() > self.longest;
        if is_long || (self.is_over && !self.buffer.is_empty()) {
            let line = self.line(self.buffer.len());
            self.buffer.clear();
            (self.looked_at, self.is_rest) = (0, is_long);
            return Some(line);
        }
        None
    }

    /// What is there of a line that ends there.
    fn line(&self, end: usize) -> Line {
        let bytes = self.buffer.get(self.start..end).unwrap_or_default();
        let is_cut = bytes.len() > self.longest;
        Line { bytes: bytes.iter().take(self.longest).copied().collect(), is_cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &[u8], longest: usize) -> Vec<(String, bool)> {
        let mut lines = Lines::new(text, longest);
        let mut all = Vec::new();
        while let Some(line) = lines.next(&CancellationToken::new()).await.expect("reads") {
            all.push((String::from_utf8(line.bytes).expect("text"), line.is_cut));
        }
        assert_eq!(lines.total(), u64::try_from(text.len()).expect("a length"));
        all
    }

    #[tokio::test]
    async fn lines_are_whole_or_cut() {
        let plain = |text: &str| (text.to_owned(), false);
        assert_eq!(all(b"a\n\nb", 10).await, [plain("a"), plain(""), plain("b")]);
        assert_eq!(all(b"", 10).await, []);
        assert_eq!(all(b"123\n1234\n", 3).await, [plain("123"), ("123".to_owned(), true)]);
        let long = [vec![b'x'; 100_000], b"\nend\n".to_vec()].concat();
        assert_eq!(all(&long, 5).await, [("xxxxx".to_owned(), true), plain("end")]);
        let endless = vec![b'x'; 100_000];
        assert_eq!(all(&endless, 5).await, [("xxxxx".to_owned(), true)]);
    }

    #[tokio::test]
    async fn what_never_comes_is_not_waited_for() {
        let (mut writer, reader) = tokio::io::duplex(64);
        tokio::io::AsyncWriteExt::write_all(&mut writer, b"a\nb").await.expect("writes");
        let mut lines = Lines::new(reader, 10);
        let nobody = CancellationToken::new();
        nobody.cancel();
        let mut next = async || lines.next(&nobody).await.expect("reads").map(|line| line.bytes);
        assert_eq!(next().await, Some(b"a".to_vec()));
        assert_eq!(next().await, Some(b"b".to_vec()));
        assert_eq!(next().await, None);
        drop(writer);
    }
}
