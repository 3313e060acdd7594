//! W3C trace context: which trace a request belongs to, as `traceparent` says.
//!
//! Clients write these. What is not exactly as the standard says is no context, and never an error: a trace is for
//! people who look at it, and decides nothing.

use core::fmt;

/// The header with the trace and the caller's part of it.
pub const TRACE_PARENT: &str = "traceparent";
/// Its length in the one version that there is.
pub const TRACE_PARENT_LENGTH: usize = 55;
/// The bit that says that whoever called keeps this trace.
const SAMPLED: u8 = 1;

/// A trace, and which part of it called.
///
/// Invariant: neither id is all zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    is_sampled: bool,
}

impl TraceParent {
    /// A trace and a part of it; none where an id is all zeros.
    #[must_use]
    pub fn new(trace_id: [u8; 16], span_id: [u8; 8], is_sampled: bool) -> Option<Self> {
        (trace_id != [0; 16] && span_id != [0; 8]).then_some(Self { trace_id, span_id, is_sampled })
    }

    /// Reads the header. Later versions may have more behind what this one has.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(TRACE_PARENT_LENGTH)?;
        let mut parts = known.split(|byte| *byte == b'-');
        let [version] = hex(parts.next()?)?;
        let trace_id = hex(parts.next()?)?;
        let span_id = hex(parts.next()?)?;
        let [flags] = hex(parts.next()?)?;
        let is_whole = parts.next().is_none();
        let is_known = match version {
            0 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more.starts_with(b"-"),
        };
        if is_whole && is_known { Self::new(trace_id, span_id, flags & SAMPLED != 0) } else { None }
    }

    /// The trace.
    #[must_use]
    pub const fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The part that called.
    #[must_use]
    pub const fn span_id(&self) -> [u8; 8] {
        self.span_id
    }

    /// Whether whoever called keeps this trace.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

/// The header's value.
impl fmt::Display for TraceParent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (u128::from_be_bytes(self.trace_id), u64::from_be_bytes(self.span_id));
        write!(formatter, "00-{trace:032x}-{span:016x}-{:02x}", u8::from(self.is_sampled))
    }
}

/// Bytes in lower-case hex digits.
fn hex<const LENGTH: usize>(text: &[u8]) -> Option<[u8; LENGTH]> {
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    if pairs.len() != LENGTH {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)?.checked_shl(4)? | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a' - 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn parse(text: &str) -> Option<String> {
        TraceParent::parse(text.as_bytes()).map(|parent| parent.to_string())
    }

    #[test]
    fn reads_what_the_standard_has_and_writes_the_same() {
        for flags in ["00", "01"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(parse(&text), Some(text));
        }
        let parent = TraceParent::parse(format!("00-{TRACE}-{SPAN}-01").as_bytes()).expect("a parent");
        assert!(parent.is_sampled() && parent.trace_id()[0] == 0x0a && parent.span_id()[7] == 0x31);
        // Other bits mean nothing here, and later versions may have more.
        assert_eq!(parse(&format!("00-{TRACE}-{SPAN}-fe")), Some(format!("00-{TRACE}-{SPAN}-00")));
        for text in [format!("cc-{TRACE}-{SPAN}-01"), format!("cc-{TRACE}-{SPAN}-01-what")] {
            assert_eq!(parse(&text), Some(format!("00-{TRACE}-{SPAN}-01")), "{text}");
        }
    }

    #[test]
    fn everything_else_is_no_context() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        for end in 0..good.len() {
            assert_eq!(TraceParent::parse(&good.as_bytes()[..end]), None);
        }
        let zeros = "0".repeat(32);
        for text in [
            format!("{good}-"),
            format!("{good}0"),
            format!(" {good}"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01what"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{TRACE}{SPAN}--01"),
            format!("00-{}-{SPAN}-01", TRACE.replacen('a', "-", 1)),
            format!("0x-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
        assert_eq!(TraceParent::parse(&[0xff; 55]), None);
    }
}
