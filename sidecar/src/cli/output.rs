//! Writing to the terminal. The only place that does.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;

/// Writes a line for the caller.
///
/// # Errors
/// Where standard output is closed.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).context("can't write to standard output")
}

/// Writes a text that ends its own lines.
///
/// # Errors
/// Where standard output is closed.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).context("can't write to standard output")
}

/// Whether a person reads what is written.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Writes over the line where the last such text is, on a terminal.
///
/// # Errors
/// Where standard output is closed.
pub(super) fn over(line: &str) -> anyhow::Result<()> {
    text(&format!("\r\u{1b}[2K{line}"))
}

/// Writes an error.
pub(super) fn error(text: &str) {
    // With standard error closed there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
