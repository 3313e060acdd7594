//! A program that is a shell script, in a directory of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskgate::tasks::operation::Operation;
use tempfile::TempDir;

use crate::tasks::attempt::operation;

/// A script, and where it leaves what it tells the test.
pub(super) struct Program {
    pub(super) operation: Arc<dyn Operation>,
    directory: TempDir,
}

impl Program {
    /// A script; `$1` is its directory.
    pub(super) fn new(script: &str) -> Self {
        Self::with(script, &json!({}))
    }

    pub(super) fn with(script: &str, more: &Value) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let arguments = json!(["-c", script, "script", directory.path()]);
        let mut command = json!({"path": "/bin/sh", "arguments": arguments, "environment": ["PATH"]});
        for (key, value) in more.as_object().into_iter().flatten() {
            command[key.as_str()] = value.clone();
        }
        let operation = operation(&json!({"name": "foreign", "summary": "Is a script.", "command": command}));
        Self { operation, directory }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the script left in a file, once it is whole: it ends with a line break.
    pub(super) async fn left(&self, name: &str) -> String {
        let began = Instant::now();
        loop {
            let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
            if text.ends_with('\n') {
                return text.trim_end().to_owned();
            }
            assert!(began.elapsed() < Duration::from_secs(20), "the script left no `{name}`");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until none of the processes in a file is there any more.
    pub(super) async fn all_ended(&self, name: &str) {
        let processes = self.left(name).await;
        let began = Instant::now();
        for process in processes.split_whitespace() {
            let status = PathBuf::from(format!("/proc/{process}/status"));
            while std::fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ")) {
                assert!(began.elapsed() < Duration::from_secs(10), "process {process} is still there");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}
