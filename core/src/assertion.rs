//! Assertions: a proof for the job of who the visitor is, which it can verify without trusting its network.
//!
//! A JWT (RFC 7519) signed with Ed25519 (RFC 8037) in the header [`ASSERTION_HEADER`]: for one service (`aud`, its id),
//! for a short time. Making one takes a fraction of a millisecond, so a worker keeps those it made and uses each for
//! half of its time.

use core::fmt::Write as _;
use core::time::Duration;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};

use crate::identity::Identity;
use crate::key::{KeyRing, Purpose, Secret};
use crate::time::UnixTime;

/// The header that carries an assertion to the job.
pub const ASSERTION_HEADER: &str = "x-taskgate-assertion";
/// How many assertions a worker keeps.
const SLOTS: usize = 512;

/// Makes assertions, and keeps them while they are good.
pub struct Assertions {
    key: Option<(String, KeyPair)>,
    issuer: String,
    lifetime: Duration,
    seed: u64,
    slots: Vec<Option<Kept>>,
}

struct Kept {
    service: Box<str>,
    identity: Identity,
    made_at: UnixTime,
    text: Arc<str>,
}

/// A public key that assertions are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its id (`kid`).
    pub id: String,
    /// The key: 32 bytes, in base64 for URLs without padding (`x` of RFC 8037).
    pub x: String,
}

/// The public keys of a ring, that of the current key first.
#[must_use]
pub fn public_keys(ring: &KeyRing) -> Vec<PublicKey> {
    let keys = ring.all(Purpose::Assertion);
    keys.map(|(id, secret)| PublicKey { id: id.as_str().into(), x: URL_SAFE_NO_PAD.encode(*pair(secret).pk) }).collect()
}

fn pair(secret: &Secret) -> KeyPair {
    KeyPair::from_seed(Seed::new(*secret.expose()))
}

impl Assertions {
    /// Makes assertions with the ring's current key; none where the lifetime is zero.
    #[must_use]
    pub fn new(ring: &KeyRing, issuer: &str, lifetime: Duration, seed: u64) -> Self {
        let key = ring.current(Purpose::Assertion).filter(|_| !lifetime.is_zero());
        let key = key.map(|(id, secret)| (id.as_str().to_owned(), pair(secret)));
        Self { key, issuer: issuer.into(), lifetime, seed, slots: Vec::new() }
    }

    /// An assertion of who the visitor of a service is, good for at least half of the lifetime from `now`.
    pub fn make(&mut self, service: &str, identity: &Identity, now: UnixTime) -> Option<Arc<str>> {
        let (id, key) = self.key.as_ref()?;
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let hash = hasher.hash_one((self.seed, service, identity.actor()));
        let place = usize::try_from(hash & 0xffff).unwrap_or(0).checked_rem(SLOTS)?;
        let slot = self.slots.get_mut(place)?;
        if let Some(kept) = slot {
            let is_it = *kept.service == *service && kept.identity == *identity;
            if is_it && now >= kept.made_at && now.since(kept.made_at).saturating_mul(2) < self.lifetime {
                return Some(Arc::clone(&kept.text));
            }
        }
        let text: Arc<str> = sign(id, key, &claims(&self.issuer, service, identity, now, self.lifetime)).into();
        let kept = Kept { service: service.into(), identity: identity.clone(), made_at: now, text: Arc::clone(&text) };
        *slot = Some(kept);
        Some(text)
    }
}

impl core::fmt::Debug for Assertions {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let kept = self.slots.iter().flatten().count();
        formatter
            .debug_struct("Assertions")
            .field("lifetime", &self.lifetime)
            .field("kept", &kept)
            .finish_non_exhaustive()
    }
}

fn sign(id: &str, key: &KeyPair, claims: &str) -> String {
    let head = format!("{{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"{id}\"}}");
    let mut text = URL_SAFE_NO_PAD.encode(head);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut text);
    // Without noise signatures are a function of key and text (RFC 8032, section 5.1.6).
    let signature = key.sk.sign(text.as_bytes(), None);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(*signature, &mut text);
    text
}

