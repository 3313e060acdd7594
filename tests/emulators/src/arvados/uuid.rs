//! Names of records: `zzzzz-xvhdp-000000000000001`.

use super::record::Kind;

/// The prefix of the cluster.
pub(super) const CLUSTER: &str = "zzzzz";
/// The user that the system itself is.
pub(super) const SYSTEM: &str = "zzzzz-tpzed-000000000000000";
/// Who has shown no credential of their own.
pub(super) const ANONYMOUS_USER: &str = "zzzzz-tpzed-anonymouspublic";
/// What is shared with this group, everybody can read.
pub(super) const ANONYMOUS_GROUP: &str = "zzzzz-j7d0g-anonymouspublic";
/// The bytes of such a name.
const LENGTH: usize = 27;

/// Gives names that were not given before.
#[derive(Debug, Default)]
pub(super) struct Uuids(u64);

// === impl Uuids ===

impl Uuids {
    /// The next name of that kind.
    pub(super) fn next(&mut self, kind: Kind) -> String {
        self.0 += 1;
        format!("{CLUSTER}-{}-{:0>15}", kind.infix(), self.0)
    }
}

/// Whether a text has the form of such a name: five, five and fifteen characters of 0-9 and a-z.
pub(super) fn is_uuid(text: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    text.len() == LENGTH && text.split('-').map(str::len).eq([5, 5, 15]) && text.split('-').all(is_part)
}
