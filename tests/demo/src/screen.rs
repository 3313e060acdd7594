//! What the demo prints. The one module that writes to standard output.

#![expect(clippy::print_stdout, reason = "this is a program for a person at a terminal")]

/// A heading.
pub(crate) fn title(text: &str) {
    println!("\n=== {text}");
}

/// A line as it is.
pub(crate) fn line(text: &str) {
    println!("    {text}");
}

/// A command that the reader could type, its answer, and whether that was to be expected.
pub(crate) fn exchange(command: &str, answer: &str, is_expected: bool) {
    println!("  $ {command}");
    for part in answer.trim_end().lines() {
        println!("    {part}");
    }
    if !is_expected {
        println!("    ^^^ NOT what was expected");
    }
}
