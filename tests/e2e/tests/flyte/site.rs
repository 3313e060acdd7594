//! A gate with the data service behind it, the rest of a Flyte beside it, and people who use the SDK.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value, json};
use taskgate_test_kit::{Certificates, ControlPlane, FlyteUser, ReservedAddress, S3, Sidecar, wait_until};

use crate::support::PATIENCE;
use crate::support::ask::{Answer, Ask};
use crate::support::ingress::Ingress;
use crate::support::service::{ALICE, BASE_DOMAIN};
use crate::support::setup::Setup;

/// Whose credentials the sidecar shows to Flyte's services.
const CATALOG_TOKEN: &str = "Bearer catalog-token";

/// Where data is kept.
pub(super) enum Store<'a> {
    /// The sidecar's own folder.
    Local,
    /// A bucket.
    S3(&'a S3),
}

/// What knows projects and runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Catalog {
    /// Flyte's own services.
    Flyte,
    /// A file, in which Alice may write to `flytesnacks` and Bob may read.
    File,
}

pub(super) struct Site {
    pub(super) control_plane: ControlPlane,
    pub(super) sidecar: Sidecar,
    /// Clients without TLS are served too, under the same host.
    pub(super) ingress: Ingress,
    pub(super) user: FlyteUser,
    secure: ReservedAddress,
    _certificates: Certificates,
}

impl Site {
    pub(super) async fn start(store: Store<'_>, catalog: Catalog) -> anyhow::Result<Self> {
        let (host, secure) = (host(), ReservedAddress::new()?);
        let certificates = Certificates::new(&[&host, ControlPlane::HOST])?;
        let public_url = format!("https://{host}:{}", secure.address().port());
        let control_plane = ControlPlane::start(&public_url, &certificates).await?;
        let user = FlyteUser::new(&certificates, &[&host, ControlPlane::HOST])?;
        let logs = user.home().join("logs");
        fs::create_dir(&logs)?;
        let setup = Setup::new([]).configure(|config| {
            // In one group each, by which Flyte's catalog goes.
            for token in config["verdicts"]["sources"][0]["tokens"]["tokens"].as_array_mut().into_iter().flatten() {
                token["groups"] = json!([format!("{}s", token["actor"].as_str().unwrap_or_default())]);
            }
            let known = match catalog {
                Catalog::File => json!({"file": {"path": "catalog.yaml"}}),
                Catalog::Flyte => json!({"flyte": {
                    "url": control_plane.url(), "authorization": CATALOG_TOKEN,
                    "writer_groups": ["alices"], "reader_groups": ["bobs"],
                }}),
            };
            // All that the sidecar has to say.
            config["logs"] = json!({"level": "debug"});
            config["public"] = json!({});
            config["data"] = json!({
                "stores": {"main": store.section(&public_url)},
                "catalog": [known, {"templates": {"log": {"file": logs.join("{run}.{action}.{attempt}.log")}}}],
                "logs": {"folders": [logs], "poll_ms": 20},
            });
        });
        let home = setup.home()?;
        home.write("catalog.yaml", &file_catalog())?;
        let sidecar = home.start(&setup.config().to_string()).await?;
        let add_tls = |document: &mut Value| serve_tls(document, &secure, &certificates);
        let ingress = setup.start_envoy_with(sidecar.internal_address(), add_tls).await?;
        ingress.wait_for_table().await?;
        Ok(Self { control_plane, sidecar, ingress, user, secure, _certificates: certificates })
    }

    /// Settings of the SDK for somebody with that token, who knows the address of Flyte alone.
    pub(super) fn settings(&self, token: &str) -> anyhow::Result<String> {
        self.settings_for(&self.control_plane.endpoint(), token)
    }

    /// Settings of the SDK for somebody with that token, who takes that for Flyte's address.
    pub(super) fn settings_for(&self, endpoint: &str, token: &str) -> anyhow::Result<String> {
        let (file, secret) = (self.user.home().join("config.yaml"), self.user.home().join("token"));
        fs::write(&secret, token)?;
        // JSON is YAML.
        let settings = json!({
            "admin": {
                "endpoint": format!("dns:///{endpoint}"), "authType": "ExternalCommand", "command": ["cat", secret],
                "disableKeyring": true,
            },
            "task": {"project": "flytesnacks", "domain": "development"},
            "image": {"builder": "local"},
        });
        fs::write(&file, settings.to_string())?;
        Ok(file.to_str().context("no such path")?.to_owned())
    }

