//! The local store over the wire: what its signed URLs permit, and what they don't.

mod tus;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use taskgate::api::objects;
use taskgate::clock::ManualClock;
use taskgate::data::path::Key;
use taskgate::data::store::local::{LocalSettings, LocalStore, StoreName};
use taskgate::data::store::{DownloadTerms, SignedRequest, Store as _, UploadTerms, WriteMode};
use taskgate_core::key::{KeyId, KeyRing, Secret};
use taskgate_test_kit::wait_until;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::kit::START;

const MINUTE: Duration = Duration::from_secs(60);
/// The digests of `hello`.
const HELLO_MD5: [u8; 16] =
    [0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92];
const HELLO_MD5_TEXT: &str = "XUFAKrxLKna5cZ2REBfFkg==";
const HELLO_REPR_DIGEST: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
const WORLD_MD5_TEXT: &str = "fXkwN6B2AYZXSwKC8vQ15w==";
const META: &str = "x-taskgate-meta-flyteContentMD5";

struct Local {
    store: Arc<LocalStore>,
    clock: Arc<ManualClock>,
    keys: Arc<arc_swap::ArcSwap<KeyRing>>,
    client: Client,
    address: std::net::SocketAddr,
    directory: TempDir,
}

fn ring(ids: &[(&str, u8)]) -> KeyRing {
    KeyRing::new(ids.iter().map(|(id, byte)| (KeyId::parse(id).expect("an id"), Secret::new([*byte; 32]))))
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

impl Local {
    async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    async fn start_with(change: impl FnOnce(&mut LocalSettings)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let mut settings = LocalSettings {
            name: StoreName::parse("main").expect("a name"),
            folder: directory.path().to_owned(),
            public_url: format!("http://{address}"),
            audience: "test".into(),
            uri_base: None,
            max_object_bytes: 8 << 20,
            keep_free_bytes: 0,
            durable: false,
        };
        change(&mut settings);
        let clock = Arc::new(ManualClock::new(START));
        let keys = Arc::new(arc_swap::ArcSwap::from_pointee(ring(&[("k1", 1)])));
        let shared: Arc<ManualClock> = Arc::clone(&clock);
        let store = Arc::new(LocalStore::open(settings, Arc::clone(&keys), shared).expect("opens"));
        let router = objects::routes(Arc::clone(&store));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("a client");
        Self { store, clock, keys, client, address, directory }
    }

    async fn signed(&self, name: &str, terms: UploadTerms) -> SignedRequest {
        self.store.sign_upload(&key(name), &UploadTerms { expires_in: MINUTE, ..terms }).await.expect("signs")
    }

    /// A request to put an object, with all headers that were signed.
    async fn put(&self, name: &str, terms: UploadTerms) -> RequestBuilder {
        let signed = self.signed(name, terms).await;
        let request = self.client.put(signed.url.expose());
        signed.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    async fn get(&self, name: &str) -> RequestBuilder {
        self.client.get(self.link(name, DownloadTerms::default()).await)
    }

    async fn link(&self, name: &str, terms: DownloadTerms) -> String {
        let terms = DownloadTerms { expires_in: MINUTE, ..terms };
        self.store.sign_download(&key(name), &terms).await.expect("signs").url.expose().to_owned()
    }

    /// What is there, as the store's owner sees it.
    async fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.store.read(&key(name), u64::MAX).await.expect("reads").map(Into::into)
    }

    fn staged(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("staging")).expect("lists").count()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("objects").join(name)
    }
}

fn hello() -> UploadTerms {
    UploadTerms { content_md5: Some(HELLO_MD5), content_length: Some(5), md5_metadata: true, ..UploadTerms::default() }
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("an answer").status().as_u16()
}

