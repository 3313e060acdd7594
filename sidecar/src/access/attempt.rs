//! What is remembered of a sign-in while its person is at the provider. The sidecar keeps nothing: it is sealed, and
//! the browser carries it.
//!
//! A [`Ticket`] goes to the provider and back, through whatever browser follows. An [`Attempt`] stays in a cookie of
//! the host where it began, and a sign-in is only completed where both are of one attempt: so nobody can have somebody
//! else's browser complete what they began themselves.

use std::time::Duration;

use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use taskgate_core::identity::WireIdentity;
use taskgate_core::key::{KeyRing, Purpose};
use taskgate_core::time::UnixTime;
use taskgate_core::token::{self, Opened, SealError};

use crate::access::cookies;
use crate::access::host::Site;

/// How long a sign-in may take, in seconds.
pub const ATTEMPT_SECS: u64 = 600;
const GUEST_COOKIE: &str = "guest";

/// The number of an attempt.
pub type AttemptId = [u8; 16];

/// What the browser keeps where it began.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one.
    pub id: AttemptId,
    /// The secret that shows the provider that whoever has the code began the sign-in (RFC 7636).
    pub verifier: String,
    /// What the ID token has to repeat.
    pub nonce: String,
    /// The path to go on to.
    pub to: String,
    /// When it began.
    pub began: UnixTime,
}

/// What goes to the provider and back (`state`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Which attempt.
    pub id: AttemptId,
    /// The host where it began.
    pub host: String,
    /// When it is over.
    pub expires: UnixTime,
}

/// In which browser a sign-in came back, as the sidecar's own host tells the one where it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Which attempt.
    pub id: AttemptId,
    /// The browser.
    pub browser: [u8; 16],
}

/// Who somebody is that comes for a share link, on the host that the link is for. It says so to the link's own page and
/// is no session: that is for the page's button to give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The id of the service.
    pub service: String,
    /// Who it is.
    pub identity: WireIdentity,
    /// When that was said.
    pub began: UnixTime,
}

/// One kind of thing never opens as another.
#[derive(Serialize, Deserialize)]
enum Sealed<T> {
    Attempt(T),
    Ticket(T),
    Seat(T),
    Guest(T),
}

impl Attempt {
    /// Seals it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, ring: &KeyRing) -> Result<String, SealError> {
        seal(ring, &Sealed::Attempt(self))
    }

    /// Opens one that is not over; none where it is none of ours.
    #[must_use]
    pub fn open(ring: &KeyRing, text: &str, now: UnixTime) -> Option<Self> {
        let Sealed::Attempt(attempt) = open::<Self>(ring, text)? else { return None };
        Some(attempt).filter(|attempt| now.since(attempt.began).as_secs() < ATTEMPT_SECS)
    }

    /// What its cookie is called, after the part that all of them have.
    #[must_use]
    pub fn cookie_suffix(id: &AttemptId) -> String {
        id.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Ticket {
    /// Seals it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, ring: &KeyRing) -> Result<String, SealError> {
        seal(ring, &Sealed::Ticket(self))
    }

    /// Opens one, over or not; none where it is none of ours.
    #[must_use]
    pub fn open(ring: &KeyRing, text: &str) -> Option<Self> {
        let Sealed::Ticket(ticket) = open::<Self>(ring, text)? else { return None };
        Some(ticket)
    }
}

impl Seat {
    /// Seals it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, ring: &KeyRing) -> Result<String, SealError> {
        seal(ring, &Sealed::Seat(self))
    }

    /// Opens one; none where it is none of ours.
    #[must_use]
    pub fn open(ring: &KeyRing, text: &str) -> Option<Self> {
        let Sealed::Seat(seat) = open::<Self>(ring, text)? else { return None };
        Some(seat)
    }
}

