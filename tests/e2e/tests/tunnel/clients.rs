//! Real programs through tunnels: PostgreSQL's and OpenSSH's.

use std::fs;
use std::process::{Output, Stdio};

use anyhow::{Context as _, ensure};
use taskgate_test_kit::{OpenSsh, Postgres, environment};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::support::service::{BOB, Service, host};
use crate::support::setup::Setup;
use crate::support::{Outcome, soon};

use super::site::{Pass, Tunnel, bytes, with_tunnels};

/// Runs a program with that on its standard input; what it prints.
async fn run(command: std::process::Command, input: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("can't run it")?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let feed = async {
        stdin.write_all(input).await?;
        drop(stdin);
        Ok(())
    };
    let (_, output): ((), Output) =
        soon("the program", async { tokio::try_join!(feed, child.wait_with_output()) }).await??;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

#[tokio::test]
async fn psql_reads_a_lot_and_copies_both_ways() -> Outcome {
    let server = tokio::task::spawn_blocking(Postgres::start).await??;
    let gateway = with_tunnels(Setup::new([Service::tcp("db").at(server.address())])).start().await?;
    let tunnel = Tunnel::open(&gateway, "db", BOB).await?;
    let psql = async |address, sql: &str, input: &[u8]| {
        let mut command = server.psql(address);
        command.args(["--command", sql]);
        run(command, input).await
    };
    let large = "select i, md5(i::text) from generate_series(1, 200000) i";
    let direct = psql(server.address(), large, b"").await?;
    assert!(direct.len() > 7_000_000);
    assert!(psql(tunnel.address, large, b"").await? == direct, "a large result");

    let rows: String = (0..200_000).map(|number| format!("row {number}\n")).collect();
    psql(tunnel.address, "create table copied (line text)", b"").await?;
    psql(tunnel.address, "copy copied from stdin", rows.as_bytes()).await?;
    assert_eq!(psql(server.address(), "select count(*) from copied", b"").await?, b"200000\n");
    let back = psql(tunnel.address, "copy (select line from copied order by ctid) to stdout", b"").await?;
    assert!(back == rows.as_bytes(), "copied both ways");
    Ok(())
}

#[tokio::test]
async fn ssh_runs_a_command_and_scp_copies_both_ways() -> Outcome {
    let server = OpenSsh::start().await?;
    let gateway = with_tunnels(Setup::new([Service::tcp("shell").at(server.address())])).start().await?;
    let pass = Pass::new(gateway.ingress.address, BOB)?;
    let program = environment::sidecar()?;
    // As `docs/tunnel.md` has it, but that there is no TLS and the token is elsewhere.
    let proxy = format!("{} ssh-proxy http://%h/ --token-file {}", program.display(), pass.path().display());
    let client = |name: &str| {
        let mut command = server.client(name, &proxy);
        command.envs(pass.variables());
        command
    };
    let (host, folder) = (host("shell"), server.folder().display().to_string());
    let mut shell = client("ssh");
    shell.args([&host, "read line; echo \"got $line\"; whoami; exit 0"]);
    let said = String::from_utf8(run(shell, b"something\n").await?)?;
    assert_eq!(said, format!("got something\n{}\n", server.user()), "{}", server.last_lines());

    let here = tempfile::tempdir()?;
    let (up, down) = (here.path().join("up"), here.path().join("down"));
    let content = bytes(20_000_000);
    fs::write(&up, &content)?;
    let mut copy = client("scp");
    copy.arg("-q").arg(&up).arg(format!("{host}:{folder}/copied"));
    run(copy, b"").await?;
    assert!(fs::read(server.folder().join("copied"))? == content, "what was copied there");
    let mut copy = client("scp");
    copy.arg("-q").arg(format!("{host}:{folder}/copied")).arg(&down);
    run(copy, b"").await?;
    assert!(fs::read(&down)? == content, "what was copied back");
    Ok(())
}
