//! From bytes to values. Text and binary may be mixed, as in the server.

use super::YsonError;
use super::value::{Node, Yson, YsonMap};

/// How deep values may be nested.
const MAX_DEPTH: usize = 256;

struct Reader<'bytes> {
    bytes: &'bytes [u8],
    offset: usize,
}

/// Exactly one value.
pub(super) fn value(bytes: &[u8]) -> Result<Yson, YsonError> {
    let mut reader = Reader { bytes, offset: 0 };
    let value = reader.value(0)?;
    reader.skip_blanks();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(YsonError::Trailing { offset: reader.offset }),
    }
}

/// A list without brackets.
pub(super) fn rows(bytes: &[u8]) -> Result<Vec<Yson>, YsonError> {
    let mut reader = Reader { bytes, offset: 0 };
    let mut rows = Vec::new();
    loop {
        reader.skip_blanks();
        if reader.peek().is_none() {
            return Ok(rows);
        }
        rows.push(reader.value(0)?);
        reader.skip_blanks();
        match reader.peek() {
            Some(b';') => reader.offset += 1,
            None => return Ok(rows),
            Some(_) => return Err(YsonError::Trailing { offset: reader.offset }),
        }
    }
}

/// The value at the start of the bytes, and what comes after it.
pub(crate) fn prefix(bytes: &[u8]) -> Result<(YsonMap, &[u8]), YsonError> {
    let mut reader = Reader { bytes, offset: 0 };
    reader.skip_blanks();
    let attributes = reader.attributes(0)?;
    reader.skip_blanks();
    Ok((attributes, reader.bytes.get(reader.offset..).unwrap_or_default()))
}

// === impl Reader ===

