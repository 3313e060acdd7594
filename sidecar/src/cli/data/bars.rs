//! How far files are, on a terminal.

use std::path::Path;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::output;
use crate::tasks::operations::words;

/// The most characters of a file's name.
const MAX_NAME: usize = 40;

/// A bar for each file, on standard error where that is a terminal.
pub(super) struct Bars(MultiProgress);

impl Bars {
    /// With bars or without.
    pub(super) fn new(is_quiet: bool) -> Self {
        let target = if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self(MultiProgress::with_draw_target(target))
    }

    /// A bar for a file. It counts whether it is seen or not.
    pub(super) fn file(&self, path: &Path) -> ProgressBar {
        let bar = self.0.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template(
            "{prefix}  [{bar:24}]  {bytes} of {total_bytes}  {bytes_per_sec}  {eta}  {msg}",
        );
        // The template is one of ours, so it can be read.
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##."));
        bar.set_prefix(words::line(&path.file_name().unwrap_or_default().to_string_lossy(), MAX_NAME));
        bar
    }

    /// Writes a line for the caller.
    pub(super) fn line(&self, text: &str) -> anyhow::Result<()> {
        self.0.suspend(|| output::line(text))
    }

    /// Writes an error.
    pub(super) fn error(&self, text: &str) {
        self.0.suspend(|| output::error(text));
    }
}
