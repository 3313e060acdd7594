//! From values to YSON, byte for byte as the server writes it: everything is quoted, every item ends with a
//! semicolon, bytes outside ASCII are escaped in text.

use super::value::{Node, Yson, YsonMap};

/// How much a level of pretty text is indented.
const INDENT: usize = 4;

/// The three ways to write YSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum YsonFormat {
    /// Lengths and tags; what programs ask for.
    #[default]
    Binary,
    /// On one line.
    Text,
    /// On many lines, for people.
    Pretty,
}

/// Writes a value.
pub(super) fn value(value: &Yson, format: YsonFormat, out: &mut Vec<u8>) {
    write(value, format, 0, out);
}

/// Writes a list without brackets, as tables are read.
pub(crate) fn rows<'row>(rows: impl IntoIterator<Item = &'row Yson>, format: YsonFormat, out: &mut Vec<u8>) {
    for row in rows {
        write(row, format, 0, out);
        out.push(b';');
        if format != YsonFormat::Binary {
            out.push(b'\n');
        }
    }
}

fn write(value: &Yson, format: YsonFormat, depth: usize, out: &mut Vec<u8>) {
    if !value.attributes.is_empty() {
        fields(&value.attributes, (b'<', b'>'), format, depth, out);
        if format == YsonFormat::Pretty {
            out.push(b' ');
        }
    }
    match &value.node {
        Node::Entity => out.push(b'#'),
        Node::Bool(value) => boolean(*value, format, out),
        Node::Int64(value) if format == YsonFormat::Binary => {
            out.push(0x02);
            varint(zigzag(*value), out);
        }
        Node::Int64(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Node::Uint64(value) if format == YsonFormat::Binary => {
            out.push(0x06);
            varint(*value, out);
        }
        Node::Uint64(value) => out.extend_from_slice(format!("{value}u").as_bytes()),
        Node::Double(value) => double(*value, format, out),
        Node::String(bytes) => string(bytes, format, out),
        Node::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                start_item(index == 0, format, depth, out);
                write(item, format, depth + 1, out);
                end_item(format, out);
            }
            end(b']', items.is_empty(), format, depth, out);
        }
        Node::Map(map) => fields(map, (b'{', b'}'), format, depth, out),
    }
}

fn fields(map: &YsonMap, brackets: (u8, u8), format: YsonFormat, depth: usize, out: &mut Vec<u8>) {
    out.push(brackets.0);
    for (index, (key, value)) in map.iter().enumerate() {
        start_item(index == 0, format, depth, out);
        string(key, format, out);
        let separator: &[u8] = if format == YsonFormat::Pretty { b" = " } else { b"=" };
        out.extend_from_slice(separator);
        write(value, format, depth + 1, out);
        end_item(format, out);
    }
    end(brackets.1, map.is_empty(), format, depth, out);
}

fn start_item(is_first: bool, format: YsonFormat, depth: usize, out: &mut Vec<u8>) {
    if format == YsonFormat::Pretty {
        if is_first {
            out.push(b'\n');
        }
        out.resize(out.len() + INDENT * (depth + 1), b' ');
    }
}

fn end_item(format: YsonFormat, out: &mut Vec<u8>) {
    out.push(b';');
    if format == YsonFormat::Pretty {
        out.push(b'\n');
    }
}

fn end(bracket: u8, is_empty: bool, format: YsonFormat, depth: usize, out: &mut Vec<u8>) {
    if format == YsonFormat::Pretty && !is_empty {
        out.resize(out.len() + INDENT * depth, b' ');
    }
    out.push(bracket);
}

fn boolean(value: bool, format: YsonFormat, out: &mut Vec<u8>) {
    match (format, value) {
        (YsonFormat::Binary, false) => out.push(0x04),
        (YsonFormat::Binary, true) => out.push(0x05),
        (_, false) => out.extend_from_slice(b"%false"),
        (_, true) => out.extend_from_slice(b"%true"),
    }
}

fn double(value: f64, format: YsonFormat, out: &mut Vec<u8>) {
    if format == YsonFormat::Binary {
        out.push(0x03);
        out.extend_from_slice(&value.to_le_bytes());
    } else if value.is_nan() {
        out.extend_from_slice(b"%nan");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"%inf" } else { b"%-inf" });
    } else {
        // The debug form always has a fraction or an exponent, which tells it from an integer.
        out.extend_from_slice(format!("{value:?}").as_bytes());
    }
}

fn string(bytes: &[u8], format: YsonFormat, out: &mut Vec<u8>) {
    if format == YsonFormat::Binary {
        out.push(0x01);
        varint(zigzag(i64::try_from(bytes.len()).unwrap_or(i64::MAX)), out);
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for (index, byte) in bytes.iter().enumerate() {
        escape(*byte, bytes.get(index + 1).copied().unwrap_or(0), out);
    }
    out.push(b'"');
}

/// As C does it: the shortest escape that the next character can't be taken for a part of.
fn escape(byte: u8, next: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b' '..=b'~' => out.push(byte),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\t' => out.extend_from_slice(b"\\t"),
        0..=7 if !(b'0'..=b'7').contains(&next) => out.extend_from_slice(&[b'\\', b'0' + byte]),
        _ if !next.is_ascii_hexdigit() => out.extend_from_slice(format!("\\x{byte:02X}").as_bytes()),
        _ => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