    /// The address of the data service itself: host and port.
    pub(super) fn endpoint(&self) -> String {
        format!("{}:{}", host(), self.secure.address().port())
    }

    /// The file of an object in the local store.
    pub(super) fn object(&self, key: &str) -> PathBuf {
        self.sidecar.home().directory().join("objects/objects").join(key)
    }

    /// The log of the first attempt of the first action of a run.
    pub(super) fn log_file(&self, run: &str) -> PathBuf {
        self.user.home().join(format!("logs/{run}.a0.1.log"))
    }

    /// A file of the user's.
    pub(super) fn file(&self, name: &str, content: &[u8]) -> anyhow::Result<String> {
        let path = self.user.home().join(name);
        fs::create_dir_all(path.parent().context("no folder")?)?;
        fs::write(&path, content)?;
        Ok(path.to_str().context("no such path")?.to_owned())
    }

    /// A place for an upload, as the plain API signs it for Alice.
    pub(super) async fn place(&self, name: &str, expires_in: &str) -> anyhow::Result<Value> {
        let body = json!({
            "project": "flytesnacks", "domain": "development", "filename": name, "filename_root": "r",
            "expires_in": expires_in,
        });
        let answer = self.send(Ask::post(&host(), "/v1/data/uploads", body.to_string()).token(ALICE)).await?;
        anyhow::ensure!(answer.is_ok(), "no place: {}", answer.text());
        answer.json()
    }

    pub(super) async fn send(&self, ask: Ask) -> anyhow::Result<Answer> {
        self.ingress.send(ask).await
    }

    /// How many requests Envoy has sent to upstreams, the sidecar's own services alone here.
    pub(super) async fn forwarded(&self) -> anyhow::Result<u64> {
        let stats = self.ingress.envoy.stats(r"^cluster\.taskgate-h[12]-[123]\.upstream_rq_total$").await?;
        anyhow::ensure!(!stats.is_empty(), "Envoy has no such clusters");
        Ok(stats.values().sum())
    }

    /// The lines that say that somebody was let at something.
    pub(super) fn audits(&self, actor: &str, event: &str) -> Vec<String> {
        let is_one = |line: &&str| {
            let said: Value = serde_json::from_str(line).unwrap_or_default();
            said["target"] == "taskgate::audit" && said["actor.id"] == actor && said["data.event"] == event
        };
        self.sidecar.log().lines().filter(is_one).map(str::to_owned).collect()
    }

    /// That no credential and no query of a signed URL is in any log.
    pub(super) async fn assert_logs_are_clean(&self) -> anyhow::Result<()> {
        // Envoy writes lines a moment later, and in order.
        self.send(Ask::get(&host(), "/the-last-line?tg-signature=x")).await?;
        let written = async || self.ingress.envoy.log().contains("/the-last-line");
        wait_until(PATIENCE, "Envoy to write its log", written).await?;
        for (name, log) in [("the sidecar", self.sidecar.log()), ("Envoy", self.ingress.envoy.log())] {
            for secret in ["tg-signature", "X-Amz-Signature", "X-Amz-Credential", ALICE] {
                assert!(!log.contains(secret), "{secret} is in the log of {name}");
            }
        }
        Ok(())
    }
}

impl Store<'_> {
    fn section(&self, public_url: &str) -> Value {
        match self {
            Self::Local => json!({"local": {"folder": "objects", "public_url": public_url, "durable": false}}),
            Self::S3(server) => json!({"s3": {
                "bucket": S3::BUCKET, "endpoint": server.url(),
                "access_key_id": S3::ACCESS_KEY_ID, "secret_access_key": S3::SECRET_ACCESS_KEY,
            }}),
        }
    }
}

/// What clients call the data service.
pub(super) fn host() -> String {
    format!("data.{BASE_DOMAIN}")
}

/// The path of a URL with its query, to which the gate listens under every scheme.
pub(super) fn path_of(url: &Value) -> anyhow::Result<String> {
    let url = url.as_str().context("no URL")?;
    let rest = url.strip_prefix("https://").context("no https")?;
    Ok(rest.find('/').map(|start| rest[start..].to_owned()).unwrap_or_default())
}

fn file_catalog() -> String {
    json!({"projects": [{
        "name": "flytesnacks", "domains": ["development"], "writers": {"users": ["alice"]}, "readers": {"users": ["bob"]},
    }]})
    .to_string()
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
