//! The program, run as operators run it.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use taskgate_core::feed::FeedPage;
use taskgate_core::table::Table;
use taskgate_core::verdict::VerdictQuery;

use crate::kit::{COLLIDING, COLLIDING_ID, GREETER, SERVICES, START, bearer, config, path_text, services, tokens};

const SECRETS: [&str; 3] = ["token-of-alice", "token-of-nobody", "hunter2"];

/// A running program that does not outlive its test.
struct Program {
    child: Child,
    internal: String,
    operations: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn taskgate(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taskgate"));
    command.current_dir(directory);
    command
}

fn run(directory: &Path, words: &[&str]) -> Output {
    taskgate(directory).args(words).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn start(directory: &Path, config: &str) -> Program {
    std::fs::write(directory.join("taskgate.yaml"), config).expect("writes");
    std::fs::write(directory.join("services.yaml"), SERVICES).expect("writes");
    let log = std::fs::File::create(directory.join("log")).expect("a log");
    let child = taskgate(directory)
        .args(["serve", "--addresses-file", "addresses.json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("starts");
    let mut program = Program { child, internal: String::new(), operations: String::new() };
    let started = Instant::now();
    let addresses = loop {
        if let Ok(bytes) = std::fs::read(directory.join("addresses.json")) {
            break bytes;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{}", log_of(directory));
        std::thread::yield_now();
    };
    let addresses: serde_json::Value = serde_json::from_slice(&addresses).expect("whole JSON");
    program.internal = addresses["internal"].as_str().expect("an address").to_owned();
    program.operations = addresses["operations"].as_str().expect("an address").to_owned();
    program
}

fn log_of(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("log")).expect("a log")
}

fn signal(program: &Program, signal: Signal) {
    let pid = i32::try_from(program.child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, signal).expect("is signalled");
}

fn end(program: &mut Program) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = program.child.try_wait().expect("a status") {
            return status.code();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "does not end");
        std::thread::yield_now();
    }
}

async fn page(program: &Program, query: &str) -> Vec<u8> {
    let url = format!("http://{}/internal/table?{query}", program.internal);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let response = client.get(url).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.bytes().await.expect("a body").to_vec()
}

/// Reads until the table is whole; the cursor.
async fn whole(program: &Program) -> (u64, u64) {
    let (mut epoch, mut since) = (0, 0);
    loop {
        let bytes = page(program, &format!("epoch={epoch}&since={since}&control=1&wait_ms=5000")).await;
        let page = FeedPage::decode(&bytes).expect("a page");
        (epoch, since) = (page.epoch, page.to);
        if page.complete {
            return (epoch, since);
        }
    }
}

#[tokio::test]
async fn ending_answers_who_waits_and_leaves_with_0() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut program = start(directory.path(), &config(""));
    let (epoch, since) = whole(&program).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let waits = {
        let query = format!("epoch={epoch}&since={since}&control=1&wait_ms=60000");
        let url = format!("http://{}/internal/table?{query}", program.internal);
        let client = client.clone();
        tokio::spawn(async move { client.get(url).send().await.expect("an answer").bytes().await.expect("a body") })
    };
    let metrics = format!("http://{}/metrics", program.operations);
    let reading = async {
        while !client
            .get(&metrics)
            .send()
            .await
            .expect("an answer")
            .text()
            .await
            .expect("text")
            .contains("taskgate_feed_readers 1\n")
        {}
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the reader waits");
    let asked = Instant::now();
    signal(&program, Signal::TERM);
    let bytes = waits.await.expect("is answered");
    let page = FeedPage::decode(&bytes).expect("a page");
    assert_eq!((page.from, page.to, page.upserts.len()), (since, since, 0));
    assert_eq!(end(&mut program), Some(0), "{}", log_of(directory.path()));
    assert!(asked.elapsed() < Duration::from_secs(5), "took {:?}", asked.elapsed());
}

/// 0 while the page does not have it.
fn epoch_of_greeter(page: &[u8]) -> u32 {
    let mut table = Table::new(1);
    table.apply(&FeedPage::decode(page).expect("a page"), START).expect("continues");
    table.service(GREETER).map_or(0, |service| service.epoch)
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = config(&format!("{}logs: {{level: trace}}\n", tokens(&[("alice", "")])))
        .replace("\"127.0.0.1:0\"}\noper", "\"127.0.0.1:0\", secret: hunter2}\noper");
    let mut program = start(directory.path(), &text);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("http://{}/internal/verdict", program.internal);
    let mut verdicts = Vec::new();
    for token in ["token-of-alice", "token-of-nobody"] {
        let decided = async {
            loop {
                let table = format!("http://{}/internal/table?epoch=0&since=0&control=0&wait_ms=0", program.internal);
                let page = client.get(&table).header("x-taskgate-internal", "hunter2").send().await.expect("an answer");
                let epoch = epoch_of_greeter(&page.bytes().await.expect("a body"));
                let body = VerdictQuery { service: GREETER.into(), epoch, credential: bearer(token) }.encode();
                let request = client.post(&url).header("x-taskgate-internal", "hunter2").body(body);
                let answer = request.send().await.expect("an answer").bytes().await.expect("a body");
                match taskgate_core::verdict::VerdictAnswer::read(&answer) {
                    // Services are not known at once.
                    taskgate_core::verdict::VerdictAnswer::Unavailable => {}
                    decided => return crate::kit::outcome(&decided),
                }
            }
        };
        verdicts.push(tokio::time::timeout(Duration::from_secs(20), decided).await.expect("decides"));
    }
    assert_eq!(verdicts, ["alice", "CredentialRejected"]);
    // A broken configuration that has a secret in it is reported without it.
    std::fs::write(directory.path().join("taskgate.yaml"), text.replace("secret: hunter2", "secret: {a: hunter2}"))
        .expect("writes");
    signal(&program, Signal::HUP);
    let reported = async {
        while !log_of(directory.path()).contains("configuration not taken") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reported).await.expect("is reported");
    signal(&program, Signal::TERM);
    end(&mut program);
    let log = log_of(directory.path());
    for expected in [
        "\"verdict\":\"allow\"",
        "\"verdict\":\"deny\"",
        "\"actor.id\":\"alice\"",
        "internal.secret",
        "\"level\":\"DEBUG\"",
    ] {
        assert!(log.contains(expected), "{expected} is not in\n{log}");
    }
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[tokio::test]
async fn a_collision_is_logged_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = start(directory.path(), &config(""));
    whole(&program).await;
    let [first, second] = COLLIDING;
    for (count, operations) in [(2, &[first, second][..]), (3, &["op", first, second])] {
        std::fs::write(directory.path().join("services.yaml"), services(operations)).expect("writes");
        let text = format!("\"table.services\":{count},");
        let taken = async {
            while !log_of(directory.path()).lines().last().is_some_and(|line| line.contains(&text)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), taken).await.expect("is taken");
    }
    let log = log_of(directory.path());
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("short id")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in [first, second, &format!("`{COLLIDING_ID}`"), "it is reached as `", "\"level\":\"WARN\""] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
}

#[tokio::test]
async fn another_state_directory_is_said_to_need_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("blocked"), "no directory").expect("writes");
    let mut program = start(directory.path(), &config("state: {directory: blocked/state}"));
    whole(&program).await;
    std::fs::write(directory.path().join("taskgate.yaml"), config("state: {directory: state}")).expect("writes");
    signal(&program, Signal::HUP);
    let said = async {
        while !log_of(directory.path()).contains("configuration taken") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), said).await.expect("is taken");
    signal(&program, Signal::TERM);
    assert_eq!(end(&mut program), Some(0));
    let log = log_of(directory.path());
    let lines = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(lines("\"key\":\"state.directory\""), 1, "{log}");
    // Tried at the start and at the end.
    assert_eq!(lines("ids are not kept"), 1, "{log}");
    assert!(!directory.path().join("state").exists());
}

