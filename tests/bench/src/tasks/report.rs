//! What the rounds come to: a table for people, figures for machines.

use std::time::Duration;

use crate::report::range;
use crate::screen;
use crate::statistics::Spread;
use crate::tasks::copy::Round;
use crate::tasks::throughput::{Database, Sample};

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) samples: Vec<Sample>,
    pub(crate) copies: Vec<Round>,
}

impl Report {
    fn of(&self, database: Database) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| sample.database == database)
    }

    fn done(&self, database: Database) -> Spread {
        Spread::of(self.of(database).map(|sample| sample.done))
    }

    /// The part of claims that took at most so long, in milliseconds: the median of the rounds.
    fn claim(&self, database: Database, percent: usize) -> Spread {
        Spread::of(self.of(database).map(|sample| quantile(&sample.claims, percent)))
    }

    fn copied(&self, value: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.copies.iter().map(value))
    }

    fn ratio(&self) -> Spread {
        self.copied(|round| round.theirs.as_secs_f64() / round.ours.as_secs_f64())
    }

    fn peak(&self) -> f64 {
        self.copied(|round| round.our_peak).most
    }

    /// Prints the tables.
    pub(crate) fn print(&self) {
        screen::line(&format!(
            "{:<14}{:<26}{:<26}{:<26}{:<26}",
            "database", "accepted/s", "done/s", "claim p50 ms", "claim p99 ms"
        ));
        for database in Database::ALL {
            let accepted = Spread::of(self.of(database).map(|sample| sample.accepted));
            screen::line(&format!(
                "{:<14}{:<26}{:<26}{:<26}{:<26}",
                database.name(),
                range(accepted, 0),
                range(self.done(database), 0),
                range(self.claim(database, 50), 2),
                range(self.claim(database, 99), 2),
            ));
        }
        screen::line(
            "medians over rounds, [least-most]; done: from the first question to the last completion; those who ask,\nthe store and one worker share a process; a claim may take many tasks",
        );
        screen::line(&format!("{:<14}{:<26}{:<26}", "copy", "s", "MiB at most"));
        for (name, took, peak) in [
            ("a task", self.copied(|round| round.ours.as_secs_f64()), self.copied(|round| round.our_peak)),
            ("hscopy", self.copied(|round| round.theirs.as_secs_f64()), self.copied(|round| round.their_peak)),
        ] {
            screen::line(&format!("{name:<14}{:<26}{:<26}", range(took, 1), range(peak, 1)));
        }
        screen::line(&format!(
            "a task is {} times as fast within a round; its memory is that of the whole sidecar",
            range(self.ratio(), 2)
        ));
    }

    /// The figures by name.
    pub(crate) fn figures(&self) -> Vec<(&'static str, f64)> {
        let (sqlite, postgres) = (Database::Sqlite, Database::Postgres);
        vec![
            ("tasks_per_s_sqlite", self.done(sqlite).median),
            ("tasks_per_s_postgres", self.done(postgres).median),
            ("claim_p50_ms_sqlite", self.claim(sqlite, 50).median),
            ("claim_p50_ms_postgres", self.claim(postgres, 50).median),
            ("claim_p99_ms_sqlite", self.claim(sqlite, 99).median),
            ("claim_p99_ms_postgres", self.claim(postgres, 99).median),
            ("copy_vs_hscopy", self.ratio().median),
            ("copy_peak_mib", self.peak()),
            ("hscopy_peak_mib", self.copied(|round| round.their_peak).most),
        ]
    }
}

/// The value, in milliseconds, that so many percent are at or below.
fn quantile(values: &[Duration], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort();
    let place = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(place).map_or(f64::NAN, |value| value.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_there() {
        let values: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!([50, 99, 100].map(|percent| quantile(&values, percent)), [100.0, 198.0, 200.0]);
        assert_eq!(quantile(&[Duration::from_millis(3)], 99), 3.0);
        assert!(quantile(&[], 99).is_nan());
    }
}
