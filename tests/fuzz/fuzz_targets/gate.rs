//! Any requests, answers, table changes and times: nobody gets in without a cause, nobody is sent
//! elsewhere than was asked about, and nothing of ours or the platform's reaches a job.

#![no_main]

use std::collections::HashMap;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use taskgate_core::denial::Denial;
use taskgate_core::edit::RequestEdits;
use taskgate_core::feed::FeedPage;
use taskgate_core::gate::{Decision, Gate, Step};
use taskgate_core::identity::{Identity, WireIdentity};
use taskgate_core::service::{AccessLevel, Service};
use taskgate_core::session;
use taskgate_core::time::UnixTime;
use taskgate_core::verdict::{Refusal, Scheme, Verdict, VerdictAnswer};
use taskgate_fuzz::{Answer, Event, Events, Header, Headers, IDS, START, control, gate, ring, service};
use taskgate_suite::native::carry_out;

/// How long verdicts hold, in milliseconds.
const LIFETIME: u64 = 30_000;
/// How long they hold beyond that without the sidecar.
const GRACE: u64 = 300_000;

/// What a permission is bound to.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Grant {
    service: usize,
    /// The service's epoch. It may come back: then so does what was decided under it.
    epoch: u32,
    verdict_epoch: u64,
    credential: String,
}

struct World {
    gate: Gate,
    now: UnixTime,
    answer: Answer,
    verdict_epoch: u64,
    services: Vec<Option<Service<'static>>>,
    number: u64,
    /// Until when a permission counts, by all that it is bound to.
    allowed: HashMap<Grant, UnixTime>,
}

impl World {
    fn new() -> Self {
        Self {
            gate: gate(),
            now: START,
            answer: Answer::Allow,
            verdict_epoch: 1,
            services: (0..6).map(|nth| Some(service(nth))).collect(),
            number: 1,
            allowed: HashMap::new(),
        }
    }

    fn feed(&mut self, kind: u8) {
        let nth = usize::from(kind % 6);
        let mut control_page = None;
        match kind / 6 {
            0 => self.services[nth] = Some(service(kind % 6)),
            1 => self.services[nth] = None,
            2 => self.change(nth, |service| service.epoch += 1),
            3 => self.change(nth, |service| service.access = AccessLevel::Nobody),
            4 => self.change(nth, |service| service.access = AccessLevel::Public),
            5 => self.change(nth, |service| service.endpoints.clear()),
            _ => {
                self.verdict_epoch += 1;
                control_page = Some(control(self.verdict_epoch));
            }
        }
        let row = self.services[nth].as_ref().map(|service| service.pack().expect("a valid row"));
        let page = FeedPage {
            epoch: 1,
            from: self.number,
            to: self.number + 1,
            last: self.number + 1,
            reset: false,
            complete: true,
            upserts: row.iter().map(|row| row.as_bytes()).collect(),
            removals: if row.is_none() { vec![IDS[nth]] } else { vec![] },
            control: control_page,
        };
        self.gate.apply(page, self.now).expect("continues");
        self.number += 1;
    }