/// The status and code of a refusal.
async fn refused(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let text = answer.text().await.expect("text");
    assert!(!text.contains("tg-"), "no query in an error: {text}");
    let problem: Value = serde_json::from_str(&text).expect("a problem");
    assert_eq!(problem["status"], status);
    (status, problem["code"].as_str().expect("a code").to_owned())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(HeaderName::try_from(name).expect("a name")).map_or("", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_client_puts_and_gets_what_was_signed() {
    let local = Local::start().await;
    let answer = local.put("p/d/a b.txt", hello()).await.body("hello").send().await.expect("an answer");
    assert_eq!(answer.status(), 201);
    assert_eq!(header(answer.headers(), "repr-digest"), HELLO_REPR_DIGEST);
    let etag = header(answer.headers(), "etag").to_owned();
    // The same again is the same object.
    let answer = local.put("p/d/a b.txt", hello()).await.body("hello").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "etag")), (200, etag.as_str()));

    let answer = local.get("p/d/a b.txt").await.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    for (name, value) in [
        ("content-length", "5"),
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment; filename*=UTF-8''a%20b%2Etxt"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox"),
        ("referrer-policy", "no-referrer"),
        ("accept-ranges", "bytes"),
        ("etag", &etag),
        ("repr-digest", HELLO_REPR_DIGEST),
        (META, HELLO_MD5_TEXT),
    ] {
        assert_eq!(header(answer.headers(), name), value, "{name}");
    }
    assert_eq!(answer.bytes().await.expect("bytes"), "hello");
    let url = local.link("p/d/a b.txt", DownloadTerms::default()).await;
    let answer = local.client.head(url).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "content-length")), (200, "5"));
    assert_eq!(
        local.store.head(&key("p/d/a b.txt")).await.expect("looks").expect("is there").content_md5,
        Some(HELLO_MD5)
    );
    assert_eq!(refused(local.get("p/d/nothing").await).await, (404, "no-such-object".to_owned()));
}

