//! Vouching for a visitor: how the filter tells the sidecar who asks for a service of the sidecar's own.
//!
//! A job believes the headers that say who the visitor is because only the proxy reaches it. The sidecar's own
//! services can be asked by anybody, so there one header more vouches for the others:
//! `x-taskgate-visitor: <expires>.<key>.<HMAC-SHA-256>`, over the time at which it ends (seconds since 1970), the
//! service's id, the login name, the mail address and the groups, under a key that filter and sidecar alone have.
//!
//! A tunnel to a service that speaks raw TCP ends in the sidecar, whoever's the service is. There the header is
//! `tunnel.<service>.<expires>.<key>.<HMAC-SHA-256>`: it says which service the visitor was let in to, and who it is,
//! or that it may be anybody. Where it was by something that ends, such as a session, the service is followed by a
//! [`Term`]: `tunnel.<service>~<ends>~<session>~<share>.…`, in milliseconds since 1970 and by their ids, empty where
//! there is none. What vouches for the one does not vouch for the other.

use core::time::Duration;

use crate::identity::Identity;
use crate::key::{KeyRing, Purpose};
use crate::permit::Who;
use crate::time::UnixTime;
use crate::token::TokenId;
use crate::verdict::Verdict;

/// The provider of the services that the sidecar has itself. No other provider may be called so.
pub const OWN_PROVIDER: &str = "taskgate";
/// Operation, task and service of where tunnels end: the sidecar itself.
pub const TUNNEL_NAMES: [&str; 3] = ["taskgate", "tunnel", "api"];
/// The header that vouches for the others.
pub const VISITOR_HEADER: &str = "x-taskgate-visitor";
/// How long it counts: as long as a request may take from the filter to the sidecar, clocks that differ included.
const LIFETIME: Duration = Duration::from_secs(60);
/// What stands before all that is signed: no other use of the key begins so.
const CONTEXT: &[u8] = b"taskgate-visitor-1";
/// The same of a tunnel.
const TUNNEL_CONTEXT: &[u8] = b"taskgate-tunnel-1";
/// What the header of a tunnel begins with.
const TUNNEL_PREFIX: &str = "tunnel.";
/// What stands before each part of a [`Term`]. No id of a service has it.
const MARK: char = '~';

/// Until when somebody was let in, and by what, where that ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// When it is over.
    pub ends_at: UnixTime,
    /// The session; none where it was a credential.
    pub session: Option<TokenId>,
    /// The share link that gave the session.
    pub share: Option<TokenId>,
}

impl Term {
    /// The term of somebody who was permitted; none where nothing ends but their right.
    #[must_use]
    pub fn of(who: &Who) -> Option<Self> {
        match who {
            Who::Holder(verdict) => match &**verdict {
                Verdict::Allow { ends_at, .. } => ends_at.map(|ends_at| Self { ends_at, session: None, share: None }),
                Verdict::Deny { .. } => None,
            },
            Who::Nobody => None,
            Who::Session(session) => {
                let claims = &session.claims;
                let share = claims.share.as_ref().map(|share| share.id);
                Some(Self { ends_at: claims.expires_at, session: Some(claims.id), share })
            }
        }
    }
}

/// Vouches for a visitor of a service at `now`: the value of [`VISITOR_HEADER`]. None where the ring is empty.
#[must_use]
pub fn vouch(ring: &KeyRing, service: &str, visitor: &Identity, now: UnixTime) -> Option<String> {
    sign(ring, CONTEXT, service, Some(visitor), now)
}

/// Vouches for a tunnel to a service at `now`, for a visitor or for anybody, for no longer than `term`: the value of
/// [`VISITOR_HEADER`]. None where the ring is empty.
#[must_use]
pub fn vouch_tunnel(
    ring: &KeyRing,
    service: &str,
    visitor: Option<&Identity>,
    term: Option<Term>,
    now: UnixTime,
) -> Option<String> {
    let mut place = String::from(service);
    if let Some(Term { ends_at, session, share }) = term {
        let ids = [session, share].map(|id| id.map(|id| id.to_string()).unwrap_or_default());
        for part in [ends_at.as_millis().to_string()].iter().chain(&ids) {
            place.push(MARK);
            place.push_str(part);
        }
    }
    let signed = sign(ring, TUNNEL_CONTEXT, &place, visitor, now)?;
    Some([TUNNEL_PREFIX, &place, ".", &signed].concat())
}