#[tokio::test]
async fn a_unix_socket_serves_and_goes_with_its_process() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("internal.sock");
    // One that an earlier process left behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("listens"));
    let listen = format!("unix:{}", path_text(&socket));
    let text = config("").replacen("127.0.0.1:0", &listen, 1);
    let mut program = start(directory.path(), &text);
    assert_eq!(program.internal, listen);
    let services = async {
        loop {
            // Like `serve` it goes by the `taskgate.yaml` that is here.
            let output = run(directory.path(), &["services"]);
            assert!(output.status.success(), "{}", self::text(&output.stderr));
            let listed = self::text(&output.stdout);
            if listed.contains(GREETER) {
                return listed;
            }
        }
    };
    let listed = tokio::time::timeout(Duration::from_secs(20), services).await.expect("lists");
    assert!(listed.contains("greeter-example_grpc_server-server") && listed.contains("127.0.0.1:27001"), "{listed}");
    let words =
        ["session", "seal", "--config", "taskgate.yaml", "--service", GREETER, "--actor", "bob", "--for", "15m"];
    let output = run(directory.path(), &words);
    assert!(self::text(&output.stdout).starts_with("tg1.s."), "{}", self::text(&output.stderr));
    let elsewhere = tempfile::tempdir().expect("a directory");
    let output = run(elsewhere.path(), &["services"]);
    let message = self::text(&output.stderr);
    assert!(output.status.code() == Some(1) && message.contains("there is no `taskgate.yaml` here"), "{message}");
    signal(&program, Signal::INT);
    assert_eq!(end(&mut program), Some(0));
    assert!(!socket.exists());
}

