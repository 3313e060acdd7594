//! The clients of others: tuspy and tus-js-client, over connections that break.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use taskgate_test_kit::environment;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::*;

/// How many bytes a file has.
const SIZE: usize = 20 << 20;

async fn start() -> Local {
    Local::start_with(|settings| settings.max_object_bytes = 1 << 30).await
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/tus").join(name)
}

fn tuspy(how: &str, url: &str, file: &Path) -> Command {
    let mut client = Command::new(environment::tus().expect("tuspy").join("bin/python3"));
    client.arg(script("client.py")).args([how, url]).arg(file);
    client.kill_on_drop(true).stdin(Stdio::null());
    client
}

fn tus_js_client(place: &Value, file: &Path) -> Command {
    let mut client = Command::new("node");
    client.env("NODE_PATH", environment::tus().expect("tus-js-client").join("node_modules"));
    client.arg(script("client.cjs")).arg(place.to_string()).arg(file);
    client.kill_on_drop(true).stdin(Stdio::null());
    client
}

/// What a client says came of it.
async fn outcome(mut client: Command) -> String {
    let output = client.output().await.expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A file, and its content.
fn file(local: &Local, name: &str, size: usize) -> (PathBuf, Vec<u8>) {
    let (path, content) = (local.directory.path().join(name), bytes(size));
    std::fs::write(&path, &content).expect("writes");
    (path, content)
}

/// A way to the store on which connections break: the first after some bytes, each next one after more. The same URL
/// by that way, and how many broke.
async fn unsteady(local: &Local, url: &str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let (own, store) = (listener.local_addr().expect("an address"), local.address);
    let broken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&broken);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut server = TcpStream::connect(store).await.expect("connects");
                let (from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let most = 700_000 * (count.load(Ordering::SeqCst) as u64 + 1);
                let mut limited = from_client.take(most);
                tokio::select! {
                    _ = tokio::io::copy(&mut limited, &mut to_server) => {}
                    _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                }
                if limited.limit() == 0 {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    (url.replace(&store.to_string(), &own.to_string()), broken)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_killed_is_followed_by_another() {
    let local = start().await;
    let (path, content) = file(&local, "file", SIZE);
    let url = local.resumable("p/d/a b.bin", UploadTerms::default()).await;
    let mut first = tuspy("pause", &url, &path).stdout(Stdio::piped()).spawn().expect("runs");
    let mut lines = BufReader::new(first.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next_line().await.expect("reads").as_deref(), Some("half"));
    first.kill().await.expect("is killed");
    assert_eq!(local.offset(&url).await, SIZE as u64 / 2);
    assert_eq!(outcome(tuspy("again", &url, &path)).await, "done");
    assert_eq!(local.bytes("p/d/a b.bin").await, Some(content));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tuspy_uploads_and_is_refused() {
    let local = start().await;
    let (path, content) = file(&local, "file", SIZE);
    let (small, _) = file(&local, "small", 5);
    let url = local.resumable("a ü #1?%.bin", UploadTerms::default()).await;
    let (unsteady, broken) = unsteady(&local, &url).await;
    assert_eq!(outcome(tuspy("new", &unsteady, &path)).await, "done");
    assert!(broken.load(Ordering::SeqCst) > 0, "no connection broke");
    assert_eq!(local.bytes("a ü #1?%.bin").await, Some(content));

    let (empty, _) = file(&local, "empty", 0);
    let url = local.resumable("empty", UploadTerms::default()).await;
    assert_eq!(outcome(tuspy("new", &url, &empty)).await, "done");
    assert_eq!(local.bytes("empty").await.as_deref(), Some(&b""[..]));
    let url = local.resumable("b", hello()).await;
    assert_eq!(outcome(tuspy("new", &url, &path)).await, "refused 400", "another length");
    assert_eq!(outcome(tuspy("new", &url, &small)).await, "refused 404", "another digest, then there is nothing");
    assert_eq!(local.bytes("b").await, None);
    let url = local.resumable("c", UploadTerms::default()).await;
    local.clock.advance(MINUTE);
    assert_eq!(outcome(tuspy("new", &url, &small)).await, "refused 403", "expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tus_js_client_uploads_and_is_refused() {
    let local = start().await;
    let (path, content) = file(&local, "file", SIZE);
    let (small, _) = file(&local, "small", 5);
    for (name, more) in [
        ("a ü #1?%.bin", json!({})),
        ("b", json!({"uploadDataDuringCreation": true})),
        ("c", json!({"overridePatchMethod": true})),
        ("d", json!({"metadata": {"filename": "x"}})),
    ] {
        let url = local.resumable(name, UploadTerms::default()).await;
        let (unsteady, broken) = unsteady(&local, &url).await;
        let mut place = more;
        place["endpoint"] = json!(unsteady);
        assert_eq!(outcome(tus_js_client(&place, &path)).await, "done", "{name}");
        assert!(broken.load(Ordering::SeqCst) > 0, "{name}: no connection broke");
        assert_eq!(local.bytes(name).await.as_ref(), Some(&content), "{name}");
    }
    // Begun by another client.
    let url = local.created("e", SIZE).await;
    assert_eq!(status(local.patch(&url, 0).body(content[..7_000_000].to_vec())).await, 204);
    assert_eq!(outcome(tus_js_client(&json!({"uploadUrl": url}), &path)).await, "done");
    assert_eq!(local.bytes("e").await, Some(content));
    let url = local.resumable("f", hello()).await;
    assert_eq!(outcome(tus_js_client(&json!({"endpoint": url}), &small)).await, "refused 400", "another digest");
    assert_eq!(outcome(tus_js_client(&json!({"endpoint": url}), &path)).await, "refused 400", "another length");
    local.clock.advance(MINUTE);
    assert_eq!(outcome(tus_js_client(&json!({"endpoint": url}), &small)).await, "refused 403", "expired");
}
