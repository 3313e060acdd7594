//! Moments as the cluster writes them: `2018-02-06T11:06:34.200591Z`.

use jiff::Timestamp;

/// That moment, microseconds since 1970, as text.
pub(super) fn text(micros: i64) -> String {
    let moment = Timestamp::from_microsecond(micros).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// The moment that a text names, in microseconds since 1970.
pub(super) fn micros(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

/// This moment, in microseconds since 1970.
pub(super) fn now_micros() -> i64 {
    Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back() {
        let moment = "2018-02-06T11:06:34.200591Z";
        assert_eq!(micros(moment).map(text).as_deref(), Some(moment));
        assert_eq!(text(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(micros("yesterday"), None);
    }
}
