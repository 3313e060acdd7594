//! Certificates that are renewed, by renames in the directory of their files: nothing is started again for it.

use std::fs;
use std::path::Path;

use serde_json::json;
use taskgate_test_kit::{Authority, Issued, wait_for, wait_until};
use tempfile::TempDir;

use super::job::Job;
use super::site::{Plan, Site, place};
use crate::support::client::Client;
use crate::support::service::Service;
use crate::support::{Outcome, PATIENCE};

const TASK: &str = "closed";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const CLIENTS: &str = "clients.pem";

/// The files that Envoy is told of.
struct Files {
    directory: TempDir,
}

impl Files {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { directory: tempfile::tempdir()? })
    }

    /// With the certificate of a server, and an authority for clients.
    fn with(server: &Issued, clients: &Authority) -> anyhow::Result<Self> {
        let files = Self::new()?;
        files.put(CERTIFICATE, &server.certificate)?;
        files.put(KEY, &server.key)?;
        files.put(CLIENTS, &clients.certificate())?;
        Ok(files)
    }

    /// Puts another file in the place of one, as `mv` does.
    fn put(&self, name: &str, from: &Path) -> anyhow::Result<()> {
        self.write(name, &fs::read(from)?)
    }

    fn write(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let new = self.directory.path().join("new");
        fs::write(&new, content)?;
        Ok(fs::rename(new, self.directory.path().join(name))?)
    }

    /// As a volume of Kubernetes: the files lead to a directory that is replaced as a whole.
    fn swap(&self, number: u8, files: [(&str, &Path); 3]) -> anyhow::Result<()> {
        let (root, version) = (self.directory.path(), format!("..version-{number}"));
        fs::create_dir(root.join(&version))?;
        for (name, from) in files {
            fs::copy(from, root.join(&version).join(name))?;
            if !root.join(name).is_symlink() {
                std::os::unix::fs::symlink(Path::new("..data").join(name), root.join(name))?;
            }
        }
        std::os::unix::fs::symlink(&version, root.join("..data_tmp"))?;
        Ok(fs::rename(root.join("..data_tmp"), root.join("..data"))?)
    }

    fn plan(&self, job: &Job) -> anyhow::Result<Plan> {
        let path = |name: &str| json!(self.directory.path().join(name));
        Ok(Plan::new([Service::tcp(TASK).at(job.address())], 8)?.configure(|config| {
            let gateway = &mut config["internal_task_gateway"];
            gateway["client_certificates"] =
                json!({"users": [{"san": "spiffe://example.test/alice", "actor": "alice"}]});
            gateway["envoy"]["certificate_file"] = path(CERTIFICATE);
            gateway["envoy"]["key_file"] = path(KEY);
            gateway["envoy"]["client_ca_file"] = path(CLIENTS);
        }))
    }
}

fn alice(authority: &Authority) -> anyhow::Result<Issued> {
    authority.issue("alice", "URI:spiffe://example.test/alice")
}

fn server(authority: &Authority) -> anyhow::Result<Issued> {
    authority.issue("server", "DNS:localhost")
}

/// Somebody who wants a server of that authority.
async fn connect(site: &Site, server: &Authority, shown: Option<&Issued>) -> anyhow::Result<Client> {
    Client::secure(site.address(TASK).await?, &server.certificate(), shown)
}

/// Connects and hears the job.
async fn open(site: &Site, server: &Authority, shown: &Issued) -> anyhow::Result<Client> {
    let mut client = connect(site, server, Some(shown)).await?;
    client.expect(b"A").await?;
    Ok(client)
}

/// The same, as soon as what is new is in force, or every worker knows the service.
async fn first(site: &Site, server: &Authority, shown: &Issued) -> anyhow::Result<Client> {
    wait_for(PATIENCE, "what is new to be in force", async || open(site, server, shown).await.ok()).await
}

async fn is_shut(site: &Site, server: &Authority, shown: Option<&Issued>) -> anyhow::Result<bool> {
    let mut client = connect(site, server, shown).await?;
    // It may be over before the first byte.
    let _ = client.send(b"let me in\n").await;
    Ok(client.rest().await?.is_empty())
}

/// What Envoy counts of that secret.
async fn count(site: &Site, secret: &str, what: &str) -> anyhow::Result<u64> {
    site.envoy.stat(&format!("sds.taskgate-tcp/{secret}.{what}")).await
}

