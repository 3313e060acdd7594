//! A cluster with an operation of each kind, and a gateway in front of it.

use taskgate_emulators::ytsaurus::{Guid, Ytsaurus};
use taskgate_jobs::JobHandle;

use super::cluster::{self, EVERY_PORT, Name, job, operation, tasks_info};
use super::gateway::Gateway;
use super::jobs;
use super::setup::Setup;

/// The operations of the documentation of Task proxy: two HTTP jobs and a gRPC job; and a WebSocket job.
pub(crate) struct Site {
    pub(crate) cluster: Ytsaurus,
    pub(crate) gateway: Gateway,
    /// The service of jobs A and B, of an operation with the alias `demo`.
    pub(crate) web: Name,
    /// The service of job G.
    pub(crate) greeter: Name,
    /// The service of job W.
    pub(crate) socket: Name,
    _jobs: [JobHandle; 4],
}

impl Site {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let cluster = cluster::start().await?;
        let jobs = [
            jobs::http_on(2, "A").await?,
            jobs::http_on(3, "B").await?,
            jobs::grpc("G").await?,
            jobs::websocket("W").await?,
        ];
        let web = operation(EVERY_PORT)?.alias("*demo").id(guid("a6e04b98-bf982394-5103e8-55754a49")?);
        let web = Name::new(cluster.add_operation(web), "example_http_server", "port_0");
        let server = tasks_info("{example_grpc_server={server={protocol=\"grpc\"; port_index=0}}}");
        let server = operation(&server)?.id(guid("a8ef7695-3de07913-5103e8-e29a6707")?);
        let greeter = Name::new(cluster.add_operation(server), "example_grpc_server", "server");
        let socket = operation(&tasks_info("{notebook={ws={protocol=\"websocket\"; port_index=0}}}"))?;
        let socket = Name::new(cluster.add_operation(socket), "notebook", "ws");
        for (name, handle) in [&web, &web, &greeter, &socket].into_iter().zip(&jobs) {
            cluster.add_job(name.operation, job(&name.task, handle));
        }
        let gateway = Setup::cluster(&cluster).start().await?;
        Ok(Self { cluster, gateway, web, greeter, socket, _jobs: jobs })
    }
}

fn guid(text: &str) -> anyhow::Result<Guid> {
    Ok(text.parse()?)
}