#[tokio::test]
async fn odd_names_and_sizes_come_through() {
    let local = Local::start().await;
    let large: Vec<u8> = (0..3_000_001_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    for name in
        ["foo bar ü #1?%.txt", "3WS3OTAIJJNWA4R6NMXZZHTI4E======/x", "a/%2e%2e/x", "q&a=1;b,c'(d)*!$@:~", "日本"]
    {
        for bytes in [&b""[..], b"x", &large[..256 << 10], &large] {
            let answer =
                local.put(name, UploadTerms::default()).await.body(bytes.to_vec()).send().await.expect("an answer");
            assert!(answer.status().is_success(), "{name}: {}", answer.status());
            assert_eq!(std::fs::read(local.file(name)).expect("reads"), bytes, "{name}");
            let answer = local.get(name).await.send().await.expect("an answer");
            assert_eq!(answer.bytes().await.expect("bytes"), bytes, "{name}");
        }
    }
    // Without a length, in chunks.
    let pieces = large.chunks(70_001).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    assert_eq!(status(local.put("chunked", UploadTerms::default()).await.body(body)).await, 201);
    assert_eq!(local.bytes("chunked").await.as_deref(), Some(&large[..]));
    assert_eq!(local.staged(), 0);
}

#[tokio::test]
async fn what_was_not_signed_is_refused() {
    let local = Local::start().await;
    let url = local.signed("p/d/a", hello()).await.url.expose().to_owned();
    let put = |url: &str| local.client.put(url).body("hello");
    let bare = url.split_once('?').expect("a query").0.to_owned();
    let forged = (403, "url-forged".to_owned());
    assert_eq!(refused(put(&bare)).await, (403, "url-not-signed".to_owned()));
    assert_eq!(refused(put(&format!("{url}x"))).await, forged);
    assert_eq!(refused(put(&format!("{url}&x=1"))).await, (400, "url-malformed".to_owned()));
    assert_eq!(refused(put(&url.replace("/p/d/a", "/p/d/b"))).await, forged, "another key");
    assert_eq!(refused(put(&url.replace("/p/d/a", "/p/d//a"))).await, forged);
    assert_eq!(refused(put(&url.replace("/p/d/a", "/p/d/%61"))).await, forged, "another way to write it");
    assert_eq!(refused(put(&url.replace("tg-size=5", "tg-size=6"))).await, forged);
    let (before, signature) = url.rsplit_once('=').expect("a signature");
    let wrong = if signature.starts_with('A') { "B" } else { "A" };
    assert_eq!(refused(put(&format!("{before}={wrong}{}", &signature[1..]))).await, forged);
    assert_eq!(refused(put(&url.replace("tg-key=k1", "tg-key=k2"))).await, (403, "url-key-unknown".to_owned()));
    assert_eq!(refused(local.client.get(&url)).await, (403, "url-for-another-method".to_owned()));
    assert_eq!(refused(local.client.request(Method::DELETE, &url)).await, (403, "url-for-another-method".to_owned()));
    assert_eq!(refused(local.client.request(Method::TRACE, &url)).await, (405, "method-not-allowed".to_owned()));
    let link = local.link("p/d/a", DownloadTerms::default()).await;
    assert_eq!(refused(put(&link)).await, (403, "url-for-another-method".to_owned()));
    assert_eq!(local.bytes("p/d/a").await, None);
    assert_eq!(local.bytes("p/d/b").await, None);

    // Keys rotate, and go.
    local.keys.store(Arc::new(ring(&[("k2", 2), ("k1", 1)])));
    assert_eq!(status(put(&url)).await, 201);
    local.keys.store(Arc::new(ring(&[("k2", 2)])));
    assert_eq!(refused(put(&url)).await, (403, "url-key-unknown".to_owned()));
    local.keys.store(Arc::new(ring(&[("k1", 1)])));
    // Time passes.
    local.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(status(put(&url)).await, 200);
    local.clock.advance(Duration::from_millis(1));
    assert_eq!(refused(put(&url)).await, (403, "url-expired".to_owned()));
    assert_eq!(refused(local.client.get(&link)).await, (403, "url-expired".to_owned()));
}

#[tokio::test]
async fn other_bytes_than_were_signed_are_refused() {
    let local = Local::start().await;
    let mismatch = (400, "digest-mismatch".to_owned());
    let length = (400, "wrong-length".to_owned());
    assert_eq!(refused(local.put("a", hello()).await.body("world")).await, mismatch, "wrong body");
    assert_eq!(refused(local.put("a", hello()).await.body("hello, world")).await, length, "longer body");
    assert_eq!(refused(local.put("a", hello()).await.body("hell")).await, length, "shorter body");
    for text in ["hello, world", "hell"] {
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(text)]));
        assert_eq!(refused(local.put("a", hello()).await.body(body)).await, length, "{text} without a length");
    }
    let sha256 = UploadTerms { content_sha256: Some([7; 32]), ..UploadTerms::default() };
    assert_eq!(refused(local.put("a", sha256).await.body("hello")).await, mismatch);
    // The digest is in the URL, so a header that is left out changes nothing.
    let url = local.signed("a", hello()).await.url.expose().to_owned();
    assert_eq!(refused(local.client.put(&url).body("world")).await, mismatch, "wrong body, no headers");
    assert_eq!(refused(local.client.put(&url).header("content-md5", WORLD_MD5_TEXT).body("world")).await, mismatch);
    assert_eq!(refused(local.client.put(&url).header(META, WORLD_MD5_TEXT).body("hello")).await, mismatch);
    let unsigned = local.put("a", UploadTerms::default()).await.header(META, HELLO_MD5_TEXT).body("hello");
    assert_eq!(refused(unsigned).await, (403, "header-not-signed".to_owned()));
    // Digests that only headers promise.
    for (name, value) in [
        ("content-md5", WORLD_MD5_TEXT),
        ("repr-digest", "sha-256=:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=:"),
        ("content-digest", "sha-256=:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=:"),
    ] {
        let request = local.put("a", UploadTerms::default()).await.header(name, value).body("hello");
        assert_eq!(refused(request).await, mismatch, "{name}");
    }
    for (name, value, expected) in [
        ("content-md5", "x", (400, "malformed-request")),
        ("repr-digest", "sha-256=x", (400, "malformed-request")),
        ("content-encoding", "gzip", (415, "content-coding-unsupported")),
        ("content-range", "bytes 0-4/10", (400, "malformed-request")),
        ("if-match", "\"x\"", (400, "malformed-request")),
        ("if-none-match", "\"x\"", (400, "malformed-request")),
    ] {
        let request = local.put("a", UploadTerms::default()).await.header(name, value).body("hello");
        assert_eq!(refused(request).await, (expected.0, expected.1.to_owned()), "{name}");
    }
    let large = vec![0; (8 << 20) + 1];
    let too_large = (413, "body-too-large".to_owned());
    assert_eq!(refused(local.put("a", UploadTerms::default()).await.body(large.clone())).await, too_large);
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(large)]));
    assert_eq!(refused(local.put("a", UploadTerms::default()).await.body(body)).await, too_large);
    // Where nobody knows the length, the URL says how much it may be.
    for (sent, expected) in [("hello", true), ("hello!", false)] {
        let most = || UploadTerms { max_length: Some(5), ..UploadTerms::default() };
        let request = local.put(sent, most()).await.body(sent);
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(sent)]));
        let chunked = local.put(sent, most()).await.body(body);
        if expected {
            assert_eq!((status(request).await, status(chunked).await), (201, 200));
        } else {
            assert_eq!(refused(request).await, too_large);
            assert_eq!(refused(chunked).await, too_large);
        }
    }
    assert_eq!((local.bytes("a").await, local.bytes("hello!").await, local.staged()), (None, None, 0));

    assert_eq!(status(local.client.put(&url).body("hello")).await, 201);
    let request = local.put("b", UploadTerms::default()).await.header("repr-digest", HELLO_REPR_DIGEST);
    assert_eq!(status(request.header("content-md5", HELLO_MD5_TEXT).body("hello")).await, 201);
}

