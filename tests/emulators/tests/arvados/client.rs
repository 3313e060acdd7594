//! Runs the real client as a library.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use taskgate_emulators::arvados::Arvados;
use tempfile::TempDir;
use tokio::process::Command;

/// The virtual environment to use instead of the one that `make arvados-client` makes.
const TASKGATE_ARVADOS: &str = "TASKGATE_ARVADOS";
/// Far more than any script takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a script that has `arv`, a client with that token, `util`, and `answer(value)` to say something; what it said.
pub(crate) async fn python(cluster: &Arvados, token: &str, script: &str) -> Vec<Value> {
    let prelude = r#"
import json, os, arvados, arvados.util as util, arvados.errors as errors
def client(token):
    url = os.environ["DISCOVERY"] + "/discovery/v1/apis/{api}/{apiVersion}/rest"
    return arvados.api("v1", discoveryServiceUrl=url, token=token, num_retries=0)
def answer(value):
    print(json.dumps(value), flush=True)
def status(call):
    try:
        call.execute(num_retries=0)
        return 200
    except errors.ApiError as error:
        return [error.resp.status, str(error)]
arv = client(os.environ["TOKEN"])
"#;
    let home = TempDir::new().unwrap();
    let child = Command::new(environment().join("bin/python"))
        .args(["-c", &format!("{prelude}{script}")])
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", home.path())
        .env("DISCOVERY", cluster.url())
        .env("TOKEN", token)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn environment() -> PathBuf {
    let named = env::var_os(TASKGATE_ARVADOS).filter(|name| !name.is_empty()).map(PathBuf::from);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = env::var_os("CARGO_TARGET_DIR").filter(|name| !name.is_empty()).unwrap_or_else(|| "target".into());
    let environment = named.unwrap_or_else(|| repository.join(target).join("tools/arvados"));
    assert!(
        environment.join("bin/python").exists(),
        "not found: {}; run `make arvados-client`, or set {TASKGATE_ARVADOS}",
        environment.display()
    );
    environment
}
