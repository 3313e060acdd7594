//! How much CPU time a process has used.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// User and system time of all threads of a process so far.
pub(crate) fn time(process: u32) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = ticks(&text).context("/proc/PID/stat is not as expected")?;
    let per_second = rustix::param::clock_ticks_per_second();
    let micros = ticks.saturating_mul(1_000_000).checked_div(per_second).context("no clock")?;
    Ok(Duration::from_micros(micros))
}

/// Fields 14 and 15; the second field, a name in parentheses, may have blanks.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_right_fields() {
        let text = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 17 4 0 0 20 0 1 0 100 0 0";
        assert_eq!(super::ticks(text), Some(21));
        assert_eq!(super::ticks("42 (x"), None);
    }
}