/// Whether a value of [`VISITOR_HEADER`] is one of a tunnel, whatever it is worth.
#[must_use]
pub fn is_tunnel(text: &[u8]) -> bool {
    text.starts_with(TUNNEL_PREFIX.as_bytes())
}

/// A tunnel that was vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VouchedTunnel<'t> {
    /// The service that it leads to.
    pub service: &'t str,
    /// When that was permitted, to the second, and never later than it was.
    pub at: UnixTime,
    /// Until when it was, and by what, where that ends by itself.
    pub term: Option<Term>,
}

/// The tunnel that a value of [`VISITOR_HEADER`] vouches for at `now`, for this visitor (none: anybody).
#[must_use]
pub fn tunnel_to<'t>(
    ring: &KeyRing,
    text: &'t str,
    visitor: Option<&Identity>,
    now: UnixTime,
) -> Option<VouchedTunnel<'t>> {
    let (place, rest) = text.strip_prefix(TUNNEL_PREFIX)?.split_once('.')?;
    let until = verified(ring, rest, TUNNEL_CONTEXT, place, visitor, now)?;
    let (service, term) = match place.split_once(MARK) {
        Some((service, term)) => (service, Some(read_term(term)?)),
        None => (place, None),
    };
    Some(VouchedTunnel { service, at: until.before(LIFETIME), term })
}

fn read_term(text: &str) -> Option<Term> {
    let (ends_at, ids) = text.split_once(MARK)?;
    let (session, share) = ids.split_once(MARK)?;
    let id = |text: &str| if text.is_empty() { Some(None) } else { TokenId::parse(text).ok().map(Some) };
    Some(Term { ends_at: UnixTime::from_millis(ends_at.parse().ok()?), session: id(session)?, share: id(share)? })
}

fn sign(
    ring: &KeyRing,
    context: &'static [u8],
    service: &str,
    visitor: Option<&Identity>,
    now: UnixTime,
) -> Option<String> {
    let (key, secret) = ring.current(Purpose::Visitor)?;
    let expires = (now.after(LIFETIME).as_millis() / 1000).to_string();
    let signature = secret.sign(&signed(context, &expires, service, visitor))?;
    Some([expires.as_str(), key.as_str(), &signature].join("."))
}

/// Whether a value of [`VISITOR_HEADER`] vouches for this visitor of that service at `now`.
#[must_use]
pub fn is_vouched(ring: &KeyRing, text: &str, service: &str, visitor: &Identity, now: UnixTime) -> bool {
    verified(ring, text, CONTEXT, service, Some(visitor), now).is_some()
}

/// Until when it counts; none where it does not.
fn verified(
    ring: &KeyRing,
    text: &str,
    context: &'static [u8],
    service: &str,
    visitor: Option<&Identity>,
    now: UnixTime,
) -> Option<UnixTime> {
    let (expires, rest) = text.split_once('.')?;
    let (key, signature) = rest.split_once('.')?;
    let secret = ring.find(key, Purpose::Visitor)?;
    let seconds: u64 = expires.parse().ok()?;
    let is_signed = secret.verifies(&signed(context, expires, service, visitor), signature);
    let until = UnixTime::from_millis(seconds.saturating_mul(1000));
    (is_signed && now < until).then_some(until)
}