#[tokio::test]
async fn a_second_create_is_refused() {
    let local = Local::start().await;
    let create = || UploadTerms { create_only: true, ..UploadTerms::default() };
    let exists = (412, "object-exists".to_owned());
    assert_eq!(status(local.put("a", create()).await.body("1")).await, 201);
    assert_eq!(refused(local.put("a", create()).await.body("2")).await, exists);
    let asked = local.put("a", UploadTerms::default()).await.header("if-none-match", "*").body("2");
    assert_eq!(refused(asked).await, exists);
    assert_eq!(refused(local.put("a/b", UploadTerms::default()).await.body("2")).await, (409, "name-taken".to_owned()));
    assert_eq!(local.bytes("a").await.as_deref(), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_eight_clients_creates() {
    let local = Arc::new(Local::start().await);
    for round in 0..30 {
        let name = format!("race/{round}");
        let racers = (0..8_u8).map(|racer| {
            let (local, name) = (Arc::clone(&local), name.clone());
            tokio::spawn(async move {
                let request = local.put(&name, UploadTerms { create_only: true, ..UploadTerms::default() }).await;
                (racer, status(request.body(vec![racer; 200_000])).await)
            })
        });
        let (mut won, mut lost) = (Vec::new(), 0);
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.expect("ends") {
                (racer, 201) => won.push(racer),
                (_, 412) => lost += 1,
                other => panic!("round {round}: {other:?}"),
            }
        }
        let [winner] = won[..] else { panic!("round {round}: {won:?} created it") };
        assert_eq!(lost, 7);
        assert_eq!(local.bytes(&name).await, Some(vec![winner; 200_000]));
    }
    assert_eq!(local.staged(), 0);
}

#[tokio::test]
async fn a_broken_connection_leaves_nothing() {
    let local = Local::start().await;
    local.store.write(&key("a"), "before".into(), WriteMode::Create).await.expect("writes");
    let terms = UploadTerms { content_length: Some(1 << 20), ..UploadTerms::default() };
    let url = local.signed("a", terms).await.url.expose().to_owned();
    let (_, path) = url.split_once(&local.address.to_string()).expect("an address");
    let mut stream = TcpStream::connect(local.address).await.expect("connects");
    let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 1 << 20);
    stream.write_all(head.as_bytes()).await.expect("sends");
    stream.write_all(&vec![1; 600_000]).await.expect("sends");
    wait_until(MINUTE, "the upload begins", async || local.staged() == 1).await.expect("begins");
    drop(stream);
    wait_until(MINUTE, "the upload is gone", async || local.staged() == 0).await.expect("goes");
    assert_eq!(local.bytes("a").await.as_deref(), Some(&b"before"[..]));

    // Who waits to be told to go on is refused before anything is sent.
    let terms = UploadTerms { create_only: true, ..UploadTerms::default() };
    let url = local.signed("a", terms).await.url.expose().to_owned();
    let (_, path) = url.split_once(&local.address.to_string()).expect("an address");
    let mut stream = TcpStream::connect(local.address).await.expect("connects");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 412 "), "{answer}");
}

