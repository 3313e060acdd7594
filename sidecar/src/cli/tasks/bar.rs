//! How far a task is, in a line.

use taskgate_core::task::{Status, Unit};

use crate::api::tasks::form::{ProgressForm, TaskForm};

/// How many characters a bar has.
const WIDTH: usize = 24;

/// How far a task is, with a bar.
pub(super) fn bar(task: &TaskForm) -> String {
    let filled = share(&task.progress).map_or(0, |share| (share * WIDTH as f64) as usize).min(WIDTH);
    let filled = if task.status == Status::Complete { WIDTH } else { filled };
    let bar = format!("[{}{}]", "#".repeat(filled), ".".repeat(WIDTH - filled));
    format!("{:<11}  {bar}  {}", task.status.as_str(), progress(&task.progress))
}

/// The same without one.
pub(super) fn plain(task: &TaskForm) -> String {
    format!("{}  {}", task.status, progress(&task.progress)).trim_end().to_owned()
}

/// How much is done, how fast, and how long it will take.
pub(super) fn progress(progress: &ProgressForm) -> String {
    let ProgressForm { done, total, unit, rate, eta_secs } = *progress;
    if done == 0 && total.is_none() {
        return String::new();
    }
    let mut parts = Vec::new();
    match (total, share(progress)) {
        (Some(total), Some(share)) => {
            parts.push(format!("{:>3} %", (share * 100.0) as u64));
            parts.push(format!("{} of {}", amount(done, Unit::Steps, unit), amount(total, unit, unit)));
        }
        _ => parts.push(amount(done, unit, unit)),
    }
    if let Some(rate) = rate {
        parts.push(format!("{}/s", amount(rate as u64, unit, unit)));
    }
    if let Some(secs) = eta_secs {
        parts.push(format!("{} left", duration(secs)));
    }
    parts.join("  ")
}

/// What part is done; none where that is not known.
fn share(progress: &ProgressForm) -> Option<f64> {
    let total = progress.total.filter(|total| *total > 0)?;
    Some((progress.done as f64 / total as f64).clamp(0.0, 1.0))
}

/// A number of what is counted. Only bytes are shown in larger units; of others, `named` says whether the word is
/// there.
fn amount(count: u64, named: Unit, unit: Unit) -> String {
    match (unit, named) {
        (Unit::Bytes, _) => bytes(count),
        (Unit::Objects, Unit::Objects) => format!("{count} objects"),
        (Unit::Objects | Unit::Steps, _) => count.to_string(),
    }
}

fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1_024 {
        return format!("{count} B");
    }
    let mut amount = count as f64 / 1_024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if amount < 1_023.95 {
            break;
        }
        amount /= 1_024.0;
        unit = larger;
    }
    format!("{amount:.1} {unit}")
}

fn duration(secs: u64) -> String {
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} min {} s", secs / 60, secs % 60),
        3_600..86_400 => format!("{} h {} min", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(done: u64, total: Option<u64>, unit: Unit) -> ProgressForm {
        ProgressForm { done, total, unit, rate: None, eta_secs: None }
    }

    #[test]
    fn progress_is_read_at_a_glance() {
        let fast =
            ProgressForm { rate: Some(3_145_728.9), eta_secs: Some(3_725), ..of(1 << 30, Some(3 << 30), Unit::Bytes) };
        assert_eq!(progress(&fast), " 33 %  1.0 GiB of 3.0 GiB  3.0 MiB/s  1 h 2 min left");
        assert_eq!(progress(&of(5, Some(10), Unit::Steps)), " 50 %  5 of 10");
        assert_eq!(progress(&of(5, Some(10), Unit::Objects)), " 50 %  5 of 10 objects");
        assert_eq!(progress(&of(1_023, None, Unit::Bytes)), "1023 B");
        assert_eq!(progress(&of(0, None, Unit::Bytes)), "");
    }

    #[test]
    fn what_makes_no_sense_breaks_nothing() {
        assert_eq!(progress(&of(u64::MAX, Some(1), Unit::Bytes)), "100 %  16.0 EiB of 1 B");
        assert_eq!(progress(&of(7, Some(0), Unit::Steps)), "7");
        assert_eq!(bytes(1 << 20), "1.0 MiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
    }
}