/// A configuration with a YTsaurus provider of those settings, and a source where there are any for it.
fn ytsaurus(provider: &str, source: &str) -> String {
    let more =
        if source.is_empty() { String::new() } else { format!("verdicts: {{sources: [{{ytsaurus: {source}}}]}}") };
    config(&more).replacen("}}]", &format!("}}}}, {{ytsaurus: {{{provider}}}}}]"), 1)
}

#[test]
fn a_configuration_that_would_not_hold_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    // Proxies of other machines come to the internal listener.
    let open = |rest: &str| config(rest).replacen("\"127.0.0.1:0\"", "\"0.0.0.0:0\", secret: hunter2", 1);
    for (config, expected) in [
        (config("").replacen("127.0.0.1:0", "0.0.0.0:0", 1), "internal.secret_file"),
        (config("").replacen("127.0.0.1:0", "localhost:0", 1), "`internal.listen`"),
        (open("public: {listen: \"0.0.0.0:0\"}\naccess: {}"), "`access.address`: `internal.listen`"),
        (open("public: {}\ntunnels: {}"), "`tunnels.address`: `internal.listen`"),
        (config("public: {}\naccess: {address: \"0.0.0.0:7012\"}"), "`access.address`"),
        (
            config("public: {}\naccess: {}\nforward_auth: {listen: \"0.0.0.0:0\", secret: hunter2}"),
            "`access.address`: `forward_auth.listen`",
        ),
        (config("").replace("tasks.example.test", ""), "base_domains"),
        (config("verdicts: {deadline_ms: soon}"), "`verdicts.deadline_ms`: "),
        (config("verdicts: {dedline_ms: 1}"), "dedline_ms"),
        (config("verdicts: {sources: [{jwt: {issuer: a, audiences: []}}]}"), "audiences"),
        (
            config(
                "verdicts: {sources: [{jwt: {issuer: a, audiences: [b], algorithms: [HS256], jwks_url: \"http://a\"}}]}",
            ),
            "HS256",
        ),
        (config("verdicts: {sources: [{callout: {url: \"http://a:b@c\", mode: whoami}}]}"), "url"),
        (config("verdicts: {sources: [{callout: {url: \"http://c\", mode: whoami, timeout_ms: 700}}]}"), "timeout_ms"),
        (config("keys: [{id: K1, secret: a}]"), "`keys[0].id`"),
        (config("keys: [{id: k1, secret: a, secret_file: b}]"), "not both"),
        (config("logs: {level: taskgate=loud}"), "logs.level"),
        (config("state: {directory: \"\"}"), "`state.directory`"),
        (config("").replace("providers: [{", "providers: [{file: {path: a}}, {"), "another provider"),
        ("gate: {base_domains: [a.b]}".to_owned(), "no provider"),
        (ytsaurus("proxy: yt.test/api", ""), "`providers[1].ytsaurus.proxy`: has a path"),
        (ytsaurus("proxy: yt.test, token: a, token_file: b", ""), "not both"),
        (ytsaurus("proxy: yt.test, token: \"a b\"", ""), "`providers[1].ytsaurus.token`"),
        (ytsaurus("proxy: yt.test, token_file: nowhere", ""), "nowhere"),
        (ytsaurus("proxy: yt.test, authorities_file: taskgate.yaml", ""), "`providers[1].ytsaurus.authorities_file`"),
        (ytsaurus("proxy: yt.test, batch_commands: 0", ""), "batch_commands"),
        (ytsaurus("proxy: yt.test, jobs_secs: 0", ""), "jobs_secs"),
        (ytsaurus("proxy: yt.test, spark: {lowest_port: 9, highest_port: 8}", ""), "spark"),
        (ytsaurus("proxy: yt.test, table: {path: \"//sys/@acl\"}", ""), "table.path"),
        (ytsaurus("proxy: yt.test, table: {names_path: //sys/task_proxies/services}", ""), "table.names_path"),
        (ytsaurus("proxy: yt.test, table: {base_domain: elsewhere.test}", ""), "table.base_domain"),
        (ytsaurus("proxy: yt.test", "{provider: other}"), "no ytsaurus provider is named `other`"),
        (ytsaurus("proxy: yt.test", "{cookies: [Session_id]}"), "not among `gate.platform_cookies`"),
        (ytsaurus("proxy: yt.test", "{timeout_ms: 0}"), "timeout_ms"),
    ] {
        std::fs::write(directory.path().join("taskgate.yaml"), &config).expect("writes");
        for words in [&["config", "check"][..], &["serve"]] {
            let output = run(directory.path(), words);
            let message = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{config}");
            assert!(message.contains(expected), "{expected} is not in {message}");
        }
    }
    std::fs::write(directory.path().join("taskgate.yaml"), config("")).expect("writes");
    let output = run(directory.path(), &["config", "check"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "taskgate.yaml: ok\n".to_owned()));
}