async fn wait_until_broken(site: &Site, secret: &str, before: u64) -> anyhow::Result<()> {
    let is_counted = async || count(site, secret, "key_rotation_failed").await.is_ok_and(|count| count > before);
    wait_until(PATIENCE, "a renewal that failed to be counted", is_counted).await
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_who_comes_then_and_cuts_nobody_off() -> Outcome {
    let (clients, old, new) = (Authority::new()?, Authority::new()?, Authority::new()?);
    let (alice, renewed, job) = (alice(&clients)?, server(&new)?, Job::start(b'A').await?);
    let files = Files::with(&server(&old)?, &clients)?;
    let site = files.plan(&job)?.start().await?;
    let mut before = first(&site, &old, &alice).await?;

    // Half of it, or something else that can't be used: what was there before stays in force.
    files.put(CERTIFICATE, &renewed.certificate)?;
    wait_until_broken(&site, "certificate", 0).await?;
    open(&site, &old, &alice).await?.echo("the old one\n").await?;
    assert!(site.envoy.log().contains("Failed to reload certificates"), "{}", site.envoy.log());

    files.put(KEY, &renewed.key)?;
    first(&site, &new, &alice).await?;
    assert!(is_shut(&site, &old, Some(&alice)).await?, "the old one is shown no more");
    before.echo("still there\n").await?;
    for what in ["listener_modified", "listener_in_place_updated", "listener_create_failure"] {
        assert_eq!(site.envoy.stat(&format!("listener_manager.{what}")).await?, 0, "{what}");
    }
    // What the documents tell operators to watch.
    let ends = site.envoy.stats("certificate.*expiration_unix_time_seconds$").await?;
    assert!(ends.keys().any(|name| name.contains("taskgate-tcp/certificate")), "{ends:?}");
    Ok(())
}

#[tokio::test]
async fn a_renewed_authority_of_clients_keeps_out_who_has_a_certificate_of_the_old_one() -> Outcome {
    let (servers, old, new) = (Authority::new()?, Authority::new()?, Authority::new()?);
    let (before, after, job) = (alice(&old)?, alice(&new)?, Job::start(b'A').await?);
    let files = Files::with(&server(&servers)?, &old)?;
    let site = files.plan(&job)?.start().await?;
    let mut open_before = first(&site, &servers, &before).await?;
    assert!(is_shut(&site, &servers, Some(&after)).await?);

    files.put(CLIENTS, &new.certificate())?;
    first(&site, &servers, &after).await?;
    assert!(is_shut(&site, &servers, Some(&before)).await?);
    open_before.echo("still there\n").await?;

    for broken in [&b"no certificate"[..], b""] {
        let failed = count(&site, "client-ca", "key_rotation_failed").await?;
        files.write(CLIENTS, broken)?;
        wait_until_broken(&site, "client-ca", failed).await?;
        open(&site, &servers, &after).await?.echo("as before\n").await?;
        for shown in [Some(&before), None] {
            assert!(is_shut(&site, &servers, shown).await?, "{shown:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_volume_of_kubernetes_is_followed() -> Outcome {
    let (clients, old, new) = (Authority::new()?, Authority::new()?, Authority::new()?);
    let (alice, job, authority) = (alice(&clients)?, Job::start(b'A').await?, clients.certificate());
    let files = Files::new()?;
    let renew = |number: u8, server: &Issued| {
        files.swap(number, [(CERTIFICATE, &server.certificate), (KEY, &server.key), (CLIENTS, &authority)])
    };
    renew(1, &server(&old)?)?;
    let site = files.plan(&job)?.start().await?;
    first(&site, &old, &alice).await?;
    renew(2, &server(&new)?)?;
    first(&site, &new, &alice).await?;
    assert_eq!(count(&site, "certificate", "key_rotation_failed").await?, 0, "all at once");
    Ok(())
}

#[tokio::test]
async fn files_that_are_wrong_from_the_start_are_told_and_looked_at_again() -> Outcome {
    let (authority, job) = (Authority::new()?, Job::start(b'A').await?);
    let (own, other) = (server(&authority)?, authority.issue("other", "DNS:localhost")?);
    let (alice, files) = (alice(&authority)?, Files::with(&own, &authority)?);
    files.put(KEY, &other.key)?;
    let mut site = files.plan(&job)?.start().await?;
    let is_refused = async |site: &Site| {
        let place = place(&site.sidecar, TASK).await.unwrap_or_default();
        place["state"] == "failed" && place["reason"] == "refused" && place["address"].is_null()
    };
    for life in 0..2 {
        wait_until(PATIENCE, "the refusal to be told", async || is_refused(&site).await).await?;
        let log = site.sidecar.log();
        assert!(log.contains("KEY_VALUES_MISMATCH") && log.contains("taskgate-tcp/"), "{log}");
        if life == 0 {
            site.sidecar.kill()?;
            site.sidecar.restart().await?;
        }
    }
    // In place, which Envoy does not see: it is told to look again.
    fs::copy(&own.key, files.directory.path().join(KEY))?;
    first(&site, &authority, &alice).await?.echo("hello\n").await
}

#[tokio::test]
async fn a_sidecar_and_an_envoy_that_start_again_change_nothing() -> Outcome {
    let (authority, job) = (Authority::new()?, Job::start(b'A').await?);
    let (alice, files) = (alice(&authority)?, Files::with(&server(&authority)?, &authority)?);
    let mut site = files.plan(&job)?.start().await?;
    let mut client = first(&site, &authority, &alice).await?;
    let address = site.address(TASK).await?;
    let updates = count(&site, "certificate", "update_success").await?;
    assert_eq!(updates, 1);
    site.sidecar.kill()?;
    client.echo("while it is gone\n").await?;
    site.sidecar.restart().await?;
    assert_eq!(site.address(TASK).await?, address);
    client.echo("still there\n").await?;
    assert_eq!(count(&site, "certificate", "update_success").await?, updates, "it has what it needs");
    assert_eq!(site.envoy.stat("listener_manager.listener_in_place_updated").await?, 0);
    drop(client);
    let site = site.restart_envoy().await?;
    first(&site, &authority, &alice).await.map(drop)
}