#[tokio::test]
async fn an_object_is_got_in_parts() {
    let local = Local::start().await;
    let bytes: Vec<u8> = (0..700_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
    local.store.write(&key("a"), bytes.clone().into(), WriteMode::Create).await.expect("writes");
    local.store.write(&key("empty"), "".into(), WriteMode::Create).await.expect("writes");
    let size = bytes.len();
    for (range, first, end) in [
        ("bytes=0-0".to_owned(), 0, 1),
        (format!("bytes={}-", size - 1), size - 1, size),
        ("bytes=262143-262144".to_owned(), 262_143, 262_145),
        ("bytes=-300000".to_owned(), size - 300_000, size),
        ("bytes=5-99999999".to_owned(), 5, size),
    ] {
        let answer = local.get("a").await.header("range", &range).send().await.expect("an answer");
        assert_eq!(answer.status(), 206, "{range}");
        let expected = format!("bytes {first}-{}/{size}", end - 1);
        assert_eq!(header(answer.headers(), "content-range"), expected);
        assert_eq!(header(answer.headers(), "content-length"), (end - first).to_string());
        assert_eq!(answer.bytes().await.expect("bytes"), bytes[first..end], "{range}");
    }
    for (name, range, code, total) in [
        ("a", format!("bytes={size}-"), "range-beyond-end", size),
        ("a", "bytes=-0".to_owned(), "range-beyond-end", size),
        ("a", "bytes=0-1,3-4".to_owned(), "several-ranges", size),
        ("empty", "bytes=0-".to_owned(), "range-beyond-end", 0),
    ] {
        let answer = local.get(name).await.header("range", &range).send().await.expect("an answer");
        assert_eq!(header(answer.headers(), "content-range"), format!("bytes */{total}"));
        assert_eq!(refused(local.get(name).await.header("range", &range)).await, (416, code.to_owned()), "{range}");
    }
    // What is no range is none, and a part is of one object.
    let answer = local.get("a").await.send().await.expect("an answer");
    let etag = header(answer.headers(), "etag").to_owned();
    let date = header(answer.headers(), "last-modified").to_owned();
    for (lines, expected) in [
        (&[("range", "lines=0-1")][..], 200),
        (&[("range", "bytes=5-3")], 200),
        (&[("range", "bytes=0-1"), ("if-range", &etag)], 206),
        (&[("range", "bytes=0-1"), ("if-range", &date)], 206),
        (&[("range", "bytes=0-1"), ("if-range", "\"x\"")], 200),
        (&[("if-none-match", &etag)], 304),
        (&[("if-none-match", "\"x\"")], 200),
        (&[("if-modified-since", &date)], 304),
        (&[("if-match", "\"x\"")], 412),
    ] {
        let request = local.get("a").await;
        let request = lines.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(status(request).await, expected, "{lines:?}");
    }
    // Replaced while it is read: what was begun is read to its end.
    let mut answer = local.get("a").await.send().await.expect("an answer");
    local.store.write(&key("a"), "another".into(), WriteMode::Replace).await.expect("writes");
    let mut read = Vec::new();
    while let Some(piece) = answer.chunk().await.expect("bytes") {
        read.extend_from_slice(&piece);
    }
    assert_eq!(read, bytes);
}

#[tokio::test]
async fn how_an_object_is_shown_is_signed() {
    let local = Local::start().await;
    local.store.write(&key("report"), "<p>".into(), WriteMode::Create).await.expect("writes");
    let terms = DownloadTerms {
        content_disposition: Some("inline".into()),
        content_type: Some("text/html; charset=utf-8".into()),
        ..DownloadTerms::default()
    };
    let url = local.link("report", terms).await;
    let answer = local.client.get(&url).send().await.expect("an answer");
    assert_eq!(header(answer.headers(), "content-disposition"), "inline");
    assert_eq!(header(answer.headers(), "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(answer.headers(), "content-security-policy"), "sandbox");
    let plain = local.link("report", DownloadTerms::default()).await;
    let added = plain.replace("&tg-key", "&tg-type=dGV4dC9odG1s&tg-key");
    assert_eq!(refused(local.client.get(added)).await, (403, "url-forged".to_owned()));
    let added = format!("{plain}&response-content-type=text/html");
    assert_eq!(refused(local.client.get(added)).await, (400, "url-malformed".to_owned()));
}

#[tokio::test]
async fn no_planted_link_leads_out() {
    let local = Local::start().await;
    let outside = tempfile::tempdir().expect("a directory");
    std::fs::write(outside.path().join("secret"), "secret").expect("writes");
    std::os::unix::fs::symlink(outside.path(), local.file("folder")).expect("links");
    std::os::unix::fs::symlink(outside.path().join("secret"), local.file("file")).expect("links");
    for name in ["folder/secret", "file"] {
        assert_eq!(refused(local.get(name).await).await, (404, "no-such-object".to_owned()), "{name}");
    }
    let put = local.put("folder/new", UploadTerms::default()).await.body("1");
    assert_eq!(refused(put).await, (409, "name-taken".to_owned()));
    assert_eq!(status(local.put("file", UploadTerms::default()).await.body("1")).await, 200);
    assert_eq!(std::fs::read(outside.path().join("secret")).expect("reads"), b"secret");
    assert_eq!(std::fs::read_dir(outside.path()).expect("lists").count(), 1);
}

#[tokio::test]
async fn a_full_disk_is_said_clearly() {
    let local = Local::start_with(|settings| settings.keep_free_bytes = u64::MAX).await;
    let put = local.put("a", UploadTerms::default()).await.body("1");
    assert_eq!(refused(put).await, (507, "no-room".to_owned()));
    assert_eq!(local.staged(), 0);
}
