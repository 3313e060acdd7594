//! What the bench prints. The one module that writes to standard output.

#![expect(clippy::print_stdout, reason = "this is a program for a person at a terminal")]

/// A heading.
pub(crate) fn title(text: &str) {
    println!("\n=== {text}");
}

/// A line as it is.
pub(crate) fn line(text: &str) {
    println!("{text}");
}
