//! What the fuzz targets share: a text form of inputs, and a gate that knows a few services.
//!
//! Inputs are lines, so that a mutation that matters is a small one, cases of the corpus make good
//! seeds (`seeds`), and a crash can be read:
//!
//! - `name: value` is a header of the next request;
//! - an empty line sends it;
//! - `!a`, `!d`, `!u`: from here on the sidecar allows, denies, or has no answer;
//! - `+N`: N milliseconds pass;
//! - `#N`: the table changes, in the way that N stands for.
//!
//! Never looks at anything but outcomes: what must hold is written with each target.

use arbitrary::{Arbitrary, Unstructured};
use taskgate_core::config::GateConfig;
use taskgate_core::feed::{Control, FeedPage};
use taskgate_core::gate::Gate;
use taskgate_core::identity::WireIdentity;
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_core::request::Request;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol, Service};
use taskgate_core::session::Claims;
use taskgate_core::time::UnixTime;
use taskgate_core::token::TokenId;

/// A header: name, value.
pub type Header = (Vec<u8>, Vec<u8>);

/// Headers of a request.
#[derive(Debug)]
pub struct Headers(pub Vec<Header>);

impl Headers {
    /// As the core reads them.
    pub fn request(&self) -> Request<'_> {
        Request::read(self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
    }
}

/// What happens to a gate.
#[derive(Debug)]
pub enum Event {
    Advance(u64),
    Answer(Answer),
    Feed(u8),
    Request(Headers),
}

/// What the sidecar says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Allow,
    Deny,
    Unavailable,
}

/// Events, in order.
#[derive(Debug)]
pub struct Events(pub Vec<Event>);

impl<'a> Arbitrary<'a> for Events {
    fn arbitrary(unstructured: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let length = unstructured.len();
        unstructured.bytes(length).map(Self::read)
    }

    fn arbitrary_take_rest(unstructured: Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::read(unstructured.take_rest()))
    }
}

impl Events {
    /// Reads the lines. Every text means something; a request at the end needs no empty line.
    pub fn read(text: &[u8]) -> Self {
        let (mut events, mut headers) = (Vec::new(), Vec::new());
        for line in text.split(|byte| *byte == b'\n') {
            match line {
                [] => events.push(Event::Request(Headers(std::mem::take(&mut headers)))),
                b"!a" => events.push(Event::Answer(Answer::Allow)),
                b"!d" => events.push(Event::Answer(Answer::Deny)),
                b"!u" => events.push(Event::Answer(Answer::Unavailable)),
                [b'+', digits @ ..] => events.push(Event::Advance(number(digits) % LONGEST_WAIT)),
                [b'#', digits @ ..] => events.push(Event::Feed((number(digits) % 256) as u8)),
                line => headers.push(header(line)),
            }
        }
        if !headers.is_empty() {
            events.push(Event::Request(Headers(headers)));
        }
        Self(events)
    }
}

impl<'a> Arbitrary<'a> for Headers {
    fn arbitrary(unstructured: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let length = unstructured.len();
        let text = unstructured.bytes(length)?;
        Ok(Self(text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(header).collect()))
    }
}

/// Splits at the first `: `; a pseudo header's own colon is none.
fn header(line: &[u8]) -> Header {
    match line.windows(2).position(|pair| pair == b": ") {
        Some(at) => (line[..at].to_vec(), line[at + 2..].to_vec()),
        None => (line.to_vec(), Vec::new()),
    }
}

/// More than anything lasts, in milliseconds, and far from the end of time.
const LONGEST_WAIT: u64 = 10_000_000;

fn number(digits: &[u8]) -> u64 {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// What time it is at the start.
pub const START: UnixTime = UnixTime::from_millis(1_893_456_000_000);
/// The ids of the services; each has addresses in a network of its own.
pub const IDS: [&str; 6] = ["2ef4261c", "51a6d485", "ae5cf6f5", "1be80098", "a3a20f68", "601365b0"];

/// One of the services, as it is at first.
pub fn service(nth: u8) -> Service<'static> {
    let endpoint = |host: u8| Endpoint { address: ([10, 0, nth, host], 8080).into(), weight: 1 };
    let (operation, alias, task, name) = match nth {
        0 => ("a6e04b98-bf982394-5103e8-55754a49", Some("spark"), "master", "ui"),
        1 => ("a6e04b98-bf982394-5103e8-55754a49", Some("spark"), "history", "ui"),
        2 => ("a8ef7695-3de07913-5103e8-e29a6707", Some("greeter"), "example_grpc_server", "server"),
        _ => ("1b2c3d4e-5f607182-5103e8-93a4b5c6", None, "board", "ui"),
    };
    Service {
        id: IDS[usize::from(nth)],
        labels: match nth {
            0 => vec!["spark-master-ui"],
            1 => vec!["spark-history-ui"],
            _ => vec![],
        },
        provider: "file",
        operation,
        alias,
        task,
        services: vec![name],
        protocol: if nth == 2 { Protocol::Grpc } else { Protocol::Http },
        endpoints: if nth == 5 { vec![] } else { vec![endpoint(1), endpoint(2)] },
        access: if nth == 3 { AccessLevel::Public } else { AccessLevel::CanRead },
        owner: Some("owner"),
        forward_credential: nth == 4,
        vouched: false,
        path: None,
        origin: 1,
        epoch: 1,
    }
}

/// Keys and epochs.
pub fn control(verdict_epoch: u64) -> Control {
    Control {
        number: verdict_epoch,
        cache_key: [1; 32],
        keys: vec![(key_id(), SECRET)],
        verdict_epoch,
        revocations: vec![],
        gate: GateConfig {
            platform_cookies: vec!["YTCypressCookie".into(), "Session_id".into()],
            query_parameters: vec!["api_token".into()],
            ..GateConfig::for_domain("tasks.example.test")
        },
    }
}

const SECRET: [u8; 32] = [2; 32];

fn key_id() -> KeyId {
    KeyId::parse("k2").expect("an id")
}

/// The ring that the gate opens tokens with.
pub fn ring() -> KeyRing {
    KeyRing::new([(key_id(), Secret::new(SECRET))])
}

/// A session of the first service's epoch 1, good for a minute.
pub fn session(id: &str) -> String {
    let identity = WireIdentity { actor: "alice".into(), groups: vec!["ml".into()], ..WireIdentity::default() };
    let expires_at = START.after(std::time::Duration::from_secs(60));
    Claims::new(TokenId::new(7), id, 1, identity, START, expires_at).seal(&ring()).expect("seals")
}

/// A gate that knows every service.
pub fn gate() -> Gate {
    let mut gate = Gate::new(1, true);
    let rows: Vec<_> = (0..6).map(|nth| service(nth).pack().expect("a valid row")).collect();
    let page = FeedPage {
        epoch: 1,
        from: 0,
        to: 1,
        last: 1,
        reset: true,
        complete: true,
        upserts: rows.iter().map(|row| row.as_bytes()).collect(),
        removals: vec![],
        control: Some(control(1)),
    };
    gate.apply(page, START).expect("applies");
    gate
}
