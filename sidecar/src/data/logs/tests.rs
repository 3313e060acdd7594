use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::routing::get;

use super::http::HttpPrefix;
use super::*;
#[cfg(not(feature = "kubernetes"))]
use crate::data::catalog::PodSource;
use crate::data::testing::{FixedCatalog, Parts, action, caller, lock};

/// What a service of tests reads logs from.
struct Stage {
    service: DataService,
    catalog: Arc<FixedCatalog>,
    folder: tempfile::TempDir,
}

fn stage_with(log: LogSource, settings: LogSettings) -> Stage {
    let folder = tempfile::tempdir().expect("a folder");
    let log = match log {
        LogSource::File { path, follow } => {
            LogSource::File { path: folder.path().join(path).to_str().expect("text").into(), follow }
        }
        other => other,
    };
    let catalog = FixedCatalog::with_log(log);
    let logs = LogSettings {
        folders: vec![folder.path().to_owned()],
        poll: Duration::from_millis(5),
        recheck: Duration::from_millis(50),
        linger: Duration::from_millis(50),
        ..settings
    };
    let (service, ..) = Parts { catalog: Arc::clone(&catalog), logs, ..Parts::default() }.service();
    Stage { service, catalog, folder }
}

fn stage(path: &str, follow: bool) -> Stage {
    stage_with(LogSource::File { path: path.into(), follow }, LogSettings::default())
}

impl Stage {
    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opens");
        file.write_all(text.as_bytes()).expect("writes");
    }

    async fn tail(&self) -> Result<LogStream, DataError> {
        self.service.tail_logs(&caller("bob"), &action(), 1).await
    }
}

/// The next message. Where lines come in batches, one batch.
async fn next(stream: &mut LogStream) -> Vec<String> {
    let batch = tokio::time::timeout(Duration::from_secs(20), stream.next()).await.expect("comes in time");
    let lines = batch.expect("has not ended").expect("is read");
    lines.into_iter().map(|line| line.message).collect()
}

async fn rest(stream: LogStream) -> Vec<String> {
    let batches: Vec<_> = tokio::time::timeout(Duration::from_secs(20), stream.collect()).await.expect("ends in time");
    batches.into_iter().flat_map(|batch| batch.expect("is read")).map(|line| line.message).collect()
}

#[tokio::test]
async fn a_file_that_grows_is_followed() {
    let stage = stage("a.log", true);
    stage.write("a.log", "one\ntwo");
    let mut tail = stage.tail().await.expect("is read");
    assert_eq!(next(&mut tail).await, ["one"]);
    stage.write("a.log", "!\nthree\n");
    assert_eq!(next(&mut tail).await, ["two!", "three"]);
    stage.write("a.log", "four");
    *lock(&stage.catalog.log) = None;
    assert_eq!(rest(tail).await, ["four"], "the catalog says that it is over");
}

#[tokio::test]
async fn a_file_that_is_complete_ends() {
    let stage = stage("a.log", false);
    let lines: Vec<String> = (0..250).map(|number| format!("line {number}")).collect();
    stage.write("a.log", &lines.join("\r\n"));
    let mut tail = stage.tail().await.expect("is read");
    let first = next(&mut tail).await;
    assert_eq!(first.len(), MAX_BATCH_LINES);
    assert_eq!([first, rest(tail).await].concat(), lines);
}

#[tokio::test]
async fn a_file_that_is_replaced_is_read_to_its_end_first() {
    let stage = stage("a.log", true);
    stage.write("a.log", "one\n");
    let mut tail = stage.tail().await.expect("is read");
    assert_eq!(next(&mut tail).await, ["one"]);
    fs::rename(stage.folder.path().join("a.log"), stage.folder.path().join("a.log.1")).expect("renames");
    stage.write("a.log.1", "last");
    stage.write("a.log", "new\n");
    assert_eq!(next(&mut tail).await, ["last"]);
    assert_eq!(next(&mut tail).await, ["new"]);
    fs::remove_file(stage.folder.path().join("a.log")).expect("removes");
    assert_eq!(rest(tail).await, [""; 0], "it is over once its file is gone");
}

#[tokio::test]
async fn a_file_that_is_cut_short_is_read_anew() {
    let stage = stage("a.log", true);
    stage.write("a.log", "a long line\npartial");
    let mut tail = stage.tail().await.expect("is read");
    assert_eq!(next(&mut tail).await, ["a long line"]);
    OpenOptions::new().write(true).open(stage.folder.path().join("a.log")).expect("opens").set_len(0).expect("cuts");
    assert_eq!(next(&mut tail).await, ["partial"]);
    stage.write("a.log", "new\n");
    assert_eq!(next(&mut tail).await, ["new"]);
}

#[tokio::test]
async fn a_file_that_stays_as_it_is_ends_some_time() {
    let settings = LogSettings { idle: Duration::from_millis(50), ..LogSettings::default() };
    let stage = stage_with(LogSource::File { path: "a.log".into(), follow: true }, settings);
    stage.write("a.log", "one");
    assert_eq!(rest(stage.tail().await.expect("is read")).await, ["one"]);
}

