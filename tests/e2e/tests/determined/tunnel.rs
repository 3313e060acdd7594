//! Determined's own tunnel: to PostgreSQL, wrapped by the master and by the sidecar, and to nobody's.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use anyhow::Context as _;
use serde_json::json;
use taskgate_emulators::determined::{Kind, Task};
use taskgate_test_kit::{OpenSsh, Postgres, ReservedAddress, environment, wait_until};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::site::Site;
use crate::support::gateway::Gateway;
use crate::support::{Outcome, PATIENCE, soon};

/// The client's tunnel, as its documentation has it: it listens at a port of this machine.
struct Tunnel {
    child: Child,
    address: SocketAddr,
    _reserved: ReservedAddress,
    _home: TempDir,
}

impl Tunnel {
    async fn open(gateway: &Gateway, user: &str, password: &str, service: &str) -> anyhow::Result<Self> {
        // The client wants to be told a port that is free, and shares it with who keeps it free.
        let reserved = ReservedAddress::new()?;
        let (address, port) = (reserved.address(), reserved.address().port());
        let home = TempDir::new()?;
        let master = format!("http://localhost:{}", gateway.ingress.address.port());
        let mut command = Command::new(environment::determined()?.join("bin/python"));
        command
            .args(["-m", "determined.cli.tunnel", "--listener", &port.to_string(), "--auth", &master, service])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .envs([("LC_ALL", "C.UTF-8"), ("DET_USER", user), ("DET_PASS", password)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        // It is only there once it has signed in. What asks is a connection too, which the client leads on.
        let listens = async || TcpStream::connect(address).await.is_ok();
        if let Err(error) = wait_until(PATIENCE, "the tunnel listens", listens).await {
            child.start_kill()?;
            let output = child.wait_with_output().await?;
            return Err(error).context(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(Self { child, address, _reserved: reserved, _home: home })
    }

    async fn close(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

async fn count(server: &Postgres, at: SocketAddr) -> anyhow::Result<String> {
    let mut command = Command::from(server.psql(at));
    command.args(["-c", "select count(*) from generate_series(1, 1000)"]).kill_on_drop(true);
    let output = soon("psql", command.output()).await??;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[tokio::test]
async fn psql_goes_through_it_whoever_wraps() -> Outcome {
    let server = tokio::task::spawn_blocking(Postgres::start).await??;
    let site = Site::new().await?;
    // The master does not say where the port of the first is, and so wraps it itself.
    let wrapped = Task::new("7.a1", Kind::Experiment, "alice").tcp(5_432, server.address());
    let direct = Task::new("b1", Kind::Shell, "alice").tcp(5_432, server.address()).with_addresses();
    site.master.set_task(wrapped);
    site.master.set_task(direct);
    let gateway = site.gateway(|provider| provider["addresses"] = json!(["127.0.0.0/8"])).await?;
    for (service, is_of_master) in [("7.a1:5432", true), ("b1:5432", false)] {
        let tunnel = Tunnel::open(&gateway, "alice", "wonder land", service).await?;
        assert_eq!(count(&server, tunnel.address).await?, "1000", "{service}");
        tunnel.close().await?;
        assert_eq!(site.master.begun(service) > 0, is_of_master, "{service}");
        assert_eq!(site.master.seen(&format!("/proxy/{service}/")).is_empty(), !is_of_master, "{service}");
    }
    Ok(())
}

#[tokio::test]
async fn it_leads_nobody_to_what_he_does_not_see() -> Outcome {
    let site = Site::new().await?;
    let job = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let task = Task::new("b1", Kind::Shell, "alice").tcp(6_000, job.local_addr()?).with_addresses();
    site.master.set_task(task);
    let gateway = site.gateway(|provider| provider["addresses"] = json!(["127.0.0.0/8"])).await?;
    let tunnel = Tunnel::open(&gateway, "bob", "builder", "b1:6000").await?;
    let mut stream = TcpStream::connect(tunnel.address).await?;
    let mut nothing = Vec::new();
    // It is cut without a byte: a reset is as good an end.
    let _ = soon("the end", stream.read_to_end(&mut nothing)).await?;
    assert!(nothing.is_empty());
    tunnel.close().await?;
    let connected = futures_util::FutureExt::now_or_never(job.accept());
    assert!(connected.is_none(), "nobody came to the job");
    Ok(())
}

#[tokio::test]
async fn ssh_goes_through_it_as_shells_do() -> Outcome {
    let server = OpenSsh::start().await?;
    let site = Site::new().await?;
    let task = Task::new("b1", Kind::Shell, "alice").tcp(3_200, server.address()).by_default().unauthenticated();
    site.master.set_task(task.with_addresses());
    let change = |provider: &mut serde_json::Value| {
        provider["addresses"] = json!(["127.0.0.0/8"]);
        provider["unauthenticated"] = true.into();
    };
    let gateway = site.gateway(change).await?;
    let home = TempDir::new()?;
    let master = format!("http://localhost:{}", gateway.ingress.address.port());
    // As `det shell` has it: nobody signs in, for the keys are what protects a shell.
    let python = environment::determined()?.join("bin/python");
    let proxy = format!("{} -m determined.cli.tunnel {master} %h", python.display());
    let mut command = Command::from(server.client("ssh", &proxy));
    command.env("HOME", home.path()).args(["b1", "echo over a tunnel"]).stdin(Stdio::null()).kill_on_drop(true);
    let output = soon("ssh", command.output()).await??;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "over a tunnel\n", "{}", server.last_lines());
    Ok(())
}