/// What is signed. No part has a control character in it, so a line break ends each; nobody's name is empty.
fn signed<'a>(
    context: &'static [u8],
    expires: &'a str,
    service: &'a str,
    visitor: Option<&'a Identity>,
) -> [&'a [u8]; 13] {
    let actor = visitor.map(Identity::actor).unwrap_or_default();
    let email = visitor.and_then(Identity::email).unwrap_or_default();
    let groups = visitor.map(Identity::groups).unwrap_or_default();
    let uuid = visitor.and_then(Identity::arvados_user_uuid).unwrap_or_default();
    let [expires, service, actor, email, groups, uuid] =
        [expires, service, actor, email, groups, uuid].map(str::as_bytes);
    [context, b"\n", expires, b"\n", service, b"\n", actor, b"\n", email, b"\n", groups, b"\n", uuid]
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
    fn a_tunnel_is_for_one_service_and_one_visitor_or_for_anybody() {
        let (ring, ann, bob) = (ring("k1", 1), visitor("ann", None, &[]), visitor("bob", None, &[]));
        let of_ann = vouch_tunnel(&ring, "s", Some(&ann), None, NOW).expect("a ring with a key");
        let of_anybody = vouch_tunnel(&ring, "s", None, None, NOW).expect("a ring with a key");
        // However late it is shown, it says when it was given.
        let vouched = Some(VouchedTunnel { service: "s", at: UnixTime::from_millis(1_700_000_000_000), term: None });
        for later in [0, 1, 59] {
            let now = NOW.after(Duration::from_secs(later));
            assert_eq!(tunnel_to(&ring, &of_ann, Some(&ann), now), vouched);
        }
        assert_eq!(tunnel_to(&ring, &of_anybody, None, NOW), vouched);
        assert_eq!(tunnel_to(&ring, &of_ann, Some(&ann), NOW.after(LIFETIME)), None);
        assert_eq!(tunnel_to(&ring, &of_ann, Some(&bob), NOW), None);
        assert_eq!(tunnel_to(&ring, &of_ann, None, NOW), None, "without a name it is anybody's");
        assert_eq!(tunnel_to(&ring, &of_anybody, Some(&ann), NOW), None, "nobody becomes somebody");
        let to_another = of_ann.replacen("tunnel.s.", "tunnel.t.", 1);
        assert_eq!(tunnel_to(&ring, &to_another, Some(&ann), NOW), None);
        assert!(is_tunnel(of_ann.as_bytes()) && !is_tunnel(b"9999999999.k1.AAAA"));
    }

    #[test]
    fn a_tunnel_says_until_when_and_by_what() {
        let (ring, ann) = (ring("k1", 1), visitor("ann", None, &[]));
        let ends_at = UnixTime::from_millis(1_700_000_003_007);
        let (session, share) = (Some(TokenId::new(7)), Some(TokenId::new(u64::MAX)));
        for term in [
            None,
            Some(Term { ends_at, session: None, share: None }),
            Some(Term { ends_at, session, share: None }),
            Some(Term { ends_at, session, share }),
        ] {
            let text = vouch_tunnel(&ring, "s", Some(&ann), term, NOW).expect("a ring with a key");
            let found = tunnel_to(&ring, &text, Some(&ann), NOW).map(|found| (found.service, found.term));
            assert_eq!(found, Some(("s", term)), "{text}");
            // Nobody makes it longer, or another's.
            for (from, to) in [("003007", "903007"), ("~", ""), ("ffff", "0000"), ("tunnel.s", "tunnel.s~")] {
                let other = text.replacen(from, to, 1);
                assert!(other == text || tunnel_to(&ring, &other, Some(&ann), NOW).is_none(), "{other}");
            }
        }
        // What is signed and makes no sense is worth nothing.
        for place in ["s~", "s~1", "s~1~", "s~~~", "s~x~~", "s~1~7~", "s~1~~~"] {
            let text = vouch_tunnel(&ring, place, Some(&ann), None, NOW).expect("a ring with a key");
            assert_eq!(tunnel_to(&ring, &text, Some(&ann), NOW), None, "{text}");
        }
    }

    #[test]
    fn what_vouches_for_a_tunnel_vouches_for_nothing_else() {
        let (ring, ann) = (ring("k1", 1), visitor("ann", None, &[]));
        let tunnel = vouch_tunnel(&ring, "s", Some(&ann), None, NOW).expect("a ring with a key");
        let request = vouch(&ring, "s", &ann, NOW).expect("a ring with a key");
        assert!(!is_vouched(&ring, &tunnel, "s", &ann, NOW));
        assert!(!is_vouched(&ring, tunnel.trim_start_matches("tunnel.s."), "s", &ann, NOW));
        assert_eq!(tunnel_to(&ring, &format!("tunnel.s.{request}"), Some(&ann), NOW), None);
        assert_eq!(tunnel_to(&ring, &request, Some(&ann), NOW), None);
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
