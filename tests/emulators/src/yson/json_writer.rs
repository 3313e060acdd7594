//! From values to JSON, with the rules and the traps of the server's JSON writer.
//!
//! The traps: with default options each byte of a string becomes one character, and a single NaN or infinity
//! anywhere makes the whole answer fail; with `encode_utf8=%false` a single byte outside UTF-8 does. Values
//! with attributes change their shape unless `attributes_mode=never`.

use super::JsonError;
use super::value::{Node, Yson, YsonMap};

/// When attributes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttributesMode {
    /// A value becomes `{"$attributes":…,"$value":…}`, attributes or not.
    Always,
    /// Never; attributes are lost.
    Never,
    /// Only a value that has attributes changes its shape.
    #[default]
    OnDemand,
}

/// The options of the format `json`, with the server's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonOptions {
    /// When attributes are written.
    pub attributes_mode: AttributesMode,
    /// Each byte is a character; otherwise strings must be UTF-8.
    pub encode_utf8: bool,
    /// On many lines.
    pub pretty: bool,
    /// Numbers and booleans are strings.
    pub stringify: bool,
    /// NaN and infinities are the strings `nan`, `inf` and `-inf`.
    pub stringify_nan_and_infinity: bool,
    /// Infinities are `inf` and `-inf`, which is no JSON; takes precedence over the strings.
    pub support_infinity: bool,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self {
            attributes_mode: AttributesMode::OnDemand,
            encode_utf8: true,
            pretty: false,
            stringify: false,
            stringify_nan_and_infinity: false,
            support_infinity: false,
        }
    }
}

/// Writes a value.
pub(super) fn value(value: &Yson, options: &JsonOptions, out: &mut Vec<u8>) -> Result<(), JsonError> {
    Writer { options, out }.value(value, 0)?;
    Ok(())
}

struct Writer<'a> {
    options: &'a JsonOptions,
    out: &'a mut Vec<u8>,
}

// === impl Writer ===

impl Writer<'_> {
    fn value(&mut self, value: &Yson, depth: usize) -> Result<(), JsonError> {
        let is_wrapped = match self.options.attributes_mode {
            AttributesMode::Always => true,
            AttributesMode::Never => false,
            AttributesMode::OnDemand => !value.attributes.is_empty(),
        };
        if !is_wrapped {
            return self.node(&value.node, depth);
        }
        self.out.push(b'{');
        self.start_item(true, depth);
        self.raw_key("$attributes");
        self.map(&value.attributes, depth + 1)?;
        self.start_item(false, depth);
        self.raw_key("$value");
        self.node(&value.node, depth + 1)?;
        self.end(b'}', false, depth);
        Ok(())
    }

    fn node(&mut self, node: &Node, depth: usize) -> Result<(), JsonError> {
        match node {
            Node::Entity => self.out.extend_from_slice(b"null"),
            Node::Bool(value) => self.scalar(if *value { "true" } else { "false" }),
            Node::Int64(value) => self.scalar(&value.to_string()),
            Node::Uint64(value) => self.scalar(&value.to_string()),
            Node::Double(value) => self.double(*value)?,
            Node::String(bytes) => self.string(bytes)?,
            Node::List(items) => {
                self.out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    self.start_item(index == 0, depth);
                    self.value(item, depth + 1)?;
                }
                self.end(b']', items.is_empty(), depth);
            }
            Node::Map(map) => self.map(map, depth)?,
        }
        Ok(())
    }

    fn map(&mut self, map: &YsonMap, depth: usize) -> Result<(), JsonError> {
        self.out.push(b'{');
        for (index, (key, value)) in map.iter().enumerate() {
            self.start_item(index == 0, depth);
            self.key(key)?;
            self.value(value, depth + 1)?;
        }
        self.end(b'}', map.is_empty(), depth);
        Ok(())
    }

    fn start_item(&mut self, is_first: bool, depth: usize) {
        if !is_first {
            self.out.push(b',');
        }
        self.indent(depth + 1);
    }

    fn end(&mut self, bracket: u8, is_empty: bool, depth: usize) {
        if !is_empty {
            self.indent(depth);
        }
        self.out.push(bracket);
    }

    fn indent(&mut self, depth: usize) {
        if self.options.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 4 * depth, b' ');
        }
    }

    fn key(&mut self, key: &[u8]) -> Result<(), JsonError> {
        // What starts with `$` means something, so data that does gets one more.
        if key.first() == Some(&b'$') {
            self.string(&[b"$", key].concat())?;
        } else {
            self.string(key)?;
        }
        self.colon();
        Ok(())
    }

    fn raw_key(&mut self, key: &str) {
        self.quoted(key);
        self.colon();
    }

    fn colon(&mut self) {
        self.out.push(b':');
        if self.options.pretty {
            self.out.push(b' ');
        }
    }

    fn scalar(&mut self, text: &str) {
        if self.options.stringify {
            self.quoted(text);
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    fn double(&mut self, value: f64) -> Result<(), JsonError> {
        let options = self.options;
        if value.is_finite() {
            // The debug form always has a fraction or an exponent.
            self.scalar(&format!("{value:?}"));
            return Ok(());
        }
        let name = match value {
            _ if value.is_nan() => "nan",
            _ if value > 0.0 => "inf",
            _ => "-inf",
        };
        if options.stringify {
            self.quoted(name);
        } else if options.support_infinity {
            if value.is_nan() {
                return Err(JsonError::NotANumber);
            }
            self.out.extend_from_slice(name.as_bytes());
        } else if options.stringify_nan_and_infinity {
            self.quoted(name);
        } else {
            return Err(JsonError::NotFinite);
        }
        Ok(())
    }

    fn string(&mut self, bytes: &[u8]) -> Result<(), JsonError> {
        if self.options.encode_utf8 {
            if bytes.is_ascii() {
                self.quoted(std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?);
            } else {
                self.quoted(&bytes.iter().copied().map(char::from).collect::<String>());
            }
        } else {
            self.quoted(std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?);
        }
        Ok(())
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                0x08 => self.out.extend_from_slice(b"\\b"),
                0x0c => self.out.extend_from_slice(b"\\f"),
                0..=0x1f => self.out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }
}
