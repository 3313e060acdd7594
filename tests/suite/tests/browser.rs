//! The build of core for JavaScript (`make browser`): names and refusals as pages may show them.
//!
//! It does not decide, so it is no runner of the corpus. What it says must be what core says natively.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use taskgate_core::denial::Denial;
use taskgate_core::naming::{ServiceDigest, alias_label};
use taskgate_core::reply::{Client, reply};

/// Names as operations have them: plain, long, in other scripts, empty, and two that look alike when written together.
const NAMES: [[&str; 3]; 7] = [
    ["a6e04b98-bf982394-5103e8-55754a49", "master", "ui"],
    ["demo", "greeter", "server"],
    ["ab", "c", "d"],
    ["a", "bc", "d"],
    ["операция", "задача", "сервис"],
    ["", "", ""],
    [
        "*Demo_Alias",
        "worker-12",
        "a-very-long-name-of-a-service-that-makes-no-label-of-a-host-any-more-for-it-is-too-long",
    ],
];

fn ask(question: &Value) -> Result<Value, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("TASKGATE_BROWSER").filter(|name| !name.is_empty());
    let package = named.map_or_else(|| root.join("target/browser/taskgate_core"), Into::into);
    let module = package.join("node/taskgate_core.js");
    let module = module.canonicalize().map_err(|error| format!("{}: {error}; run `make browser`", module.display()))?;
    let script = root.join("tests/suite/tests/browser/ask.mjs");
    let mut node = Command::new("node").arg(script).arg(module).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    node.stdin.take().ok_or("no standard input")?.write_all(question.to_string().as_bytes())?;
    let output = node.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("node: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn says_what_core_says() -> Result<(), Box<dyn Error>> {
    let codes: Vec<&str> = Denial::ALL.iter().map(|denial| denial.code()).chain(["no-such-code"]).collect();
    let answer = ask(&json!({"services": NAMES, "aliases": NAMES, "codes": codes}))?;

    let ids = NAMES.map(|[operation, task, service]| {
        ServiceDigest::of(operation, task, service).ids().map(|id| id.to_string()).collect::<Vec<_>>()
    });
    assert_eq!(answer["ids"], json!(ids));
    let labels = NAMES.map(|[alias, task, service]| {
        alias_label(alias.strip_prefix('*').unwrap_or(alias), task, service).map(|label| label.to_string())
    });
    assert!(labels.iter().any(Option::is_some) && labels.iter().any(Option::is_none), "{labels:?}");
    assert_eq!(answer["labels"], json!(labels));
    let problems = Denial::ALL.map(|denial| Some(reply(denial, Client::Api).body));
    assert_eq!(answer["problems"], json!(problems.into_iter().chain([None]).collect::<Vec<_>>()));
    Ok(())
}
