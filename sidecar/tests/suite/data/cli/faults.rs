//! What goes wrong between a client and a store.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use taskgate::clock::ManualClock;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What happens to a request instead of what should.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It is answered with that, once its body is there.
    Answer(StatusCode, &'static str),
    /// It does what it should, and the answer is lost on the way.
    Lost,
    /// Time passes before it is looked at.
    Late(Duration),
    /// Its body comes with another byte in the middle.
    Bend,
    /// Something happens meanwhile; then it is answered that the store has too much to do.
    Meanwhile(Arc<Meanwhile>),
}

/// Something that happens while a request waits.
#[derive(Debug, Default)]
pub(super) struct Meanwhile {
    came: Notify,
    done: Notify,
}

impl Meanwhile {
    /// Does it once the request is there.
    pub(super) async fn act(&self, act: impl Future<Output = ()>) {
        self.came.notified().await;
        act.await;
        self.done.notify_one();
    }
}

/// What will go wrong, and of which request.
type Planned = (Method, &'static str, Fault);

/// The faults to come, for requests with a method to paths that start so.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    planned: Arc<Mutex<VecDeque<Planned>>>,
    seen: Arc<Mutex<Vec<(Method, String)>>>,
}

impl Faults {
    /// Plans one. It happens once.
    pub(super) fn plan(&self, method: Method, path: &'static str, fault: Fault) {
        self.planned.lock().expect("locks").push_back((method, path, fault));
    }

    /// How many requests with a method there were to paths that start so.
    pub(super) fn count(&self, method: &Method, path: &str) -> usize {
        self.seen.lock().expect("locks").iter().filter(|(own, at)| own == method && at.starts_with(path)).count()
    }

    /// Whether all has happened.
    pub(super) fn are_over(&self) -> bool {
        self.planned.lock().expect("locks").is_empty()
    }

    fn next(&self, method: &Method, path: &str) -> Option<Fault> {
        self.seen.lock().expect("locks").push((method.clone(), path.to_owned()));
        let mut planned = self.planned.lock().expect("locks");
        let at = planned.iter().position(|(own, start, _)| own == method && path.starts_with(start))?;
        planned.remove(at).map(|(.., fault)| fault)
    }

    /// Puts them before a router.
    pub(super) fn before(&self, router: Router, clock: Arc<ManualClock>) -> Router {
        let faults = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let (fault, clock) = (faults.next(request.method(), request.uri().path()), Arc::clone(&clock));
            async move {
                match fault {
                    None => next.run(request).await,
                    Some(Fault::Late(time)) => {
                        clock.advance(time);
                        next.run(request).await
                    }
                    Some(Fault::Answer(status, body)) => {
                        // What can't be read was cut off, and then nobody waits for the answer.
                        let _ = request.into_body().collect().await;
                        (status, [("retry-after", "0")], body).into_response()
                    }
                    Some(Fault::Meanwhile(meanwhile)) => {
                        let _ = request.into_body().collect().await;
                        meanwhile.came.notify_one();
                        meanwhile.done.notified().await;
                        StatusCode::SERVICE_UNAVAILABLE.into_response()
                    }
                    Some(Fault::Lost) => {
                        next.run(request).await;
                        StatusCode::BAD_GATEWAY.into_response()
                    }
                    Some(Fault::Bend) => bent(next.run(request).await).await,
                }
            }
        }))
    }
}

async fn bent(answer: Response) -> Response {
    let (head, body) = answer.into_parts();
    let mut bytes = body.collect().await.expect("a body").to_bytes().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Response::from_parts(head, bytes.into())
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    /// After so many bytes to the server.
    Up(usize),
    /// After so many bytes from the server.
    Down(usize),
}

/// Something between clients and a server that cuts connections.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    cuts: Arc<Mutex<VecDeque<Cut>>>,
    pub(super) connections: Arc<AtomicUsize>,
    /// How many bytes came from clients.
    pub(super) sent: Arc<AtomicUsize>,
}

impl Proxy {
    pub(super) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let proxy = Self { address, cuts: Arc::default(), connections: Arc::default(), sent: Arc::default() };
        let own = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::SeqCst);
                let cut = own.cuts.lock().expect("locks").pop_front();
                tokio::spawn(pass(client, server, cut, Arc::clone(&own.sent)));
            }
        });
        proxy
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts the next connections like that, one each.
    pub(super) fn cut(&self, cuts: &[Cut]) {
        self.cuts.lock().expect("locks").extend(cuts);
    }

    /// Whether all has happened.
    pub(super) fn is_over(&self) -> bool {
        self.cuts.lock().expect("locks").is_empty()
    }
}

async fn pass(client: TcpStream, server: SocketAddr, cut: Option<Cut>, sent: Arc<AtomicUsize>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (up, down) = match cut {
        Some(Cut::Up(up)) => (up, usize::MAX),
        Some(Cut::Down(down)) => (usize::MAX, down),
        None => (usize::MAX, usize::MAX),
    };
    let received = AtomicUsize::default();
    // Whichever ends first ends both: dropped, they are cut.
    tokio::select! {
        () = copy(&mut from_client, &mut to_server, up, &sent) => {}
        () = copy(&mut from_server, &mut to_client, down, &received) => {}
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    most: usize,
    passed: &AtomicUsize,
) {
    let (mut left, mut buffer) = (most, vec![0; 64 << 10]);
    while left > 0 || most == 0 {
        let Ok(read) = from.read(&mut buffer).await else { return };
        let sent = read.min(left);
        if read == 0 || sent == 0 || to.write_all(&buffer[..sent]).await.is_err() {
            return;
        }
        left -= sent;
        passed.fetch_add(sent, Ordering::SeqCst);
    }
}
