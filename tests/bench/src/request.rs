//! The requests that the load generator sends.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::catalogue::{BASE_DOMAIN, token};

/// What every request has beside its host and credential: about what a script sends.
const COMMON: &str = "user-agent: bench/1.0\r\naccept: */*\r\naccept-encoding: gzip\r\n\r\n";

/// What the visitor shows.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    /// Nothing.
    None,
    /// A token.
    Token(String),
    /// A session.
    Session(String),
}

/// Requests for one variant. Clones share their place in the sequence.
#[derive(Clone, Debug)]
pub(crate) enum Requests {
    /// The same one again and again.
    Same(Arc<[u8]>),
    /// These in turn.
    Turns(Arc<Turns>),
    /// Each for a pair of service and token that no worker has a verdict on.
    Unseen(Arc<Unseen>),
}

/// Requests that are sent in turn.
#[derive(Debug)]
pub(crate) struct Turns {
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
}

/// Pairs of service and token, so many that none comes again before its verdict is forgotten.
#[derive(Debug)]
pub(crate) struct Unseen {
    services: Vec<String>,
    tokens: Vec<String>,
    next: AtomicUsize,
}

impl Requests {
    /// The same request again and again.
    pub(crate) fn same(service: &str, credential: &Credential) -> Self {
        Self::Same(get("/", service, credential).into())
    }

    /// The same service with each of these credentials in turn.
    pub(crate) fn turns(service: &str, credentials: &[Credential]) -> Self {
        let requests = credentials.iter().map(|credential| get("/", service, credential)).collect();
        Self::Turns(Arc::new(Turns { requests, next: AtomicUsize::new(0) }))
    }

    /// Every pair of those services and that many tokens in turn. The first token is left out: there are
    /// verdicts on it.
    pub(crate) fn unseen(services: Vec<String>, tokens: usize) -> Self {
        let tokens = (1..tokens).map(token).collect();
        Self::Unseen(Arc::new(Unseen { services, tokens, next: AtomicUsize::new(0) }))
    }

    /// Puts the next request into `buffer`.
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        match self {
            Self::Same(request) => buffer.extend_from_slice(request),
            Self::Turns(turns) => {
                let number = turns.next.fetch_add(1, Ordering::Relaxed);
                let request = number.checked_rem(turns.requests.len()).and_then(|at| turns.requests.get(at));
                buffer.extend_from_slice(request.map_or(&[][..], Vec::as_slice));
            }
            Self::Unseen(unseen) => unseen.write(buffer),
        }
    }
}

impl Unseen {
    fn write(&self, buffer: &mut Vec<u8>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let service = number.checked_rem(self.services.len()).and_then(|at| self.services.get(at));
        let round = number.checked_div(self.services.len()).unwrap_or_default();
        let token = round.checked_rem(self.tokens.len()).and_then(|at| self.tokens.get(at));
        if let (Some(service), Some(token)) = (service, token) {
            // Writing to a Vec can't fail.
            let _ = write!(
                buffer,
                "GET / HTTP/1.1\r\nhost: {service}.{BASE_DOMAIN}\r\nauthorization: Bearer {token}\r\n{COMMON}"
            );
        }
    }
}

/// A `GET` of `path` from that service.
pub(crate) fn get(path: &str, service: &str, credential: &Credential) -> Vec<u8> {
    let credential = match credential {
        Credential::None => String::new(),
        Credential::Token(token) => format!("authorization: Bearer {token}\r\n"),
        Credential::Session(token) => format!("cookie: __Host-taskgate={token}\r\n"),
    };
    format!("GET {path} HTTP/1.1\r\nhost: {service}.{BASE_DOMAIN}\r\n{credential}{COMMON}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pair_comes_twice() {
        let requests = Requests::unseen(vec!["a".into(), "b".into(), "c".into()], 5);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..12 {
            let mut buffer = Vec::new();
            requests.write(&mut buffer);
            assert!(seen.insert(buffer));
        }
    }
}