    fn change(&mut self, nth: usize, change: impl FnOnce(&mut Service<'static>)) {
        if let Some(service) = &mut self.services[nth] {
            change(service);
        }
    }

    fn verdict(&self) -> VerdictAnswer {
        let lifetime = Duration::from_millis(LIFETIME);
        match self.answer {
            Answer::Allow => {
                let wire = WireIdentity { actor: "alice".into(), ..WireIdentity::default() };
                VerdictAnswer::Decided(
                    Verdict::Allow { identity: Identity::try_from(wire).expect("valid"), ends_at: None },
                    lifetime,
                )
            }
            Answer::Deny => {
                VerdictAnswer::Decided(Verdict::Deny { refusal: Refusal::AccessDenied, actor: None }, lifetime)
            }
            Answer::Unavailable => VerdictAnswer::Unavailable,
        }
    }

    fn request(&mut self, headers: &Headers) {
        let (decision, asked) = match self.gate.on_request(&headers.request(), self.now) {
            Step::Done(decision) => (decision, None),
            Step::Ask(question) => {
                let nth = IDS.iter().position(|id| *id == question.query.service).expect("a service there is");
                let credential = question.query.credential.clone();
                let is_sealed = credential.value.starts_with("tg1.");
                assert_eq!(is_sealed, credential.scheme == Scheme::Session, "a sealed token goes to no platform");
                let service = self.services[nth].as_ref().expect("a service there is");
                let grant = Grant {
                    service: nth,
                    epoch: service.epoch,
                    verdict_epoch: self.verdict_epoch,
                    credential: format!("{:?} {:?} {}", credential.scheme, credential.name, credential.value),
                };
                match self.answer {
                    Answer::Allow => {
                        let until = self.now.after(Duration::from_millis(LIFETIME + GRACE));
                        self.allowed.insert(grant.clone(), until);
                    }
                    Answer::Deny => {
                        self.allowed.remove(&grant);
                    }
                    Answer::Unavailable => {}
                }
                let learned = self.gate.learn(question.key, self.verdict(), self.now);
                (self.gate.on_verdict(question.pending, &learned), Some(grant))
            }
        };
        match decision {
            Decision::Permit(edits) => self.permitted(headers, &edits, asked),
            Decision::Redirect(reply) => {
                assert_eq!(reply.status, 303);
                let gives = reply.headers.iter().any(|(name, _)| *name == "set-cookie");
                assert!(!gives || asked.is_none_or(|grant| self.allowed.contains_key(&grant)), "a session of nobody");
            }
            Decision::Refuse(denial, reply) => {
                assert!((400..=503).contains(&reply.status));
                assert!(denial != Denial::ProxyFailure && denial != Denial::Overloaded);
            }
        }
    }

    fn permitted(&self, headers: &Headers, edits: &RequestEdits, asked: Option<Grant>) {
        let addresses = edits.upstream.candidates;
        let is_owner = |service: &Service<'_>| {
            addresses.iter().all(|address| service.endpoints.iter().any(|endpoint| endpoint.address == *address))
        };
        let owner = |service: &Option<Service<'_>>| service.as_ref().is_some_and(is_owner);
        let nth = self.services.iter().position(owner).expect("addresses of one service");
        let service = self.services[nth].as_ref().expect("is there");
        assert_ne!(service.access, AccessLevel::Nobody);
        let is_in_force = |grant: &Grant| {
            (grant.service, grant.epoch, grant.verdict_epoch) == (nth, service.epoch, self.verdict_epoch)
                && self.allowed.get(grant).is_some_and(|until| self.now < *until)
        };
        let by_verdict = match &asked {
            Some(grant) => {
                assert_eq!(grant.service, nth, "asked about one service, sent to another");
                is_in_force(grant)
            }
            None => self.allowed.keys().any(is_in_force),
        };
        let by_session = headers.0.iter().flat_map(|(_, value)| tokens(value)).any(|token| {
            let session = session::open(&ring(), token, service.id);
            session.is_ok_and(|session| session.claims.epoch == service.epoch && self.now < session.claims.expires_at)
        });
        let public = service.access == AccessLevel::Public;
        assert!(public || by_verdict || by_session, "{} let somebody in", service.id);
        self.clean(service, &carry_out(edits.clone(), headers.0.clone()), edits.identity().is_some());
    }

    fn clean(&self, service: &Service<'_>, left: &[Header], identified: bool) {
        for (name, value) in left {
            let folded: Vec<u8> =
                name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
            assert!(!folded.starts_with(b"x-taskgate-") && !folded.starts_with(b"x-yt-taskproxy-"));
            assert!(![&b"x-yt-user-name"[..], b"x-arvados-user-uuid"].contains(&folded.as_slice()));
            if folded.starts_with(b"x-forwarded-") && [&b"user"[..], b"email", b"groups"].contains(&&folded[12..]) {
                assert!(identified && name == &folded, "an identity that is not ours");
            }
            if folded == b"authorization" && !service.forward_credential {
                let value = value.trim_ascii().to_ascii_lowercase();
                assert!(!value.starts_with(b"bearer tg1."));
                assert!(!value.starts_with(b"oauth ") || value.trim_ascii() == b"oauth");
            }
            if folded == b"cookie" {
                for crumb in value.split(|byte| *byte == b';') {
                    let Some(at) = crumb.iter().position(|byte| *byte == b'=') else { continue };
                    let name = crumb[..at].trim_ascii();
                    assert_ne!(name, b"__Host-taskgate");
                    let platform = name == b"YTCypressCookie" || name == b"Session_id";
                    assert!(!platform || service.forward_credential);
                }
            }
        }
    }
}

/// Everything in a value that could be a token. (That only genuine ones open is what `token` is for.)
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| !byte.is_ascii_alphanumeric() && !b"._-".contains(byte)).filter(|word| word.starts_with(b"tg1."))
}

fuzz_target!(|events: Events| {
    let mut world = World::new();
    for event in events.0.iter().take(64) {
        match event {
            Event::Advance(millis) => world.now = world.now.after(Duration::from_millis(*millis)),
            Event::Answer(answer) => world.answer = *answer,
            Event::Feed(kind) => world.feed(*kind),
            Event::Request(headers) => world.request(headers),
        }
    }
});
