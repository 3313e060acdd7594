//! YSON, the data model and the formats of YTsaurus: parsed from text and binary, written as text, binary,
//! pretty text and JSON.
//!
//! Why: the emulator must read what the real client writes and write what it reads, byte for byte. What the
//! server does to strings, attributes and special numbers in JSON is part of it, since clients fall over it.
//!
//! Read in this order: [`Yson`], `reader`, `writer`, then the JSON of the server ([`JsonOptions`]).

mod error;
mod json_reader;
mod json_writer;
mod reader;
#[cfg(test)]
mod tests;
mod value;
mod writer;

pub use error::{JsonError, YsonError};
pub use json_writer::{AttributesMode, JsonOptions};
pub(crate) use reader::prefix as read_attributes;
pub use value::{Node, Yson, YsonMap};
pub use writer::YsonFormat;
pub(crate) use writer::rows as write_rows;
