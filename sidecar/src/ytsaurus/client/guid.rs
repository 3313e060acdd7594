//! Ids in the cluster's form: four hex numbers.

use crate::random::{self, NoRandomness};

/// A new id, `a-b-c-d`.
///
/// # Errors
/// [`NoRandomness`].
pub fn random() -> Result<String, NoRandomness> {
    let parts: [[u8; 4]; 4] = [random::bytes()?, random::bytes()?, random::bytes()?, random::bytes()?];
    let [a, b, c, d] = parts.map(|part| u32::from_le_bytes(part).max(1));
    Ok(format!("{a:x}-{b:x}-{c:x}-{d:x}"))
}

/// Whether text is an id: four hex numbers of up to 32 bits. What is not never goes into a path.
#[must_use]
pub fn is_guid(text: &str) -> bool {
    let mut parts = 0_usize;
    text.split('-').all(|part| {
        parts += 1;
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    }) && parts == 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ids() {
        let (one, other) = (random().expect("an id"), random().expect("an id"));
        assert!(is_guid(&one) && is_guid(&other) && one != other);
        assert!(is_guid("a8ef7695-3de07913-5103e8-e29a6707"));
        for text in ["", "a-b-c", "a-b-c-d-e", "a-b-c-g", "a-b--d", "1-2-3-123456789", "1-2-3-4/x", "1-2-3-4 "] {
            assert!(!is_guid(text), "{text}");
        }
    }
}
