//! What the chart makes is what a cluster understands: held against the schemas that Kubernetes, Istio, Envoy
//! Gateway and others publish.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::environment;

use crate::Outcome;
use crate::rendered::{Rendered, VALUES, helm};

/// The oldest version that the chart is for, and a new one.
const KUBERNETES: [&str; 2] = ["1.29", "1.36"];

/// What a judge said: what is wrong, and how many resources it has a schema for.
#[derive(Debug)]
struct Verdict {
    wrong: Vec<String>,
    known: usize,
}

fn judge(mut command: Command, resources: &[Value]) -> anyhow::Result<Verdict> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("can't run {:?}", command.get_program()))?;
    child.stdin.take().context("no input")?.write_all(json!(resources).to_string().as_bytes())?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let known = text.lines().find_map(|line| line.strip_prefix("known: ")).context("no count")?;
    let wrong = text.lines().filter(|line| line.starts_with("wrong: ")).map(str::to_owned).collect();
    Ok(Verdict { wrong, known: known.parse()? })
}

fn script(name: &str) -> PathBuf {
    environment::repository().join("tests/deploy").join(name)
}

fn kubernetes(version: &str, resources: &[Value]) -> anyhow::Result<Verdict> {
    let mut command = Command::new(environment::deploy()?.join("bin/python3"));
    command.arg(script("validate.py")).arg(version);
    judge(command, resources)
}

fn others(resources: &[Value]) -> anyhow::Result<Verdict> {
    let mut command = Command::new("node");
    command.arg(script("validate.mjs")).arg(environment::deploy()?);
    judge(command, resources)
}

#[test]
fn every_resource_has_the_form_that_its_schema_wants() -> Outcome {
    for values in VALUES {
        let resources = Rendered::of(values)?.0;
        let foreign = others(&resources)?;
        assert!(foreign.wrong.is_empty(), "{values}: {:#?}", foreign.wrong);
        for version in KUBERNETES {
            let own = kubernetes(version, &resources)?;
            assert!(own.wrong.is_empty(), "{values}, {version}: {:#?}", own.wrong);
            assert_eq!(own.known + foreign.known, resources.len(), "{values}: each has a schema in one of them");
        }
    }
    Ok(())
}

#[test]
fn the_judges_notice_what_is_wrong() -> Outcome {
    let mut resources = Rendered::of("istio")?.0;
    for resource in &mut resources {
        match resource["kind"].as_str() {
            Some("Deployment") => resource["spec"]["replicaz"] = json!(1),
            Some("WasmPlugin") => resource["spec"]["failStrategy"] = json!("FAIL_SOMEHOW"),
            _ => {}
        }
    }
    let own = kubernetes("1.36", &resources)?;
    assert_eq!(own.wrong.len(), 1, "{own:?}");
    let foreign = others(&resources)?;
    assert_eq!(foreign.wrong.len(), 1, "{foreign:?}");
    Ok(())
}

#[test]
fn helm_finds_nothing_to_say_about_the_chart() -> Outcome {
    for values in VALUES {
        let said = helm(&["lint", "--strict"], values, &[])?;
        assert!(!said.contains("[WARNING]") && !said.contains("[ERROR]"), "{said}");
    }
    Ok(())
}
