//! What was measured: tables for people, figures for machines.

use std::time::Duration;

use crate::data::signing::Signed;
use crate::data::transfer::{Large, Round};
use crate::report::range;
use crate::screen;
use crate::statistics::Spread;

/// All that was measured.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) signed: Vec<Signed>,
    pub(super) rounds: Vec<Round>,
    pub(super) inputs: Vec<Duration>,
    pub(super) large: Large,
}

impl Report {
    fn of(&self, value: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(value))
    }

    fn upload_ratio(&self) -> Spread {
        self.of(|round| round.upload / round.nginx_upload)
    }

    fn download_ratio(&self) -> Spread {
        self.of(|round| round.download / round.nginx_download)
    }

    fn inputs(&self) -> Spread {
        Spread::of(self.inputs.iter().map(|took| took.as_secs_f64() * 1e3))
    }

    /// Prints the tables.
    pub(super) fn print(&self) {
        screen::title("Data");
        screen::line(&format!("{:<28}{:>14}", "store", "URLs/s"));
        self.signed.iter().for_each(|Signed { store, per_second }| {
            screen::line(&format!("{store:<28}{per_second:>14.0}"));
        });
        screen::line(&format!("\n{:<28}{:<28}{:<28}", "MiB/s", "upload", "download"));
        let rows = [
            ("local store", self.of(|round| round.upload), Some(self.of(|round| round.download))),
            ("local store, on the disk", self.of(|round| round.durable_upload), None),
            ("nginx", self.of(|round| round.nginx_upload), Some(self.of(|round| round.nginx_download))),
        ];
        for (name, upload, download) in rows {
            let download = download.map_or_else(String::new, |spread| range(spread, 0));
            screen::line(&format!("{name:<28}{:<28}{download:<28}", range(upload, 0)));
        }
        screen::line(&format!(
            "medians over rounds, [least-most]; within a round the local store has {} of nginx's rate for an upload, {} \
             for a download;\nit takes two digests of each upload, nginx none",
            range(self.upload_ratio(), 2),
            range(self.download_ratio(), 2)
        ));
        screen::line(&format!("\ninputs of 10 MiB: {} ms", range(self.inputs(), 1)));
        let Large { upload, download, peak, before } = self.large;
        screen::line(&format!(
            "a large file: upload {upload:.0} MiB/s, download {download:.0} MiB/s; the sidecar has had {peak:.1} MiB at \
             most, {before:.1} before"
        ));
    }

    /// The figures by name.
    pub(super) fn figures(&self) -> Vec<(&'static str, f64)> {
        let sign = Spread::of(self.signed.iter().map(|signed| signed.per_second));
        vec![
            // Of the store whose signatures cost most.
            ("sign_per_s", sign.least),
            ("upload_vs_nginx", self.upload_ratio().median),
            ("download_vs_nginx", self.download_ratio().median),
            ("upload_peak_mib_5gib", self.large.peak),
            ("upload_inputs_p50_ms", self.inputs().median),
        ]
    }
}
