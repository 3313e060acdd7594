//! What is started: jobs, a sidecar, and two NGINX that ask it.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use serde_json::json;
use taskgate_test_kit::{NginxGate, ReservedAddress};

use crate::catalogue::{BASE_DOMAIN, Catalogue, token};
use crate::client::Client;
use crate::placement::Placement;
use crate::request::{Credential, Requests, get};
use crate::stage::{Backends, Table};
use crate::upstream;

/// How many services the sidecar knows.
const SERVICES: usize = 1_000;
/// What the group of jobs is called.
const GROUP: &str = "jobs";
/// What both need to be measured: connections of clients that last.
const LASTING: &str = "keepalive_requests 1000000000;\n";

/// A way from a client to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// NGINX asks for each request.
    Asking,
    /// The same, and goes to an address in place of a group.
    AskingForAddress,
    /// NGINX uses decisions again for a second.
    Cached,
    /// NGINX asks nobody.
    Plain,
}

impl Way {
    /// All.
    pub(super) const ALL: [Self; 4] = [Self::Plain, Self::Asking, Self::Cached, Self::AskingForAddress];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Asking => "auth_request",
            Self::AskingForAddress => "auth_request, no group",
            Self::Cached => "auth_request, cached decision",
            Self::Plain => "plain proxy_pass",
        }
    }
}

/// All that runs.
#[derive(Debug)]
pub(super) struct Stage {
    asking: NginxGate,
    cached: NginxGate,
    plain: ReservedAddress,
    table: Table,
    /// The service with a group, and one without.
    services: [String; 2],
    _backends: Backends,
    _asked_at: ReservedAddress,
}

impl Stage {
    pub(super) async fn start(placement: &Placement) -> anyhow::Result<Self> {
        let backends = Backends::start(1, 1).await?;
        let addresses = &backends.places.upstream;
        let job = *addresses.first().context("no job")?;
        let catalogue = Catalogue::new(SERVICES, &upstream::texts(addresses));
        let mut ids = catalogue.protected.into_iter();
        let services = [ids.next().context("no service")?, ids.next().context("one service")?];
        let asked_at = ReservedAddress::new()?;
        let groups = json!([{"service": services[0], "group": GROUP}]);
        let section = json!({"listen": asked_at.address(), "groups": groups});
        let table = Table::configured(SERVICES, 1, &backends, &[("forward_auth", section)]).await?;
        let sidecar = asked_at.address().to_string();
        let plain = ReservedAddress::new()?;
        let more = server(plain.address());
        let asking = NginxGate::start(&sidecar, |text| format!("{LASTING}{}{more}", filled(&text, job))).await?;
        let cached =
            NginxGate::start(&sidecar, |text| format!("{LASTING}{}", filled(&text, job).replace("# CACHE ", "")))
                .await?;
        for nginx in [&asking, &cached] {
            placement.place(nginx.worker().context("nginx has no worker")?)?;
        }
        Ok(Self { asking, cached, plain, table, services, _backends: backends, _asked_at: asked_at })
    }

    /// Where clients connect.
    pub(super) fn address(&self, way: Way) -> SocketAddr {
        match way {
            Way::Asking | Way::AskingForAddress => self.asking.address(),
            Way::Cached => self.cached.address(),
            Way::Plain => self.plain.address(),
        }
    }

    /// What clients send.
    pub(super) fn requests(&self, way: Way) -> Requests {
        Requests::same(self.service(way), &Credential::Token(token(0)))
    }

    fn service(&self, way: Way) -> &str {
        let [with_group, without] = &self.services;
        if way == Way::AskingForAddress { without } else { with_group }
    }

    /// The processes whose CPU time counts: NGINX's worker, and the sidecar.
    pub(super) fn processes(&self, way: Way) -> anyhow::Result<[u32; 2]> {
        let nginx = if way == Way::Cached { &self.cached } else { &self.asking };
        Ok([nginx.worker().context("nginx has no worker")?, self.table.sidecar.id()])
    }

    /// Whether each way lets in whom it should, and tells the job who that is.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        for way in Way::ALL {
            let mut client = Client::connect(self.address(way)).await?;
            let answer = client.exchange(&get("/head", self.service(way), &Credential::Token(token(0)))).await?;
            let head = String::from_utf8_lossy(client.body(answer)).to_ascii_lowercase();
            ensure!(answer.status == 200, "{}: {}", way.name(), answer.status);
            ensure!(head.contains(BASE_DOMAIN), "{}: the job does not see its name: {head}", way.name());
            if way == Way::Plain {
                continue;
            }
            ensure!(head.contains("x-forwarded-user: alice") && !head.contains("y1_bench"), "{}: {head}", way.name());
            let answer = client.exchange(&get("/head", self.service(way), &Credential::None)).await?;
            ensure!(answer.status == 401, "{}: {} without a credential", way.name(), answer.status);
        }
        Ok(())
    }
}

/// The shipped file with a group, whose connections last as well.
fn filled(text: &str, job: SocketAddr) -> String {
    let group = format!("upstream {GROUP} {{ server {job}; keepalive 64; keepalive_requests 1000000000; }}\n");
    text.replace("# GROUPS\n", &group)
}

/// What people write who ask nobody.
fn server(address: SocketAddr) -> String {
    format!(
        "server {{\nlisten {address};\naccess_log plain.log;\nlocation / {{\nproxy_pass http://{GROUP};\n\
         proxy_http_version 1.1;\nproxy_set_header Connection \"\";\nproxy_set_header Host $http_host;\n}}\n}}\n"
    )
}
