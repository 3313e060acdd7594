//! Runs the real client, as a program and as a library.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use taskgate_emulators::ytsaurus::{Job, Operation, Ytsaurus};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The virtual environment to use instead of the one that `make yt-client` makes.
const TASKGATE_YT_CLIENT: &str = "TASKGATE_YT_CLIENT";
/// The token of the user `alice`.
pub(crate) const TOKEN: &str = "alices-token";
/// Far more than any call takes.
const LIMIT: Duration = Duration::from_secs(60);

/// The ways in which the client can send parameters and bodies.
pub(crate) const WIRE: [&str; 4] = [
    "proxy={header_format=yson;accept_encoding=gzip;content_encoding=gzip}",
    "proxy={header_format=json;accept_encoding=gzip;content_encoding=gzip}",
    "proxy={header_format=yson;accept_encoding=identity;content_encoding=identity}",
    "proxy={header_format=json;accept_encoding=identity;content_encoding=identity};structured_data_format=json",
];

/// The two that have least in common, for tests that run many programs.
pub(crate) const TWO_WIRES: [&str; 2] = [WIRE[0], WIRE[3]];

/// The real client, set up for one cluster.
#[derive(Debug)]
pub(crate) struct Client {
    proxy: String,
    token: String,
    config: String,
    home: TempDir,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) succeeded: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A cluster with a user, an operation with one job, and a directory.
pub(crate) async fn cluster() -> Ytsaurus {
    let cluster = Ytsaurus::start().await.unwrap();
    cluster.add_user("alice", TOKEN);
    cluster.add_user("bob", "bobs-token");
    cluster.set("//sys/task_proxies", yson("{}")).unwrap();
    let annotations = yson("{task_proxy={enabled=%true}}");
    let operation = Operation::new("alice").id("a-b-c-d".parse().unwrap()).title("a title").alias("*web");
    let id = cluster.add_operation(operation.annotations(annotations));
    let job = Job::new("main").id("1-2-384-4".parse().unwrap()).address("n1:9012").ports([27001, 27002]);
    cluster.add_job(id, job);
    cluster
}

pub(crate) fn yson(text: &str) -> taskgate_emulators::yson::Yson {
    taskgate_emulators::yson::Yson::parse(text).unwrap()
}

// === impl Client ===

impl Client {
    pub(crate) fn of(cluster: &Ytsaurus) -> Self {
        let proxy = cluster.address().to_string();
        Self { proxy, token: TOKEN.to_owned(), config: String::new(), home: TempDir::new().unwrap() }
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// With these keys of the client's configuration, as fields of a YSON map.
    pub(crate) fn config(mut self, config: &str) -> Self {
        config.clone_into(&mut self.config);
        self
    }

    /// `yt` with these arguments; what it prints on success.
    pub(crate) async fn yt(&self, arguments: &[&str]) -> String {
        let printed = self.try_yt(arguments, "").await;
        assert!(printed.succeeded, "yt {arguments:?}: {}", printed.err);
        printed.out
    }

    /// `yt` with these arguments and that input.
    pub(crate) async fn try_yt(&self, arguments: &[&str], input: &str) -> Printed {
        let program = environment().join("bin/yt");
        let program = program.to_str().unwrap();
        self.run(&[&[program], arguments].concat(), input).await
    }

    /// A script that has `yt` imported and `answer(value)` to say something; what it said.
    pub(crate) async fn python(&self, script: &str) -> Vec<Value> {
        let printed = self.try_python(script).await;
        assert!(printed.succeeded, "{}", printed.err);
        printed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) async fn try_python(&self, script: &str) -> Printed {
        let prelude = "import json, yt.wrapper as yt, yt.yson as yson\n\
                       answer = lambda value: print(json.dumps(yson.yson_to_json(value)), flush=True)\n";
        self.run(&["-c", &format!("{prelude}{script}")], "").await
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Printed {
        let mut child = Command::new(environment().join("bin/python"))
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", self.home.path())
            .env("YT_PROXY", &self.proxy)
            .env("YT_TOKEN", &self.token)
            .env("YT_CONFIG_PATCHES", format!("{{{}}}", self.config))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that does not read its input has closed it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.unwrap().unwrap();
        Printed {
            succeeded: output.status.success(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn environment() -> PathBuf {
    let named = env::var_os(TASKGATE_YT_CLIENT).filter(|name| !name.is_empty()).map(PathBuf::from);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = env::var_os("CARGO_TARGET_DIR").filter(|name| !name.is_empty()).unwrap_or_else(|| "target".into());
    let environment = named.unwrap_or_else(|| repository.join(target).join("tools/ytsaurus"));
    assert!(
        environment.join("bin/yt").exists(),
        "not found: {}; run `make yt-client`, or set {TASKGATE_YT_CLIENT}",
        environment.display()
    );
    environment
}
