//! What can be wrong with YSON, and with a value that is to become JSON.

use thiserror::Error;

/// Bytes that are not YSON.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum YsonError {
    /// The bytes end inside a value.
    #[error("YSON ends inside a value")]
    End,
    /// A value stands where nothing more may stand.
    #[error("YSON goes on after the value, at byte {offset}")]
    Trailing {
        /// Where.
        offset: usize,
    },
    /// A byte that can't stand there.
    #[error("unexpected byte {byte:#04x} at byte {offset} of YSON")]
    Unexpected {
        /// The byte.
        byte: u8,
        /// Where.
        offset: usize,
    },
    /// A literal that is no number, or out of range.
    #[error("not a number at byte {offset} of YSON")]
    Number {
        /// Where it starts.
        offset: usize,
    },
    /// Values within values within values.
    #[error("YSON is nested too deep")]
    Depth,
}

/// A value that can't be JSON, or JSON that can't be a value. The texts are the server's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JsonError {
    /// A NaN, with `support_infinity`.
    #[error("Unexpected NaN encountered during JSON writing; consider \"stringify_nan_and_infinity\" config option")]
    NotANumber,
    /// A NaN or an infinity, with default options.
    #[error(
        "Unexpected NaN or infinity encountered during JSON writing; consider using either \"support_infinity\" \
         or \"stringify_nan_and_infinity\" config options"
    )]
    NotFinite,
    /// A string that is not UTF-8, without `encode_utf8`.
    #[error("Invalid UTF-8 string in JSON")]
    NotUtf8,
    /// A character that is no byte, with `encode_utf8`.
    #[error(
        "Unicode symbols with codes greater than 255 are not supported by default; consider setting \
         \"encode_utf8\" to \"false\""
    )]
    NotBytes,
    /// Not JSON.
    #[error("Error parsing JSON: {0}")]
    Syntax(String),
    /// `$attributes` or `$value` where they make no sense.
    #[error("Error parsing JSON: a map with \"$attributes\" needs \"$value\", and attributes must be a map")]
    Attributes,
}
