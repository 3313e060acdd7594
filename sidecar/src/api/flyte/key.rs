//! The key of inputs in caches of tasks.
//!
//! It must be the one that Flyte's own service gives, or a task that has run would run again.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use taskgate_idl::canonical;
use taskgate_idl::proto::flyteidl2::task::Inputs;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The key of inputs of which those that are named do not count.
///
/// Where any is named, the context does not count either, and where none is, it does. The description of the message
/// says that it never does; Flyte's service does as is done here, and keys of both must be equal.
pub(super) fn of(mut inputs: Inputs, ignored: &[String]) -> String {
    if !ignored.is_empty() {
        let ignored: HashSet<&str> = ignored.iter().map(String::as_str).collect();
        let mut literals = inputs.literals;
        literals.retain(|literal| !ignored.contains(literal.name.as_str()));
        inputs = Inputs { literals, ..Default::default() };
    }
    URL_SAFE_NO_PAD.encode(fnv64a(&canonical::inputs(&inputs)).to_be_bytes())
}

fn fnv64a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests;
