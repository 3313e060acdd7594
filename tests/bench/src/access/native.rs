//! What the functions take by themselves, compiled for this machine.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use taskgate_core::assertion::Assertions;
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_core::session::{self, Claims};
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;

const SERVICE: &str = "ae5cf6f5";
const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

/// Microseconds, each the least of several runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Native {
    /// To open a session.
    pub(super) session: f64,
    /// To sign an assertion.
    pub(super) assertion: f64,
    /// To find one that was signed before.
    pub(super) found: f64,
}

/// Measures.
pub(super) fn measure(quick: bool) -> anyhow::Result<Native> {
    let times = if quick { 200 } else { 5_000 };
    let id = KeyId::parse("k1").context("an id")?;
    let ring = KeyRing::new([(id, Secret::new([7; 32]))]);
    let wire = WireIdentity { actor: "alice".into(), groups: vec!["ml".into()], ..WireIdentity::default() };
    let identity = Identity::try_from(wire.clone())?;
    let end = NOW.after(Duration::from_secs(3_600));
    let token = Claims::new(TokenId::new(7), SERVICE, 1, wire, NOW, end).seal(&ring)?;
    let session = time(times, |_| session::open(&ring, token.as_bytes(), SERVICE).is_ok());
    let lifetime = Duration::from_secs(300);
    let mut assertions = Assertions::new(&ring, "https://access.example.test", lifetime, 7);
    // Each is asked for when the one before has been used for too long.
    let later = |number: u32| NOW.after(lifetime * number.saturating_add(1));
    let assertion = time(times, |number| assertions.make(SERVICE, &identity, later(number)).is_some());
    let found = time(times, |_| assertions.make(SERVICE, &identity, NOW).is_some());
    Ok(Native { session, assertion, found })
}

/// Microseconds that each of so many calls takes: the least of five runs, since whatever else happens only adds.
fn time(times: u32, mut call: impl FnMut(u32) -> bool) -> f64 {
    let mut run = || {
        let start = Instant::now();
        for number in 0..times {
            black_box(call(black_box(number)));
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(times)
    };
    (0..5).map(|_| run()).fold(f64::INFINITY, f64::min)
}