impl<'bytes> Reader<'bytes> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn next(&mut self) -> Result<u8, YsonError> {
        let byte = self.peek().ok_or(YsonError::End)?;
        self.offset += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'bytes [u8], YsonError> {
        let end = self.offset.checked_add(length).ok_or(YsonError::End)?;
        let taken = self.bytes.get(self.offset..end).ok_or(YsonError::End)?;
        self.offset = end;
        Ok(taken)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.offset += 1;
        }
    }

    fn unexpected<T>(&self) -> Result<T, YsonError> {
        let byte = self.peek().ok_or(YsonError::End)?;
        Err(YsonError::Unexpected { byte, offset: self.offset })
    }

    fn value(&mut self, depth: usize) -> Result<Yson, YsonError> {
        if depth > MAX_DEPTH {
            return Err(YsonError::Depth);
        }
        self.skip_blanks();
        let attributes = self.attributes(depth)?;
        self.skip_blanks();
        Ok(Yson { attributes, node: self.node(depth)? })
    }

    fn attributes(&mut self, depth: usize) -> Result<YsonMap, YsonError> {
        if self.peek() != Some(b'<') {
            return Ok(YsonMap::new());
        }
        self.offset += 1;
        self.fields(b'>', depth)
    }

    fn node(&mut self, depth: usize) -> Result<Node, YsonError> {
        match self.peek().ok_or(YsonError::End)? {
            b'{' => {
                self.offset += 1;
                Ok(Node::Map(self.fields(b'}', depth)?.into()))
            }
            b'[' => {
                self.offset += 1;
                Ok(Node::List(self.items(depth)?))
            }
            b'#' => {
                self.offset += 1;
                Ok(Node::Entity)
            }
            0x02 => {
                self.offset += 1;
                Ok(Node::Int64(zigzag(self.varint()?)))
            }
            0x03 => {
                self.offset += 1;
                let bytes: [u8; 8] = self.take(8)?.try_into().map_err(|_| YsonError::End)?;
                Ok(Node::Double(f64::from_le_bytes(bytes)))
            }
            byte @ (0x04 | 0x05) => {
                self.offset += 1;
                Ok(Node::Bool(byte == 0x05))
            }
            0x06 => {
                self.offset += 1;
                Ok(Node::Uint64(self.varint()?))
            }
            b'%' => self.literal(),
            b'0'..=b'9' | b'-' | b'+' => self.number(),
            _ => Ok(Node::String(self.string()?)),
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Yson>, YsonError> {
        let mut items = Vec::new();
        loop {
            self.skip_blanks();
            if self.peek() == Some(b']') {
                self.offset += 1;
                return Ok(items);
            }
            items.push(self.value(depth + 1)?);
            self.separator(b']')?;
        }
    }

    fn fields(&mut self, end: u8, depth: usize) -> Result<YsonMap, YsonError> {
        let mut fields = YsonMap::new();
        loop {
            self.skip_blanks();
            if self.peek() == Some(end) {
                self.offset += 1;
                return Ok(fields);
            }
            let key = self.string()?;
            self.skip_blanks();
            if self.peek() != Some(b'=') {
                return self.unexpected();
            }
            self.offset += 1;
            let value = self.value(depth + 1)?;
            fields.insert(key, value);
            self.separator(end)?;
        }
    }

    /// After an item: a semicolon, or the end, which stays.
    fn separator(&mut self, end: u8) -> Result<(), YsonError> {
        self.skip_blanks();
        match self.peek() {
            Some(b';') => {
                self.offset += 1;
                Ok(())
            }
            Some(byte) if byte == end => Ok(()),
            _ => self.unexpected(),
        }
    }

    fn string(&mut self) -> Result<Vec<u8>, YsonError> {
        match self.peek().ok_or(YsonError::End)? {
            0x01 => {
                self.offset += 1;
                let start = self.offset;
                let length = usize::try_from(zigzag(self.varint()?));
                let length = length.map_err(|_| YsonError::Number { offset: start })?;
                Ok(self.take(length)?.to_vec())
            }
            b'"' => {
                self.offset += 1;
                self.quoted()
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => Ok(self.word().to_vec()),
            _ => self.unexpected(),
        }
    }

    fn word(&mut self) -> &'bytes [u8] {
        let start = self.offset;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'%' | b'+');
        while self.peek().is_some_and(is_part) {
            self.offset += 1;
        }
        self.bytes.get(start..self.offset).unwrap_or_default()
    }

    fn quoted(&mut self) -> Result<Vec<u8>, YsonError> {
        let mut string = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Ok(string),
                b'\\' => string.push(self.escaped()?),
                byte => string.push(byte),
            }
        }
    }

    fn escaped(&mut self) -> Result<u8, YsonError> {
        Ok(match self.next()? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'v' => 0x0b,
            b'x' => self.digits(0, 16, 2),
            byte @ b'0'..=b'3' => self.digits(byte - b'0', 8, 2),
            byte @ b'4'..=b'7' => self.digits(byte - b'0', 8, 1),
            byte => byte,
        })
    }

    /// Up to `count` more digits of a number; a byte can't overflow by as many as callers ask for.
    fn digits(&mut self, mut number: u8, radix: u8, count: usize) -> u8 {
        for _ in 0..count {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(u32::from(radix)));
            let Some(digit) = digit.and_then(|digit| u8::try_from(digit).ok()) else { break };
            number = number.wrapping_mul(radix).wrapping_add(digit);
            self.offset += 1;
        }
        number
    }

    fn literal(&mut self) -> Result<Node, YsonError> {
        let offset = self.offset;
        self.offset += 1;
        match self.word() {
            b"true" => Ok(Node::Bool(true)),
            b"false" => Ok(Node::Bool(false)),
            b"nan" => Ok(Node::Double(f64::NAN)),
            b"inf" | b"+inf" => Ok(Node::Double(f64::INFINITY)),
            b"-inf" => Ok(Node::Double(f64::NEG_INFINITY)),
            _ => Err(YsonError::Unexpected { byte: b'%', offset }),
        }
    }

    fn number(&mut self) -> Result<Node, YsonError> {
        let offset = self.offset;
        let text = std::str::from_utf8(self.word()).unwrap_or_default();
        let node = match text.strip_suffix('u') {
            Some(unsigned) => unsigned.parse().ok().map(Node::Uint64),
            None if text.contains(['.', 'e', 'E']) => text.parse().ok().map(Node::Double),
            None => text.parse().ok().map(Node::Int64),
        };
        node.ok_or(YsonError::Number { offset })
    }

    fn varint(&mut self) -> Result<u64, YsonError> {
        let offset = self.offset;
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.next()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(YsonError::Number { offset })
    }
}

fn zigzag(number: u64) -> i64 {
    let magnitude = (number >> 1).cast_signed();
    if number & 1 == 0 { magnitude } else { !magnitude }
}
