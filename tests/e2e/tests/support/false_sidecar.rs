//! What stands where the sidecar should be and answers whatever the test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use taskgate_core::config::GateConfig;
use taskgate_core::feed::{Control, FeedPage, TABLE_ANSWER};
use taskgate_core::key::KeyId;
use taskgate_core::service::{AccessLevel, Endpoint, Protocol, Service};

use super::service::{BASE_DOMAIN, id};
use super::stage::{Always, Stage, Visit};

/// An answer: its bytes from the first line on; empty: the connection is closed; none: nothing, ever.
pub(crate) type Raw = Option<Vec<u8>>;

/// The server. It gives one table and then no news, and verdicts as the test wants them.
#[derive(Debug)]
pub(crate) struct FalseSidecar {
    stage: Always,
    answers: Arc<Mutex<Answers>>,
}

#[derive(Debug, Default)]
struct Answers {
    table: Raw,
    verdict: Raw,
    questions: usize,
    /// Those that get no answer.
    held: Vec<Visit>,
}

impl FalseSidecar {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let shared = Arc::clone(&answers);
        let stage = Stage::open().await?.always(move |visit| answer(visit, Arc::clone(&shared)));
        Ok(Self { stage, answers })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.stage.address()
    }

    /// Polls that have no table yet get this from now on.
    pub(crate) fn set_table(&self, answer: Raw) {
        self.lock().table = answer;
    }

    /// Questions get this from now on.
    pub(crate) fn set_verdict(&self, answer: Raw) {
        self.lock().verdict = answer;
    }

    /// How many questions came so far.
    pub(crate) fn questions(&self) -> usize {
        self.lock().questions
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(mut visit: Visit, answers: Arc<Mutex<Answers>>) -> anyhow::Result<()> {
    let lock = || answers.lock().unwrap_or_else(PoisonError::into_inner);
    let is_question = visit.head.line.starts_with("POST /internal/verdict ");
    let raw = if is_question {
        visit.wire.read_exact(visit.head.length()?).await?;
        let mut answers = lock();
        answers.questions += 1;
        answers.verdict.clone()
    } else if visit.head.line.starts_with("GET /internal/table?epoch=0&") {
        lock().table.clone()
    } else {
        None
    };
    match raw {
        Some(bytes) => visit.wire.write(bytes).await,
        None => {
            lock().held.push(visit);
            Ok(())
        }
    }
}

/// A whole answer of HTTP.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The answer with a table of one service that needs a credential.
pub(crate) fn table(task: &str, job: SocketAddr) -> anyhow::Result<Vec<u8>> {
    Ok(response("200 OK", &[("x-taskgate-answer", TABLE_ANSWER)], &page(task, job)?))
}

/// The page of such a table.
pub(crate) fn page(task: &str, job: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let id = id(task);
    let service = Service {
        id: &id,
        labels: Vec::new(),
        provider: "file",
        operation: "o",
        alias: None,
        task,
        services: vec!["ui"],
        protocol: Protocol::Http,
        endpoints: vec![Endpoint { address: job, weight: 1 }],
        access: AccessLevel::CanRead,
        owner: None,
        forward_credential: false,
        vouched: false,
        path: None,
        origin: 1,
        epoch: 1,
    };
    let row = service.pack()?;
    let control = Control {
        number: 1,
        cache_key: [1; 32],
        keys: vec![(KeyId::parse("k1")?, [2; 32])],
        verdict_epoch: 1,
        revocations: vec![],
        gate: GateConfig::for_domain(BASE_DOMAIN),
    };
    let page = FeedPage {
        epoch: 7,
        from: 0,
        to: 1,
        last: 1,
        reset: true,
        complete: true,
        upserts: vec![row.as_bytes()],
        removals: Vec::new(),
        control: Some(control),
    };
    Ok(page.encode()?)
}
