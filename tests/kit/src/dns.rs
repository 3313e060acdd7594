//! A DNS server whose records tests change while it runs.
//!
//! It answers over UDP what it was told and nothing else: no recursion, no search, no TCP.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The most bytes of a question.
const MAX_QUESTION: usize = 512;
/// The bytes before the question.
const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
const NO_ERROR: u8 = 0;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// What the server says about a name.
#[derive(Clone, Debug)]
enum Zone {
    Addresses(Vec<IpAddr>, u32),
    Alias(String, u32),
    Broken,
}

/// A running DNS server.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    zones: HashMap<String, Zone>,
    asked: HashMap<String, usize>,
    is_silent: bool,
}

impl DnsServer {
    /// Starts one that knows no name.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> anyhow::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = socket.local_addr()?;
        let state: Arc<Mutex<State>> = Arc::default();
        let known = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            let mut question = [0; MAX_QUESTION];
            while let Ok((length, client)) = socket.recv_from(&mut question).await {
                let answer = question.get(..length).and_then(|question| lock(&known).answer(question));
                if let Some(answer) = answer {
                    // A client that is gone is no concern of others.
                    let _ = socket.send_to(&answer, client).await;
                }
            }
        });
        Ok(Self { address, state, serving })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// A name has these addresses from now on, for so many seconds.
    pub fn set(&self, name: &str, addresses: &[IpAddr], ttl_secs: u32) {
        self.put(name, Zone::Addresses(addresses.to_vec(), ttl_secs));
    }

    /// A name stands for another one from now on.
    pub fn alias(&self, name: &str, target: &str, ttl_secs: u32) {
        self.put(name, Zone::Alias(target.to_owned(), ttl_secs));
    }

    /// Questions about a name are answered with "server failure" from now on.
    pub fn fail(&self, name: &str) {
        self.put(name, Zone::Broken);
    }

    /// There is no such name any more.
    pub fn remove(&self, name: &str) {
        lock(&self.state).zones.remove(name);
    }

    /// Whether it says nothing at all.
    pub fn be_silent(&self, is_silent: bool) {
        lock(&self.state).is_silent = is_silent;
    }

    /// How often it was asked for a name, whatever the type.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        lock(&self.state).asked.get(name).copied().unwrap_or_default()
    }

    fn put(&self, name: &str, zone: Zone) {
        lock(&self.state).zones.insert(name.to_owned(), zone);
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    /// The answer to a question, where there is one.
    fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = name_at(message, HEADER)?;
        let kind = u16::from_be_bytes(message.get(end..end + 2)?.try_into().ok()?);
        *self.asked.entry(name.clone()).or_default() += 1;
        if self.is_silent {
            return None;
        }
        let (code, records) = match self.zones.get(&name) {
            None => (NO_SUCH_NAME, Vec::new()),
            Some(Zone::Broken) => (SERVER_FAILURE, Vec::new()),
            Some(Zone::Alias(target, ttl)) => (NO_ERROR, vec![record(TYPE_CNAME, *ttl, &labels(target))]),
            Some(Zone::Addresses(addresses, ttl)) => {
                let records = addresses.iter().filter_map(|address| match (address, kind) {
                    (IpAddr::V4(address), TYPE_A) => Some(record(TYPE_A, *ttl, &address.octets())),
                    (IpAddr::V6(address), TYPE_AAAA) => Some(record(TYPE_AAAA, *ttl, &address.octets())),
                    _ => None,
                });
                (NO_ERROR, records.collect())
            }
        };
        let mut answer = message.get(..2)?.to_vec();
        // An authoritative answer of a server that would recurse, to one question.
        answer.extend([0x85, 0x80 | code, 0, 1]);
        answer.extend(u16::try_from(records.len()).ok()?.to_be_bytes());
        answer.extend([0, 0, 0, 0]);
        answer.extend(message.get(HEADER..end + 4)?);
        answer.extend(records.concat());
        Some(answer)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name at that place in lower case, and where it ends.
fn name_at(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8(message.get(at..at + length)?.to_ascii_lowercase()).ok()?);
        at += length;
    }
}

/// A record of the name in the question.
fn record(kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut record = vec![0xc0, 12];
    record.extend(kind.to_be_bytes());
    record.extend([0, 1]);
    record.extend(ttl.to_be_bytes());
    record.extend(u16::try_from(data.len()).unwrap_or_default().to_be_bytes());
    record.extend(data);
    record
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or_default());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}
