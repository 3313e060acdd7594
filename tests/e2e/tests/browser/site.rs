//! A gate with TLS, services behind it, and somebody to sign in with.

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_jobs::JobHandle;
use taskgate_test_kit::{Certificates, OidcProvider, ReservedAddress, Sidecar, wait_for};

use crate::support::ingress::Ingress;
use crate::support::service::{BASE_DOMAIN, Service, host};
use crate::support::setup::Setup;
use crate::support::{PATIENCE, jobs};

use super::devtools::{Browser, Tab};

pub(super) struct Site {
    pub(super) provider: OidcProvider,
    pub(super) sidecar: Sidecar,
    pub(super) browser: Browser,
    secure: ReservedAddress,
    _job: JobHandle,
    _ingress: Ingress,
    _certificates: Certificates,
}

impl Site {
    /// With a WebSocket job behind two services of Alice's, `first` and `second`, and one that is public, `open`, with a
    /// name that another workload may have one day.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let secure = ReservedAddress::new()?;
        let certificates = Certificates::new(&[&format!("*.{BASE_DOMAIN}")])?;
        let people = json!([
            {"sub": "alice", "preferred_username": "alice", "email": "alice@example.test"},
            {"sub": "mallory", "preferred_username": "mallory"},
        ]);
        let provider = OidcProvider::start(&people).await?;
        let job = jobs::websocket("W").await?;
        let services = [
            Service::websocket("first").at(job.address()),
            Service::websocket("second").at(job.address()),
            Service::websocket("open").at(job.address()).access("public").alias("shop"),
        ];
        let setup = Setup::new(services).configure(|config| {
            // As operators have it, with its prefix.
            config["gate"] = json!({"base_domains": [BASE_DOMAIN]});
            config["providers"] = json!([{"file": {"path": "services.yaml", "poll_secs": 1}}]);
            config["public"] = json!({});
            config["access"] = json!({
                "external_url": format!("https://access.{BASE_DOMAIN}:{}", secure.address().port()),
                "sign_in": {"issuer": provider.issuer(), "client_id": "taskgate", "client_secret": "secret"},
            });
        });
        let sidecar = setup.start_sidecar().await?;
        let add_tls = |document: &mut Value| serve_tls(document, &secure, &certificates);
        let ingress = setup.start_envoy_with(sidecar.internal_address(), add_tls).await?;
        ingress.wait_for_table().await?;
        let browser = Browser::start().await?;
        Ok(Self { provider, sidecar, browser, secure, _job: job, _ingress: ingress, _certificates: certificates })
    }

    /// An address of the service of that task.
    pub(super) fn url(&self, task: &str, path: &str) -> String {
        self.url_at(&host(task), path)
    }

    /// An address of a host.
    pub(super) fn url_at(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.secure.address().port())
    }

    /// Goes to an address with a tab, and signs in as that person with the provider's form; then the tab is on its way
    /// back, away from that form.
    pub(super) async fn sign_in(&self, tab: &Tab, url: &str, person: &str) -> anyhow::Result<()> {
        tab.go(url).await?;
        anyhow::ensure!(tab.url().await?.starts_with(&self.provider.issuer()), "no form: {}", tab.text().await?);
        tab.evaluate(&format!("document.querySelector('button[value=\"{person}\"]').click()")).await?;
        until(tab, &format!("location.href.startsWith('{}')", self.provider.issuer()), json!(false)).await
    }
}

/// Waits until a script comes to that.
pub(super) async fn until(tab: &Tab, script: &str, value: Value) -> anyhow::Result<()> {
    let found = async || tab.evaluate(script).await.is_ok_and(|found| found == value).then_some(());
    wait_for(PATIENCE, script, found).await
}

/// A listener more, with TLS as `static.yaml` says that it is added.
fn serve_tls(document: &mut Value, address: &ReservedAddress, certificates: &Certificates) -> anyhow::Result<()> {
    let listeners = document.pointer_mut("/static_resources/listeners").and_then(Value::as_array_mut);
    let listeners = listeners.context("no listeners")?;
    let mut secure = listeners.first().context("no listener")?.clone();
    secure["name"] = json!("taskgate-tls");
    secure["address"]["socket_address"]["port_value"] = json!(address.address().port());
    secure["filter_chains"][0]["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": {"filename": certificates.certificate()},
                    "private_key": {"filename": certificates.key()},
                }],
            },
        },
    });
    listeners.push(secure);
    Ok(())
}
