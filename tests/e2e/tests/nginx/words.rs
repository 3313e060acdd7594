//! What operators do with `taskgate render nginx`.

use std::process::{Command, Stdio};

use taskgate_test_kit::{NginxGate, environment};

use super::gate::Plan;
use crate::support::Outcome;
use crate::support::service::{BASE_DOMAIN, Service};

#[tokio::test]
async fn what_is_printed_runs_and_what_runs_is_found_safe() -> Outcome {
    let gate = Plan::new([Service::http("web")]).group("web", "web_jobs", &[]).start().await;
    assert!(gate.is_err(), "NGINX takes no group without servers");
    let home = tempfile::tempdir()?;
    let config = home.path().join("taskgate.yaml");
    let groups = "groups: [{service: ae5cf6f5, group: echo}]";
    std::fs::write(
        &config,
        format!("gate: {{base_domains: [{BASE_DOMAIN}]}}\nforward_auth: {{listen: '127.0.0.1:1', {groups}}}\n"),
    )?;
    let printed =
        Command::new(environment::sidecar()?).args(["render", "nginx", "--cache", "--config"]).arg(&config).output()?;
    let printed = String::from_utf8(printed.stdout)?;
    // The real NGINX reads it, with addresses and folders of this test.
    let nginx = NginxGate::start("127.0.0.1:1", |filled| {
        let places = ["listen", "access_log", "error_log", "proxy_cache_path"];
        let line = |text: &str, name: &str| {
            text.lines().find(|line| line.trim_start().starts_with(&format!("{name} "))).map(ToOwned::to_owned)
        };
        let filled = filled.replace("# CACHE ", "");
        places.iter().fold(printed.clone(), |text, name| match (line(&text, name), line(&filled, name)) {
            (Some(from), Some(to)) => text.replace(&from, &to),
            _ => text,
        })
    })
    .await?;
    let dump = nginx.dump()?;
    assert!(dump.contains("upstream echo {") && dump.contains("proxy_cache taskgate;"), "{dump}");
    let look = |text: &str| -> anyhow::Result<(bool, String)> {
        let file = home.path().join("dump");
        std::fs::write(&file, text)?;
        let mut command = Command::new(environment::sidecar()?);
        command.args(["render", "nginx", "--check", "-"]).stdin(Stdio::from(std::fs::File::open(&file)?));
        let output = command.output()?;
        Ok((output.status.success(), String::from_utf8(output.stdout)?))
    };
    assert_eq!(look(&dump)?, (true, "-: ok\n".to_owned()));
    let (is_safe, findings) = look(&dump.replace("    auth_request /_taskgate/decide;", ""))?;
    assert!(!is_safe && findings.contains("taskgate.conf:") && findings.contains("[guard]"), "{findings}");
    Ok(())
}
