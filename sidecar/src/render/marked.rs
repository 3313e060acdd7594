//! Files with marks at which values are put in.
//!
//! A value that is not where it is expected is an error: so a file that changed can't be printed half filled in.

use thiserror::Error;

/// A text that is not where it should be.
#[derive(Debug, Error)]
#[error("the file that is part of the program has `{0}` not as often as expected: this is a mistake in Taskgate")]
pub struct Unmarked(String);

/// Puts `value` in place of `mark`, which must be there so often.
///
/// # Errors
/// [`Unmarked`].
pub fn replace(text: &str, mark: &str, value: &str, count: usize) -> Result<String, Unmarked> {
    if text.matches(mark).count() != count {
        return Err(Unmarked(mark.to_owned()));
    }
    Ok(text.replace(mark, value))
}
