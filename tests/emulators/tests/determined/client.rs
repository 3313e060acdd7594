//! The real command line: `det`, and its tunnel.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use taskgate_emulators::determined::{Determined, Kind, Task};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;

/// The virtual environment to use instead of the one that `make determined-client` makes.
const TASKGATE_DETERMINED: &str = "TASKGATE_DETERMINED";
/// Far more than any command takes.
const LIMIT: Duration = Duration::from_secs(60);

fn environment() -> PathBuf {
    let named = env::var_os(TASKGATE_DETERMINED).filter(|name| !name.is_empty()).map(PathBuf::from);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = env::var_os("CARGO_TARGET_DIR").filter(|name| !name.is_empty()).unwrap_or_else(|| "target".into());
    let environment = named.unwrap_or_else(|| repository.join(target).join("tools/determined"));
    assert!(
        environment.join("bin/python").exists(),
        "not found: {}; run `make determined-client`, or set {TASKGATE_DETERMINED}",
        environment.display()
    );
    environment
}

fn python(master: &Determined, home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(environment().join("bin/python"));
    command
        .args(arguments)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", home.path())
        .env("DET_MASTER", master.url())
        .env("DET_USER", "alice")
        .env("DET_PASS", "wonder land")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Runs several commands of `det` in one process, for it takes seconds to start; what they said.
async fn det(master: &Determined, commands: &[&[&str]]) -> String {
    let home = TempDir::new().unwrap();
    let script = format!(
        "import sys\nfrom determined.cli import cli\nfor command in {commands:?}:\n    \
         print('== ' + ' '.join(command), flush=True)\n    try:\n        cli.main(list(command))\n    \
         except SystemExit as end:\n        print('exit', end.code, flush=True)\n"
    );
    let output = tokio::time::timeout(LIMIT, python(master, &home, &["-c", &script]).output()).await.unwrap().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

async fn site() -> Determined {
    let master = Determined::start().await.unwrap();
    master.add_user("alice", "wonder land");
    master.add_user("bob", "builder");
    master
}

#[tokio::test]
async fn the_command_line_signs_in_and_lists_what_its_user_sees() {
    let master = site().await;
    let nowhere = "127.0.0.1:9".parse().unwrap();
    for (id, kind, owner) in [
        ("aaaaaaaa-0000-4000-8000-000000000001", Kind::Notebook, "alice"),
        ("bbbbbbbb-0000-4000-8000-000000000002", Kind::Shell, "alice"),
        ("cccccccc-0000-4000-8000-000000000003", Kind::Tensorboard, "alice"),
        ("dddddddd-0000-4000-8000-000000000004", Kind::Command, "alice"),
        ("eeeeeeee-0000-4000-8000-000000000005", Kind::Notebook, "bob"),
    ] {
        master.set_task(Task::new(id, kind, owner).port(2_900, nowhere).by_default());
    }
    let text = det(
        &master,
        &[
            &["user", "whoami"],
            &["notebook", "list", "--all"],
            &["shell", "list", "--all"],
            &["tensorboard", "list", "--all"],
            &["command", "list", "--all"],
            &["task", "list"],
        ],
    )
    .await;
    assert!(text.contains("You are logged in as user 'alice'"), "{text}");
    for id in ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"] {
        assert!(text.matches(id).count() >= 2, "{id} in a list of its kind and among all: {text}");
    }
    assert!(!text.contains("eeeeeeee"), "bob's is not alice's to see: {text}");
    assert!(!text.contains("\nexit "), "{text}");
}

#[tokio::test]
async fn its_tunnel_carries_bytes_both_ways() {
    let master = site().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let task = "aaaaaaaa-0000-4000-8000-000000000001";
    master.set_task(Task::new(task, Kind::Command, "alice").tcp(6_000, listener.local_addr().unwrap()));
    let home = TempDir::new().unwrap();
    let service = format!("{task}:6000");
    let arguments = ["-m", "determined.cli.tunnel", "--auth", &master.url(), &service];
    let mut child = python(&master, &home, &arguments).stdin(Stdio::piped()).spawn().unwrap();
    let (mut stream, _) = tokio::time::timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let asked = vec![b'x'; 100_000];
    let mut buffer = vec![0; asked.len()];
    let talk = async {
        input.write_all(&asked).await.unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!(buffer, asked);
        stream.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        output.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        drop(input);
        // Its half-close is a close.
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
    };
    tokio::time::timeout(LIMIT, talk).await.unwrap();
    child.kill().await.unwrap();
}
