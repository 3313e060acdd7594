//! A collector of traces: takes them by OTLP over HTTP and keeps them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A part of a trace, as it came. Ids are in hex; the parent is empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectedSpan {
    /// Its trace.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// Whose part it is.
    pub parent_id: String,
    /// Its name.
    pub name: String,
    /// What it says, with what is said of whoever sent it.
    pub attributes: BTreeMap<String, String>,
}

/// A running collector.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<CollectedSpan>,
    headers: Vec<HeaderMap>,
    bytes: Vec<u8>,
}

impl Collector {
    /// Starts one.
    ///
    /// # Errors
    /// No port is free.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let routes = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
        let serving = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self { address, kept, serving })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The parts of one trace that it has.
    #[must_use]
    pub fn spans(&self, trace_id: &str) -> Vec<CollectedSpan> {
        lock(&self.kept).spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect()
    }

    /// How many parts it has, of whatever trace.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.kept).spans.len()
    }

    /// Whether a text was anywhere in what came.
    #[must_use]
    pub fn has_seen(&self, text: &str) -> bool {
        lock(&self.kept).bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// The values of a header, of each request that came.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        let kept = lock(&self.kept);
        let values = kept.headers.iter().filter_map(|headers| headers.get(name)?.to_str().ok());
        values.map(ToOwned::to_owned).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if headers.get("content-type").is_none_or(|kind| kind != "application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Some(spans) = spans(&body) else { return StatusCode::BAD_REQUEST };
    let mut kept = lock(&kept);
    kept.spans.extend(spans);
    kept.headers.push(headers);
    kept.bytes.extend(body);
    StatusCode::OK
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The parts in a message of the service of traces. The numbers are those of its fields.
fn spans(message: &[u8]) -> Option<Vec<CollectedSpan>> {
    let mut spans = Vec::new();
    for of_resource in messages(message, 1)? {
        let mut shared = BTreeMap::new();
        for resource in messages(of_resource, 1)? {
            shared.extend(attributes(resource, 1)?);
        }
        for of_scope in messages(of_resource, 2)? {
            for span in messages(of_scope, 2)? {
                let mut attributes = attributes(span, 9)?;
                attributes.extend(shared.clone());
                spans.push(CollectedSpan {
                    trace_id: hex(messages(span, 1)?.first()?),
                    span_id: hex(messages(span, 2)?.first()?),
                    parent_id: hex(messages(span, 4)?.first().copied().unwrap_or_default()),
                    name: String::from_utf8(messages(span, 5)?.first()?.to_vec()).ok()?,
                    attributes,
                });
            }
        }
    }
    Some(spans)
}

fn attributes(message: &[u8], field: u64) -> Option<BTreeMap<String, String>> {
    let pairs = messages(message, field)?.into_iter().map(|pair| {
        let key = String::from_utf8(messages(pair, 1)?.first()?.to_vec()).ok()?;
        let value = messages(pair, 2)?.first().copied().unwrap_or_default();
        let text = messages(value, 1)?.first().map(|text| String::from_utf8_lossy(text).into_owned());
        let number = || fields(value).ok().and_then(|fields| fields.numbers.get(&3).copied());
        Some((key, text.or_else(|| number().map(|number| number.to_string())).unwrap_or_default()))
    });
    pairs.collect()
}

/// The fields of a message, as far as they are numbers or bytes.
#[derive(Debug, Default)]
struct Fields<'a> {
    numbers: BTreeMap<u64, u64>,
    bytes: Vec<(u64, &'a [u8])>,
}

fn messages(message: &[u8], field: u64) -> Option<Vec<&[u8]>> {
    let fields = fields(message).ok()?;
    Some(fields.bytes.iter().filter(|(number, _)| *number == field).map(|(_, bytes)| *bytes).collect())
}

fn fields(mut message: &[u8]) -> anyhow::Result<Fields<'_>> {
    let mut fields = Fields::default();
    while !message.is_empty() {
        let key = number(&mut message)?;
        match key & 7 {
            0 => drop(fields.numbers.insert(key >> 3, number(&mut message)?)),
            1 => drop(cut(&mut message, 8)?),
            2 => {
                let length = usize::try_from(number(&mut message)?)?;
                fields.bytes.push((key >> 3, cut(&mut message, length)?));
            }
            5 => drop(cut(&mut message, 4)?),
            kind => anyhow::bail!("no field is of the kind {kind}"),
        }
    }
    Ok(fields)
}

fn cut<'a>(message: &mut &'a [u8], length: usize) -> anyhow::Result<&'a [u8]> {
    let (first, rest) = message.split_at_checked(length).ok_or_else(|| anyhow::anyhow!("cut short"))?;
    *message = rest;
    Ok(first)
}

fn number(message: &mut &[u8]) -> anyhow::Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *cut(message, 1)?.first().unwrap_or(&0);
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    anyhow::bail!("a number is too long")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
