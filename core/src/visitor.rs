//! Vouching for a visitor: how the filter tells the sidecar who asks for a service of the sidecar's own.
//!
//! A job believes the headers that say who the visitor is because only the proxy reaches it. The sidecar's own
//! services can be asked by anybody, so there one header more vouches for the others:
//! `x-taskgate-visitor: <expires>.<key>.<HMAC-SHA-256>`, over the time at which it ends (seconds since 1970), the
//! service's id, the login name, the mail address and the groups, under a key that filter and sidecar alone have.

use core::time::Duration;

use crate::identity::Identity;
use crate::key::{KeyRing, Purpose};
use crate::time::UnixTime;

/// The provider of the services that the sidecar has itself. No other provider may be called so.
pub const OWN_PROVIDER: &str = "taskgate";
/// The header that vouches for the others.
pub const VISITOR_HEADER: &str = "x-taskgate-visitor";
/// How long it counts: as long as a request may take from the filter to the sidecar, clocks that differ included.
const LIFETIME: Duration = Duration::from_secs(60);
/// What stands before all that is signed: no other use of the key begins so.
const CONTEXT: &[u8] = b"taskgate-visitor-1";

/// Vouches for a visitor of a service at `now`: the value of [`VISITOR_HEADER`]. None where the ring is empty.
#[must_use]
pub fn vouch(ring: &KeyRing, service: &str, visitor: &Identity, now: UnixTime) -> Option<String> {
    let (key, secret) = ring.current(Purpose::Visitor)?;
    let expires = (now.after(LIFETIME).as_millis() / 1000).to_string();
    let signature = secret.sign(&signed(&expires, service, visitor))?;
    Some([expires.as_str(), key.as_str(), &signature].join("."))
}

/// Whether a value of [`VISITOR_HEADER`] vouches for this visitor of that service at `now`.
#[must_use]
pub fn is_vouched(ring: &KeyRing, text: &str, service: &str, visitor: &Identity, now: UnixTime) -> bool {
    let until = || {
        let (expires, rest) = text.split_once('.')?;
        let (key, signature) = rest.split_once('.')?;
        let secret = ring.find(key, Purpose::Visitor)?;
        let seconds: u64 = expires.parse().ok()?;
        let is_signed = secret.verifies(&signed(expires, service, visitor), signature);
        is_signed.then_some(UnixTime::from_millis(seconds.saturating_mul(1000)))
    };
    until().is_some_and(|until| now < until)
}

/// What is signed. No part has a control character in it, so a line break ends each.
fn signed<'a>(expires: &'a str, service: &'a str, visitor: &'a Identity) -> [&'a [u8]; 13] {
    let (actor, email, groups) = (visitor.actor(), visitor.email().unwrap_or_default(), visitor.groups());
    let uuid = visitor.arvados_user_uuid().unwrap_or_default();
    let [expires, service, actor, email, groups, uuid] =
        [expires, service, actor, email, groups, uuid].map(str::as_bytes);
    [CONTEXT, b"\n", expires, b"\n", service, b"\n", actor, b"\n", email, b"\n", groups, b"\n", uuid]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::WireIdentity;
    use crate::key::{KeyId, Secret};

    const NOW: UnixTime = UnixTime::from_millis(1_700_000_000_500);

    fn ring(id: &str, byte: u8) -> KeyRing {
        KeyRing::new([(KeyId::parse(id).expect("an id"), Secret::new([byte; 32]))])
    }

    fn visitor(actor: &str, email: Option<&str>, groups: &[&str]) -> Identity {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let wire =
            WireIdentity { actor: actor.into(), email: email.map(Into::into), groups, ..WireIdentity::default() };
        Identity::try_from(wire).expect("an identity")
    }

    #[test]
    fn vouches_for_one_visitor_for_a_while() {
        let ann = visitor("ann", None, &["ml", "ops"]);
        let text = vouch(&ring("k1", 1), "s", &ann, NOW).expect("a ring with a key");
        assert!(is_vouched(&ring("k1", 1), &text, "s", &ann, NOW));
        assert!(is_vouched(&ring("k1", 1), &text, "s", &ann, NOW.after(Duration::from_secs(59))));
        assert!(!is_vouched(&ring("k1", 1), &text, "s", &ann, NOW.after(Duration::from_secs(60))));
        for other in [
            visitor("bob", None, &["ml", "ops"]),
            visitor("ann", Some("ml"), &["ops"]),
            visitor("ann", None, &["ml"]),
            visitor("ann", None, &["ml", "ops", "root"]),
        ] {
            assert!(!is_vouched(&ring("k1", 1), &text, "s", &other, NOW), "{other:?}");
        }
        assert!(!is_vouched(&ring("k1", 2), &text, "s", &ann, NOW), "another key of that name");
        assert!(!is_vouched(&ring("k2", 1), &text, "s", &ann, NOW), "a key that is gone");
        assert_eq!(vouch(&KeyRing::default(), "s", &ann, NOW), None);
    }

    #[test]
    fn what_was_changed_or_is_none_vouches_for_nobody() {
        let (ring, ann) = (ring("k1", 1), visitor("ann", None, &[]));
        let text = vouch(&ring, "s", &ann, NOW).expect("a ring with a key");
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'9' { b'8' } else { b'9' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(!is_vouched(&ring, &changed, "s", &ann, NOW), "{place}");
            assert!(!is_vouched(&ring, text.split_at(place).0, "s", &ann, NOW), "cut at {place}");
        }
        for text in ["", ".", "..", "9999999999.k1.", "99999999999999999999999.k1.AA"] {
            assert!(!is_vouched(&ring, text, "s", &ann, NOW), "{text}");
        }
    }
}
