//! Random bytes, from the operating system alone.

use thiserror::Error;

/// The operating system gave no random bytes; nothing that needs them may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// Random bytes.
///
/// # Errors
/// [`NoRandomness`].
pub fn bytes<const COUNT: usize>() -> Result<[u8; COUNT], NoRandomness> {
    let mut buffer = [0; COUNT];
    getrandom::fill(&mut buffer).map_err(|_| NoRandomness)?;
    Ok(buffer)
}

/// A random number that is not 0.
///
/// # Errors
/// [`NoRandomness`].
pub fn non_zero() -> Result<u64, NoRandomness> {
    Ok(u64::from_le_bytes(bytes()?).max(1))
}