#[tokio::test]
async fn nothing_outside_the_folders_is_read() {
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "secret").expect("writes");
    let plant = |path: &Path| {
        symlink(outside.path().join("secret"), path.join("absolute")).expect("links");
        symlink("../../../../../../../../etc/hostname", path.join("relative")).expect("links");
        symlink(outside.path(), path.join("folder")).expect("links");
        fs::create_dir(path.join("d")).expect("makes");
        rustix::fs::mkfifoat(rustix::fs::CWD, path.join("pipe"), rustix::fs::Mode::RUSR).expect("makes");
    };
    for path in ["absolute", "relative", "folder/secret", "d", "pipe", "../a", "d/../../b", ""] {
        let stage = stage(path, false);
        plant(stage.folder.path());
        let refused = stage.tail().await.err();
        assert!(matches!(refused, Some(DataError::Internal(_))), "{path}: {refused:?}");
    }
    let stage = stage("inside", false);
    stage.write("a.log", "hello\n");
    symlink("a.log", stage.folder.path().join("inside")).expect("links");
    assert_eq!(rest(stage.tail().await.expect("stays inside")).await, ["hello"]);
    fs::remove_file(stage.folder.path().join("a.log")).expect("removes");
    assert!(matches!(stage.tail().await.err(), Some(DataError::NotFound(_))));
}

#[tokio::test]
async fn an_object_is_read_whole() {
    let catalog = FixedCatalog::with_log(LogSource::Object { uri: "s3://main/a.log".into() });
    let logs = LogSettings { max_object: 20, ..LogSettings::default() };
    let (service, store, _) = Parts { catalog, logs, ..Parts::default() }.service();
    let tail = || async { service.tail_logs(&caller("bob"), &action(), 1).await };
    assert!(matches!(tail().await.err(), Some(DataError::NotFound(_))));
    store.put("a.log", b"one\ntwo", None);
    assert_eq!(rest(tail().await.expect("is read")).await, ["one", "two"]);
    store.put("a.log", b"much more than may be", None);
    assert!(matches!(tail().await.err(), Some(DataError::Invalid(_))));
}

#[tokio::test]
async fn a_service_sends_a_log_line_by_line() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(4);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let lines = move || {
        let receiver = Arc::clone(&receiver);
        async move {
            let bytes = stream::unfold(receiver, |receiver| async {
                let bytes = receiver.lock().await.recv().await?;
                Some((Ok::<_, std::io::Error>(bytes), receiver))
            });
            Body::from_stream(bytes)
        }
    };
    let app = Router::new()
        .route("/runs/a", get(lines))
        .route("/runs/elsewhere", get(|| async { (StatusCode::FOUND, [("location", "/secret")]) }))
        .route("/secret", get(|| async { "secret" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let stage = |path: &str| {
        let prefixes = vec![HttpPrefix::parse(&format!("{base}/runs/")).expect("a prefix")];
        stage_with(LogSource::Http { url: format!("{base}{path}") }, LogSettings { prefixes, ..LogSettings::default() })
    };
    let mut tail = stage("/runs/a").tail().await.expect("is read");
    sender.send(Bytes::from_static(b"one\ntw")).await.expect("sends");
    assert_eq!(next(&mut tail).await, ["one"]);
    sender.send(Bytes::from_static(b"o\n")).await.expect("sends");
    assert_eq!(next(&mut tail).await, ["two"]);
    drop(sender);
    assert_eq!(rest(tail).await, [""; 0]);
    for (path, expected) in [("/runs/none", "not found"), ("/runs/elsewhere", "answered 302"), ("/secret", "allows")] {
        let refused = stage(path).tail().await.err().expect("is refused").to_string();
        assert!(refused.contains(expected), "{path}: {refused}");
    }
    server.abort();
}

#[tokio::test]
async fn logs_are_for_those_who_may_read_and_bounded_in_number() {
    let settings = LogSettings { max_streams: 1, ..LogSettings::default() };
    let stage = stage_with(LogSource::File { path: "a.log".into(), follow: true }, settings);
    stage.write("a.log", "one\n");
    let stranger = stage.service.tail_logs(&caller("eve"), &action(), 1).await.err().expect("is refused");
    assert_eq!(stranger.to_string(), "project \"p\" not found");
    let zeroth = stage.service.tail_logs(&caller("bob"), &action(), 0).await.err();
    assert!(matches!(zeroth, Some(DataError::Invalid(_))));
    let first = stage.tail().await.expect("is read");
    assert!(matches!(stage.tail().await.err(), Some(DataError::Unavailable(_))));
    drop(first);
    drop(stage.tail().await.expect("the first reader is gone"));
    *lock(&stage.catalog.log) = None;
    let missing = stage.tail().await.err().expect("is refused");
    assert_eq!(missing.to_string(), "no log context found");
}

#[tokio::test]
async fn nobody_takes_all_the_room() {
    let settings = LogSettings { max_streams: 20, ..LogSettings::default() };
    let stage = stage_with(LogSource::File { path: "a.log".into(), follow: true }, settings);
    stage.write("a.log", "one\n");
    let by = async |user: &str| stage.service.tail_logs(&caller(user), &action(), 1).await;
    let of_bob = [by("bob").await.expect("the first"), by("bob").await.expect("the second")];
    assert!(matches!(by("bob").await.err(), Some(DataError::Unavailable(_))));
    drop(by("ann").await.expect("there is room for others"));
    drop(of_bob);
    drop(by("bob").await.expect("there is room again"));
}

#[cfg(not(feature = "kubernetes"))]
#[tokio::test]
async fn who_was_built_without_kubernetes_says_so() {
    let source = PodSource { namespace: "n".into(), pod: "p".into(), container: None, started_at: None };
    let stage = stage_with(LogSource::Kubernetes(source), LogSettings::default());
    let refused = stage.tail().await.err().expect("is refused");
    assert!(matches!(&refused, DataError::Unimplemented(text) if text.contains("without Kubernetes")), "{refused}");
}
