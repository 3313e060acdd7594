//! `taskgate services`.

use clap::Args;
use hyper::Method;

use crate::api::services::{ListedService, ServiceList};
use crate::cli::client::Target;
use crate::cli::{columns, output};
use crate::gateway::standing::TcpPlace;

#[derive(Debug, Args)]
pub(super) struct Services {
    #[command(flatten)]
    target: Target,
    /// print JSON
    #[arg(long)]
    json: bool,
}

impl Services {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let list: ServiceList = self.target.ask(&Method::GET, "/internal/services", Vec::new())?;
        if self.json {
            return output::line(&serde_json::to_string_pretty(&list)?);
        }
        output::text(&table(&list.services))
    }
}

/// Services as a table.
pub(super) fn table(services: &[ListedService]) -> String {
    let header = ["ID", "PROTOCOL", "ACCESS", "OWNER", "ENDPOINTS", "SERVICE", "LABELS"];
    if services.iter().all(|service| service.tcp.is_none()) {
        return columns::aligned(header, services.iter().map(row));
    }
    let [id, protocol, access, owner, endpoints, name, labels] = header;
    let header = [id, protocol, access, owner, endpoints, "TCP", name, labels];
    let rows = services.iter().map(|service| {
        let [id, protocol, access, owner, endpoints, name, labels] = row(service);
        let place = service.tcp.as_ref().map_or_else(|| "-".to_owned(), TcpPlace::summary);
        [id, protocol, access, owner, endpoints, place, name, labels]
    });
    columns::aligned(header, rows)
}

fn row(service: &ListedService) -> [String; 7] {
    let access = serde_json::to_value(service.access).ok();
    let access = access.as_ref().and_then(serde_json::Value::as_str).unwrap_or("?").to_owned();
    let endpoints: Vec<String> = service.endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect();
    let some = |list: Vec<String>| if list.is_empty() { "-".to_owned() } else { list.join(",") };
    [
        service.id.clone(),
        service.protocol.clone(),
        access,
        service.owner.clone().unwrap_or_else(|| "-".into()),
        some(endpoints),
        format!("{}/{}/{}", service.operation, service.task, service.services.join("|")),
        some(service.labels.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use taskgate_core::service::{AccessLevel, Endpoint};

    use super::*;
    use crate::gateway::standing::Reason;

    #[test]
    fn columns_line_up() {
        let service = ListedService {
            id: "ae5cf6f5".into(),
            labels: vec!["greeter-web-ui".into()],
            names: Vec::new(),
            provider: "file".into(),
            operation: "op".into(),
            task: "web".into(),
            services: vec!["ui".into(), "www".into()],
            protocol: "websocket".into(),
            endpoints: vec![Endpoint { address: ([127, 0, 0, 1], 27001).into(), weight: 1 }],
            access: AccessLevel::CanRead,
            owner: None,
            epoch: 7,
            tcp: None,
        };
        let expected = "\
ID        PROTOCOL   ACCESS    OWNER  ENDPOINTS        SERVICE        LABELS
ae5cf6f5  websocket  can_read  -      127.0.0.1:27001  op/web/ui|www  greeter-web-ui
";
        assert_eq!(table(std::slice::from_ref(&service)), expected);
        let other =
            ListedService { protocol: "tcp".into(), tcp: Some(TcpPlace::tunnel_only(Reason::NoGateway)), ..service };
        let shown = table(&[other]);
        assert!(shown.contains("127.0.0.1:27001  tunnel-only:no-gateway  op/web/ui|www"), "{shown}");
    }
}
