//! The program, run as people run it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use taskgate_test_kit::{Hsds, HsdsUser};
use tempfile::TempDir;
use tokio::process::Command;

use crate::kit::{Sidecar, path_text};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the program is run, and which server it asks.
pub(super) struct Program {
    server: String,
    pub(super) directory: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: Option<i32>,
    pub(super) output: String,
    pub(super) errors: String,
}

impl Program {
    pub(super) fn new(server: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let users = [HsdsUser::Admin, HsdsUser::One, HsdsUser::Two];
        for user in users {
            std::fs::write(directory.path().join(user.name()), format!("{}\n", user.password())).expect("writes");
        }
        std::fs::write(directory.path().join("wrong"), "wrong").expect("writes");
        Self { server: server.to_owned(), directory }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs it as that user.
    pub(super) async fn run(&self, user: HsdsUser, words: &[&str]) -> Outcome {
        let mut words = words.to_vec();
        words.extend(["--user", user.name(), "--password-file", user.name()]);
        self.plain(&words).await
    }

    /// The same with what it prints, where it goes well.
    pub(super) async fn well(&self, user: HsdsUser, words: &[&str]) -> String {
        let outcome = self.run(user, words).await;
        assert_eq!(outcome.code, Some(0), "{words:?}: {outcome:?}");
        outcome.output.trim_end().to_owned()
    }

    /// Runs it with these words alone.
    pub(super) async fn plain(&self, words: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskgate"));
        command.current_dir(self.directory.path()).kill_on_drop(true);
        command.env_remove("TASKGATE_USER").env_remove("TASKGATE_PASSWORD_FILE").env_remove("TASKGATE_TOKEN_FILE");
        command.env("TASKGATE_SERVER", &self.server).env("NO_PROXY", "127.0.0.1").arg("tasks").args(words);
        let ran = tokio::time::timeout(PATIENCE, command.output()).await.expect("ends in time").expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Outcome { code: ran.status.code(), output: text(ran.stdout), errors: text(ran.stderr) }
    }
}

/// A sidecar with workers, and with operations that are scripts: `$1` is the program's directory.
pub(super) async fn sidecar(hsds: &Hsds, scripts: &[(&str, &str)]) -> (Sidecar, Program) {
    sidecar_with(hsds, scripts, 30).await
}

/// The same, with leases of so many seconds.
pub(super) async fn sidecar_with(hsds: &Hsds, scripts: &[(&str, &str)], lease_secs: u32) -> (Sidecar, Program) {
    // The address is known later than the configuration.
    let mut program = Program::new("");
    let directory = path_text(program.directory.path());
    let operations: Vec<Value> = scripts
        .iter()
        .map(|(name, script)| {
            json!({
                "name": name, "summary": "Is a script.", "arguments": {"type": "object"}, "sources": {"most": 1},
                "command": {
                    "path": "/bin/sh", "arguments": ["-c", script, name, directory],
                    "environment": ["PATH"], "forward_credential": true,
                },
            })
        })
        .collect();
    let tasks = json!({
        "store": "sqlite:tasks.db", "hsds": {"endpoint": hsds.url()}, "operations": operations,
        "workers": {"lease_secs": lease_secs},
    });
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let sidecar = Sidecar::start(&format!(
        "public: {{listen: \"127.0.0.1:0\"}}\nkeys: [{{id: k1, secret: \"{key}\"}}]\ntasks: {tasks}\n"
    ))
    .await;
    let address = sidecar.running.addresses.public.as_ref().expect("a public listener");
    program.server = format!("http://{address}");
    (sidecar, program)
}