#[test]
fn what_it_makes_can_be_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = text(&run(directory.path(), &["token", "new", "--actor", "al: ice", "--group", "ml"]).stdout);
    let entry: Vec<&str> = output.lines().skip(3).collect();
    let indented = entry.iter().map(|line| format!("      {line}\n")).collect::<String>();
    let key = text(&run(directory.path(), &["key", "new"]).stdout);
    let sources =
        format!("verdicts:\n  sources:\n  - tokens:\n      tokens:\n{indented}keys: [{{id: k1, secret: {key}}}]");
    std::fs::write(directory.path().join("taskgate.yaml"), config(&sources)).expect("writes");
    let check = run(directory.path(), &["config", "check"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    let id = run(directory.path(), &["id", "a6e04b98-bf982394-5103e8-55754a49", "history", "ui"]);
    assert_eq!(text(&id.stdout), "51a6d485\n");
    let all = run(directory.path(), &["id", "a6e04b98-bf982394-5103e8-55754a49", "history", "ui", "--all"]);
    let all = text(&all.stdout);
    assert_eq!(all.lines().map(str::len).collect::<Vec<_>>(), [8, 16, 32]);
    assert!(all.starts_with("51a6d485\n") && all.lines().all(|id| id.ends_with("51a6d485")), "{all}");
}

#[test]
fn a_port_that_is_taken_is_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = taken.local_addr().expect("an address").to_string();
    std::fs::write(directory.path().join("taskgate.yaml"), config("").replacen("127.0.0.1:0", &address, 1))
        .expect("writes");
    let output = run(directory.path(), &["serve"]);
    let message = text(&output.stderr);
    assert!(
        output.status.code() == Some(1) && message.contains(&address) && message.contains("internal.listen"),
        "{message}"
    );
}
