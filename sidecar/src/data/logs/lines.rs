//! From bytes to lines.

use std::collections::VecDeque;

use crate::data::logs::LogLine;

/// What stands at the end of a line that was cut.
const CUT: &str = "…";
/// The longest date that is looked for, in bytes.
const MAX_DATE: usize = 40;
const NANOS_PER_SECOND: i32 = 1_000_000_000;

/// Makes lines of bytes that come piece by piece; where they are cut makes no difference.
///
/// Invariant: it keeps at most the longest line.
#[derive(Debug)]
pub struct Splitter {
    partial: Vec<u8>,
    is_cut: bool,
    max_line: usize,
}

impl Splitter {
    /// One that cuts lines off after so many bytes.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self { partial: Vec::new(), is_cut: false, max_line: max_line.max(1) }
    }

    /// Takes bytes, and adds the lines that end in them.
    pub fn push(&mut self, bytes: &[u8], lines: &mut VecDeque<LogLine>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            self.keep(text);
            if ends {
                lines.push_back(self.take());
            }
        }
    }

    /// Adds what has no end yet as a line.
    pub fn finish(&mut self, lines: &mut VecDeque<LogLine>) {
        if !self.partial.is_empty() {
            lines.push_back(self.take());
        }
    }

    fn keep(&mut self, text: &[u8]) {
        let room = self.max_line.saturating_sub(self.partial.len());
        if text.len() > room {
            // A line that is exactly as long as may be, and its `\r`, is whole.
            self.is_cut |= text.get(room..) != Some(b"\r");
        }
        self.partial.extend_from_slice(text.get(..room).unwrap_or(text));
    }

    fn take(&mut self) -> LogLine {
        let bytes = std::mem::take(&mut self.partial);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        if std::mem::take(&mut self.is_cut) {
            text.push_str(CUT);
        }
        line(text)
    }
}

/// A line, whose date is taken off where it starts with one and a space, as Kubernetes writes it.
fn line(text: String) -> LogLine {
    let found = text.split_once(' ').and_then(|(date, message)| Some((date_of(date)?, message)));
    match found {
        Some((time, message)) => LogLine { time: Some(time), message: message.to_owned() },
        None => LogLine { time: None, message: text },
    }
}

/// A date of RFC 3339, as seconds and nanoseconds that are not negative.
fn date_of(text: &str) -> Option<(i64, i32)> {
    let bytes = text.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_digit() || b"-:.+TZ".contains(byte);
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let looks_right = bytes.len() <= MAX_DATE
        && marks.iter().all(|(at, mark)| bytes.get(*at) == Some(mark))
        && bytes.iter().all(plain);
    if !looks_right {
        return None;
    }
    let date: jiff::Timestamp = text.parse().ok()?;
    let (seconds, nanos) = (date.as_second(), date.subsec_nanosecond());
    if nanos < 0 {
        Some((seconds.checked_sub(1)?, nanos.checked_add(NANOS_PER_SECOND)?))
    } else {
        Some((seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]], max_line: usize) -> Vec<LogLine> {
        let (mut splitter, mut lines) = (Splitter::new(max_line), VecDeque::new());
        for piece in pieces {
            splitter.push(piece, &mut lines);
            assert!(splitter.partial.len() <= max_line);
        }
        splitter.finish(&mut lines);
        lines.into()
    }

    fn messages(pieces: &[&[u8]], max_line: usize) -> Vec<String> {
        lines(pieces, max_line).into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn lines_end_where_they_end() {
        assert_eq!(messages(&[b"one\ntw", b"o\r\n", b"\n", b"three"], 100), ["one", "two", "", "three"]);
        assert_eq!(messages(&[b""], 100), Vec::<String>::new());
        assert_eq!(messages(&[b"a\r\r\n"], 100), ["a"]);
        assert_eq!(messages(&[b"a\rb\n"], 100), ["a\rb"]);
    }

    #[test]
    fn long_lines_are_cut_and_odd_bytes_replaced() {
        assert_eq!(messages(&[b"12345", b"67\n12\n"], 5), ["12345…", "12"]);
        assert_eq!(messages(&[b"12345\r\n"], 5), ["12345"]);
        assert_eq!(messages(&["aé\n".as_bytes()], 2), ["a\u{fffd}…"], "cut within a letter");
        assert_eq!(messages(&[b"a\xff\xfeb\n"], 9), ["a\u{fffd}\u{fffd}b"]);
    }

    #[test]
    fn dates_are_taken_off() {
        for (text, time, message) in [
            ("2024-01-02T03:04:05.123456789Z hello  world", Some((1_704_164_645, 123_456_789)), "hello  world"),
            ("2024-01-02T03:04:05Z ", Some((1_704_164_645, 0)), ""),
            ("2024-01-02T05:04:05+02:00 x", Some((1_704_164_645, 0)), "x"),
            ("1969-12-31T23:59:59.5Z x", Some((-1, 500_000_000)), "x"),
            ("2024-01-02T03:04:05Z", None, "2024-01-02T03:04:05Z"),
            ("2024-01-02 03:04:05Z x", None, "2024-01-02 03:04:05Z x"),
            ("2024-13-02T03:04:05Z x", None, "2024-13-02T03:04:05Z x"),
            ("2024-01-02T03:04:05 x", None, "2024-01-02T03:04:05 x"),
            ("hello 2024-01-02T03:04:05Z", None, "hello 2024-01-02T03:04:05Z"),
            (" x", None, " x"),
        ] {
            let all = lines(&[text.as_bytes()], 100);
            assert_eq!(all, [LogLine { time, message: message.to_owned() }], "{text}");
        }
    }

    proptest! {
        #[test]
        fn where_bytes_are_cut_makes_no_difference(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cut in 0_usize..200,
            max_line in 1_usize..20,
        ) {
            let cut = cut.min(bytes.len());
            let (left, right) = bytes.split_at(cut);
            // A carriage return at the very end of what is kept may be seen apart from its line's end.
            if right.first() != Some(&b'\r') && left.last() != Some(&b'\r') {
                prop_assert_eq!(messages(&[left, right], max_line), messages(&[&bytes], max_line));
            }
        }
    }
}