impl Guest {
    /// The line with which a browser keeps it, or none where it is too long. Groups are left out where there are too many.
    #[must_use]
    pub fn line(mut self, site: &Site, ring: &KeyRing) -> Option<String> {
        loop {
            let token = seal(ring, &Sealed::Guest(&self)).ok().filter(|token| token.len() <= site.longest_session());
            if let Some(token) = token {
                let name = site.cookie(GUEST_COOKIE);
                return Some(site.cookies().set(&name, &token, Duration::from_secs(ATTEMPT_SECS)));
            }
            if self.identity.groups.is_empty() {
                return None;
            }
            let left = self.identity.groups.len() / 2;
            self.identity.groups.truncate(left);
        }
    }

    /// Who a request shows that it comes from, at that service and now.
    #[must_use]
    pub fn of(headers: &HeaderMap, site: &Site, ring: &KeyRing, service: &str, now: UnixTime) -> Option<WireIdentity> {
        let name = site.cookie(GUEST_COOKIE);
        let mut shown = cookies::values(headers, &name).filter_map(|value| match open::<Self>(ring, value)? {
            Sealed::Guest(guest) => Some(guest),
            _ => None,
        });
        let is_good = |guest: &Self| guest.service == service && now.since(guest.began).as_secs() < ATTEMPT_SECS;
        shown.find(is_good).map(|guest| guest.identity)
    }
}

fn seal<T: Serialize>(ring: &KeyRing, value: &Sealed<T>) -> Result<String, SealError> {
    let payload = postcard::to_allocvec(value).map_err(|_| SealError::TooLong)?;
    token::seal_anew(ring, Purpose::SignIn, &payload)
}

fn open<T: DeserializeOwned>(ring: &KeyRing, text: &str) -> Option<Sealed<T>> {
    let Opened::Payload(payload) = token::open(ring, Purpose::SignIn, text.as_bytes()) else { return None };
    postcard::from_bytes(&payload).ok()
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Attempt").field("began", &self.began).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use taskgate_core::key::{KeyId, Secret};

    use crate::access::return_path::MAX_RETURN;

    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_700_000_000_000);

    fn ring(byte: u8) -> KeyRing {
        KeyRing::new([(KeyId::parse("k1").expect("an id"), Secret::new([byte; 32]))])
    }

    fn attempt(to: &str) -> Attempt {
        let text = "v".repeat(43);
        Attempt { id: [7; 16], verifier: text.clone(), nonce: text, to: to.into(), began: NOW }
    }

    #[test]
    fn an_attempt_is_over_after_ten_minutes() {
        let token = attempt("/a").seal(&ring(1)).expect("seals");
        let after = |secs| Attempt::open(&ring(1), &token, NOW.after(Duration::from_secs(secs)));
        assert_eq!(after(599), Some(attempt("/a")));
        assert_eq!(after(600), None);
        assert_eq!(Attempt::open(&ring(2), &token, NOW), None);
        assert_eq!(Attempt::cookie_suffix(&[0xab; 16]), "abababab");
    }

    #[test]
    fn one_kind_never_opens_as_another() {
        let (attempt, expires) = (attempt("/a").seal(&ring(1)).expect("seals"), NOW);
        let ticket = Ticket { id: [7; 16], host: "x".into(), expires }.seal(&ring(1)).expect("seals");
        let seat = Seat { id: [7; 16], browser: [1; 16] }.seal(&ring(1)).expect("seals");
        assert!(Ticket::open(&ring(1), &ticket).is_some() && Seat::open(&ring(1), &seat).is_some());
        for other in [&attempt, &seat] {
            assert_eq!(Ticket::open(&ring(1), other), None);
        }
        for other in [&attempt, &ticket] {
            assert_eq!(Seat::open(&ring(1), other), None);
        }
        for other in [&seat, &ticket] {
            assert_eq!(Attempt::open(&ring(1), other, NOW), None);
        }
    }

    #[test]
    fn the_longest_fits_a_cookie() {
        let longest = attempt(&"/".repeat(MAX_RETURN)).seal(&ring(1)).expect("seals");
        assert!(longest.len() < 3_500, "{}", longest.len());
    }
}
