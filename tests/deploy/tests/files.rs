//! Container files and the unit, as far as they can be looked at without building and installing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};
use taskgate_test_kit::environment;

use crate::Outcome;

fn deploy() -> PathBuf {
    environment::repository().join("deploy")
}

#[test]
fn container_files_follow_the_rules_of_their_trade() -> Outcome {
    let linter = environment::deploy()?.join("bin/hadolint");
    for file in ["sidecar.Dockerfile", "filter.Dockerfile"] {
        let output = Command::new(&linter).arg(deploy().join("container").join(file)).output()?;
        ensure!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(())
}

#[test]
fn images_have_what_the_chart_expects_in_them() -> Outcome {
    let sidecar = fs::read_to_string(deploy().join("container/sidecar.Dockerfile"))?;
    let last = sidecar.rsplit("\nFROM ").next().context("no stage")?;
    for line in [
        "/usr/share/taskgate/filter.wasm",
        "USER 65532:65532",
        r#"ENTRYPOINT ["/usr/bin/taskgate"]"#,
        r#"CMD ["serve", "--config", "/etc/taskgate/taskgate.yaml"]"#,
    ] {
        assert!(last.contains(line), "{line}");
    }
    // One layer with one file, as gateways want it.
    let filter = fs::read_to_string(deploy().join("container/filter.Dockerfile"))?;
    let lines: Vec<&str> = filter.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(lines, ["FROM scratch", "COPY taskgate_filter.wasm /plugin.wasm"]);
    Ok(())
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever runs the tests must learn that one did not")]
fn systemd_takes_the_unit_and_finds_it_well_locked_up() -> Outcome {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        println!("SKIPPED: there is no systemd-analyze here");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let unit = directory.path().join("taskgate.service");
    let text = fs::read_to_string(deploy().join("systemd/taskgate.service"))?;
    // The program is not installed here; everything else is looked at as it is.
    let program = environment::sidecar()?.canonicalize()?;
    fs::write(&unit, text.replace("/usr/bin/taskgate", program.to_str().context("no path")?))?;
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output()?;
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_it: Vec<&str> = said.lines().filter(|line| line.contains("taskgate.service")).collect();
    assert!(verified.status.success() && about_it.is_empty(), "{said}");
    // Of 10, which is no protection at all; in tenths.
    let mut command = Command::new("systemd-analyze");
    let judged = command.args(["security", "--offline=true", "--threshold=15"]).arg(&unit).output()?;
    ensure!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    Ok(())
}