fn claims(issuer: &str, service: &str, identity: &Identity, now: UnixTime, lifetime: Duration) -> String {
    let seconds = now.as_millis() / 1000;
    let mut text = String::from("{\"iss\":");
    quote(&mut text, issuer);
    for (name, value) in [
        (",\"aud\":", Some(service)),
        (",\"sub\":", Some(identity.actor())),
        (",\"email\":", identity.email()),
        (",\"arvados_user_uuid\":", identity.arvados_user_uuid()),
    ] {
        if let Some(value) = value {
            text.push_str(name);
            quote(&mut text, value);
        }
    }
    text.push_str(",\"groups\":[");
    for (nth, group) in identity.groups().split(',').filter(|group| !group.is_empty()).enumerate() {
        if nth > 0 {
            text.push(',');
        }
        quote(&mut text, group);
    }
    // Writing to a string does not fail.
    let _ = write!(text, "],\"iat\":{seconds},\"exp\":{}}}", seconds.saturating_add(lifetime.as_secs()));
    text
}

/// A JSON string (RFC 8259, section 7). What is told to jobs has no control characters; any would be left out.
fn quote(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars().filter(|character| !character.is_control()) {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use crate::identity::WireIdentity;
    use crate::key::KeyId;

    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_893_456_000_000);

    fn ring() -> KeyRing {
        KeyRing::new(
            [("k2", 2), ("k1", 1)].map(|(id, byte)| (KeyId::parse(id).expect("an id"), Secret::new([byte; 32]))),
        )
    }

    fn alice() -> Identity {
        let groups = vec!["ml".into(), "a\"b\\".into()];
        let identity = WireIdentity { actor: "ali\"ce".into(), groups, ..WireIdentity::default() };
        Identity::try_from(identity).expect("valid")
    }

    fn verified(text: &str) -> serde_json::Value {
        let (signed, signature) = text.rsplit_once('.').expect("three parts");
        let (head, body) = signed.split_once('.').expect("three parts");
        let json = |part| serde_json::from_slice::<serde_json::Value>(&URL_SAFE_NO_PAD.decode(part).expect("base64"));
        let id = json(head).expect("JSON")["kid"].clone();
        let keys = public_keys(&ring());
        let key = keys.iter().find(|key| id == key.id.as_str()).expect("a known key");
        let key =
            ed25519_compact::PublicKey::from_slice(&URL_SAFE_NO_PAD.decode(&key.x).expect("base64")).expect("a key");
        let bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64");
        let signature = ed25519_compact::Signature::from_slice(&bytes).expect("a signature");
        key.verify(signed, &signature).expect("signed with it");
        json(body).expect("JSON")
    }

    #[test]
    fn says_who_for_whom_and_how_long() {
        let mut assertions = Assertions::new(&ring(), "https://access.example.test", Duration::from_secs(300), 1);
        let text = assertions.make("ae5cf6f5", &alice(), NOW).expect("made");
        let expected = serde_json::json!({
            "iss": "https://access.example.test", "aud": "ae5cf6f5", "sub": "ali\"ce", "groups": ["ml", "a\"b\\"],
            "iat": 1_893_456_000, "exp": 1_893_456_300,
        });
        assert_eq!(verified(&text), expected);
    }

    #[test]
    fn one_is_used_for_half_of_its_time() {
        let mut assertions = Assertions::new(&ring(), "i", Duration::from_secs(300), 1);
        let first = assertions.make("ae5cf6f5", &alice(), NOW).expect("made");
        let made = |assertions: &mut Assertions, secs| {
            assertions.make("ae5cf6f5", &alice(), NOW.after(Duration::from_secs(secs))).expect("made")
        };
        assert_eq!(made(&mut assertions, 149), first);
        let second = made(&mut assertions, 150);
        assert_eq!(verified(&second)["exp"], 1_893_456_450);
        assert_ne!(assertions.make("2ef4261c", &alice(), NOW).expect("made"), second, "another service");
        assert_eq!(
            assertions.make("2ef4261c", &alice(), UnixTime::default()).map(|text| verified(&text)["iat"].clone()),
            Some(0.into())
        );
    }

    #[test]
    fn makes_none_without_key_or_lifetime() {
        let none =
            |ring: &KeyRing, secs| Assertions::new(ring, "i", Duration::from_secs(secs), 1).make("s", &alice(), NOW);
        assert_eq!((none(&KeyRing::default(), 300), none(&ring(), 0)), (None, None));
    }
}
