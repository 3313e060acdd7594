//! Lengths of time as Go writes them: `1h0m0s`, `1.5s`, `250ms`.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// The most seconds that the protocol's type has: ten thousand years.
const MOST_SECONDS: i64 = 315_576_000_000;
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A length of time as a client's message has it, not yet believed: it may be negative, or no length at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignedDuration {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds, of the same sign.
    pub nanos: i32,
}

/// Text that is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no length of time; write `15m`, `1h30m` or `90s`")]
pub struct InvalidGoDuration;

/// A length of time that shows as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoDuration(pub Duration);

impl SignedDuration {
    /// The length, where it is one that is longer than nothing.
    #[must_use]
    pub fn positive(self) -> Option<Duration> {
        let nanos = u32::try_from(self.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        let seconds = u64::try_from(self.seconds).ok().filter(|_| self.seconds <= MOST_SECONDS)?;
        Some(Duration::new(seconds, nanos)).filter(|length| !length.is_zero())
    }
}

impl From<Duration> for SignedDuration {
    fn from(length: Duration) -> Self {
        Self {
            seconds: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(length.subsec_nanos()).unwrap_or_default(),
        }
    }
}

/// As Go writes it where it is a length, else number by number.
impl fmt::Display for SignedDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seconds, nanos } = self;
        let is_valid = seconds.unsigned_abs() <= MOST_SECONDS.unsigned_abs()
            && nanos.unsigned_abs() < 1_000_000_000
            && (*seconds == 0 || *nanos == 0 || (*seconds < 0) == (*nanos < 0));
        if !is_valid {
            return write!(formatter, "seconds:{seconds} nanos:{nanos}");
        }
        if *seconds < 0 || *nanos < 0 {
            formatter.write_str("-")?;
        }
        GoDuration(Duration::new(seconds.unsigned_abs(), nanos.unsigned_abs())).fmt(formatter)
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return formatter.write_str("0s");
        }
        if nanos < NANOS_PER_SECOND {
            let (unit, name) = match nanos {
                0..1_000 => (1, "ns"),
                1_000..1_000_000 => (1_000, "µs"),
                _ => (1_000_000, "ms"),
            };
            return decimal(formatter, nanos, unit, name);
        }
        let seconds = self.0.as_secs();
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
        if hours > 0 {
            write!(formatter, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(formatter, "{minutes}m")?;
        }
        decimal(formatter, nanos % (60 * NANOS_PER_SECOND), NANOS_PER_SECOND, "s")
    }
}

/// A number of units with as many digits behind the point as it takes.
fn decimal(formatter: &mut fmt::Formatter<'_>, value: u128, unit: u128, name: &str) -> fmt::Result {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return write!(formatter, "{whole}{name}");
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    write!(formatter, "{whole}.{}{name}", digits.trim_end_matches('0'))
}

/// Reads a length of time that is not negative, as Go does.
///
/// # Errors
/// [`InvalidGoDuration`].
pub fn parse(text: &str) -> Result<Duration, InvalidGoDuration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() || total.is_zero() && rest.len() == text.len() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or(InvalidGoDuration)?;
        let (number, tail) = rest.split_at(end);
        let (unit, tail) = unit(tail).ok_or(InvalidGoDuration)?;
        total = total.checked_add(length(number, unit).ok_or(InvalidGoDuration)?).ok_or(InvalidGoDuration)?;
        rest = tail;
    }
    Ok(total)
}

/// The unit that the text starts with, in nanoseconds, and what follows it.
fn unit(text: &str) -> Option<(u128, &str)> {
    const UNITS: [(&str, u128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("μs", 1_000),
        ("ms", 1_000_000),
        ("s", NANOS_PER_SECOND),
        ("m", 60 * NANOS_PER_SECOND),
        ("h", 3_600 * NANOS_PER_SECOND),
    ];
    UNITS.iter().find_map(|(name, nanos)| text.strip_prefix(name).map(|rest| (*nanos, rest)))
}

fn length(number: &str, unit: u128) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() > 18 || fraction.contains('.') {
        return None;
    }
    let mut nanos = if whole.is_empty() { 0 } else { whole.parse::<u128>().ok()?.checked_mul(unit)? };
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(u128::from(digit.checked_sub(b'0')?).checked_mul(place)?)?;
    }
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).ok()?;
    Some(Duration::new(seconds, u32::try_from(nanos % NANOS_PER_SECOND).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_as_go_does() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (60_000_000_000, "1m0s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (7_200_000_000_000, "2h0m0s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
        ] {
            assert_eq!(GoDuration(Duration::from_nanos(nanos)).to_string(), text);
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn reads_what_go_reads() {
        assert_eq!(parse("1.5h"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse("0"), Ok(Duration::ZERO));
        assert_eq!(parse(".5s"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1h15m30.918s"), Ok(Duration::from_millis(4_530_918)));
        for text in ["", "1", "h", "-1s", "1d", "1.s.", "1 s", "..s", ".s", "99999999999999999999h", "1h1", "s1"] {
            assert_eq!(parse(text), Err(InvalidGoDuration), "{text}");
        }
    }

    #[test]
    fn what_a_message_says_is_not_always_a_length() {
        let signed = |seconds, nanos| SignedDuration { seconds, nanos };
        assert_eq!(signed(7_200, 0).positive(), Some(Duration::from_secs(7_200)));
        assert_eq!(signed(0, 1).positive(), Some(Duration::from_nanos(1)));
        for (seconds, nanos, text) in [
            (0, 0, "0s"),
            (-5, 0, "-5s"),
            (0, -500_000_000, "-500ms"),
            (1, -1, "seconds:1 nanos:-1"),
            (1, 1_000_000_000, "seconds:1 nanos:1000000000"),
            (i64::MAX, 0, "seconds:9223372036854775807 nanos:0"),
            (i64::MIN, i32::MIN, "seconds:-9223372036854775808 nanos:-2147483648"),
        ] {
            assert_eq!(signed(seconds, nanos).positive(), None, "{text}");
            assert_eq!(signed(seconds, nanos).to_string(), text);
        }
    }
}
